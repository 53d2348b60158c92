#!/bin/sh
# docs/handlers.md, done as it says. See test_guide.py.
set -eu
exec python3 tests/integration/test_guide.py "$1"
