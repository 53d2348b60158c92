#!/bin/sh
# What goes wrong from outside, and what is said then. See test_bad_input.py.
set -eu
exec python3 tests/integration/test_bad_input.py "$1"
