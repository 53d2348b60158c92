#!/bin/sh
# The end-to-end stories against servers nobody here wrote.
set -eu
build=${1:-build/release}
sh tests/interop/servers.sh
sh tests/interop/local_clients.sh "$build"
python3 tests/interop/stories.py "$build"
