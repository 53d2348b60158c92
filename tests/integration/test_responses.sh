#!/bin/sh
# What handlers may respond, to a whole pollard.
set -eu
exec python3 tests/integration/test_responses.py "$1"
