#!/bin/sh
# Several workers on one stream and one store. See test_shards.py.
set -eu
exec python3 tests/integration/test_shards.py "$1"
