#!/bin/sh
# kill -9 at random moments, then count. See crash.py.
set -eu
build=${1:-build/release}
command -v python3 >/dev/null || sh docker/install-debian.sh python3
python3 tests/fault/crash.py "$build" ${CRASH_ARGUMENTS:-}
