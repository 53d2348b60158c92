#!/bin/sh
# Run test binaries under valgrind: no error, no leak.
set -eu
sh docker/install-debian.sh valgrind
for test in "$@"; do
    echo "== valgrind $test"
    valgrind --quiet --error-exitcode=99 --leak-check=full \
        --errors-for-leak-kinds=definite,indirect --num-callers=25 "$test" >/dev/null
done
