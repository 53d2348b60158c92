#!/bin/sh
# Run the tests that stand on standard input, a command a line, TEST_JOBS at a
# time (as many as there are processors). What one prints comes in one piece;
# the failed ones are named once more at the end.
set -eu
if [ $# -gt 0 ]; then # from below: one test, its command line in one argument
    log=$(mktemp) status=0 begun=$(date +%s)
    sh -c "$1" >"$log" 2>&1 </dev/null || status=$?
    (
        flock 9
        echo "== $1 ($(($(date +%s) - begun)) s)"
        cat "$log"
        [ $status = 0 ] || echo "$1 (exit status $status)" >>"$RESULTS/failed"
    ) 9>"$RESULTS/lock"
    rm -f "$log"
    exit 0
fi

RESULTS=$(mktemp -d)
export RESULTS
trap 'rm -rf "$RESULTS"' EXIT
xargs -P "${TEST_JOBS:-$(nproc)}" -d '\n' -n 1 sh "$0"
if [ -e "$RESULTS/failed" ]; then
    sed 's/^/FAILED /' "$RESULTS/failed"
    exit 1
fi
