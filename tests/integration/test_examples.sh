#!/bin/sh
# Every example configuration is good, with the handlers that come with pollard.
set -eu

build=$1
mkdir -p build/demo # where the quickstart keeps its files
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

export HANDLERS="$(realpath "$build")/handlers" TMPDIR="$folder"
export ORDERS_DATABASE="$folder/orders.db"
for example in config/*.yaml; do
    "$build/pollard" validate -c "$example"
done
