#!/bin/sh
# Run test binaries under valgrind: no error, no leak. Whether their claims hold
# is `make test`'s to judge: some race processes against a time limit, which
# valgrind is too slow for.
set -eu
sh docker/install-debian.sh valgrind
found=0
for test in "$@"; do
    echo "== valgrind $test"
    status=0
    valgrind --quiet --error-exitcode=99 --leak-check=full \
        --errors-for-leak-kinds=definite,indirect --num-callers=25 \
        "$test" >/dev/null 2>build/valgrind.log || status=$?
    [ "$status" != 99 ] || { cat build/valgrind.log; found=1; }
done
exit $found
