#!/bin/sh
# Enhanced fan-out on the embedded server. See test_local_fanout.py.
set -eu
exec python3 tests/integration/test_local_fanout.py "$1"
