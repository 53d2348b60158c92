#!/bin/sh
# A destination that is down, and what becomes of what it should have had. See
# test_destinations.py.
set -eu
exec python3 tests/integration/test_destinations.py "$1"
