#!/bin/sh
# What Lambda does, on a whole pollard, and whether that is all of it. See
# tests/conformance/README.md.
set -eu
python3 tests/conformance/coverage.py
exec python3 tests/integration/test_conformance.py "$1"
