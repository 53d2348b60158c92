#!/bin/sh
# Our filter engine against EventBridge's matcher.
# usage: run.sh BUILD [JUDGEMENTS [SEED]]
set -eu
build=${1:-build/release}
[ $# -eq 0 ] || shift
root=build/differential
mkdir -p "$root"
sh docker/install-debian.sh python3

# A JDK and Maven of any origin will do; Debian's otherwise.
command -v javac >/dev/null || sh docker/install-debian.sh default-jdk-headless
command -v mvn >/dev/null || sh docker/install-debian.sh maven

if [ ! -e "$root/ruler.done" ]; then
    echo "  GET   event-ruler"
    mvn -q -B -f tests/differential/ruler.xml dependency:copy-dependencies \
        -DoutputDirectory="$PWD/$root/ruler"
    touch "$root/ruler.done"
fi
javac -nowarn -cp "$root/ruler/*" -d "$root" tests/differential/Judge.java
exec python3 tests/differential/differential.py \
    "$build/tests/differential/judge" "$root:$root/ruler/*" "$@"
