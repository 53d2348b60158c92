#!/bin/sh
# Aggregated Kinesis records and a whole pollard. See test_aggregated.py.
set -eu
exec python3 tests/integration/test_aggregated.py "$1"
