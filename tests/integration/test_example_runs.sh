#!/bin/sh
# The examples of failures, windows and FIFO queues, at work.
set -eu
exec python3 tests/integration/test_example_runs.py "$1"
