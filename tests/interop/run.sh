#!/bin/sh
# The end-to-end stories against servers nobody here wrote.
set -eu
build=${1:-build/release}
sh tests/interop/servers.sh
for story in tests/interop/local_clients.sh; do
    [ -e "$story" ] && sh "$story" "$build"
done
python3 tests/interop/stories.py "$build" build/interop
