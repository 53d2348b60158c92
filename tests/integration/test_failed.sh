#!/bin/sh
# What a trigger gave up, in a folder, and through its handler again. See
# test_failed.py.
set -eu
exec python3 tests/integration/test_failed.py "$1"
