#!/bin/sh
# The whole program, as a user meets it. See test_worker.py.
set -eu
exec python3 tests/integration/test_worker.py "$1"
