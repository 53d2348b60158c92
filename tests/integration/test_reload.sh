#!/bin/sh
# Each trigger setting changed while it runs. See test_reload.py.
set -eu
exec python3 tests/integration/test_reload.py "$1"
