#!/bin/sh
# What Lambda does, on a whole pollard. See test_conformance.py.
set -eu
exec python3 tests/integration/test_conformance.py "$1"
