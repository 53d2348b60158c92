#!/bin/sh
# Includes run downward only (docs/architecture.md): a room may include itself
# and the rooms below it.
set -eu

rooms="cli supervisor keeper poller destination filter handler source store local aws config record base"
# Side by side on one storey: they know nothing of each other.
storey="destination filter handler source store local"

position() {
    i=0
    for room in $rooms; do
        [ "$room" = "$1" ] && { echo $i; return; }
        i=$((i + 1))
    done
    echo "unknown room $1" >&2
    exit 1
}

bad=0
for file in runtime/*/*.c runtime/*/*.h; do
    room=$(basename "$(dirname "$file")")
    [ "$room" = pollard ] && continue
    from=$(position "$room")
    for other in $(sed -nE 's,^#include "([a-z]+)/.*,\1,p' "$file" | sort -u); do
        [ "$other" = "$room" ] && continue
        [ "$other" = pollard ] && continue
        to=$(position "$other")
        case " $storey " in
        *" $room "*) case " $storey " in
            *" $other "*)
                echo "$file: $room includes $other, which is on the same storey" >&2
                bad=1
                continue
                ;;
            esac ;;
        esac
        [ "$to" -gt "$from" ] || {
            echo "$file: $room includes $other, which is above it" >&2
            bad=1
        }
    done
done
exit $bad
