#!/bin/sh
# `pollard filter test`, and every example of docs/filters.md. See test_filter.py.
set -eu
exec python3 tests/integration/test_filter.py "$1"
