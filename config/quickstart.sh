#!/bin/sh
# The demo: hamster races. Starts pollard with its embedded server, sends race
# requests to the queue, and shows what becomes of them. Ctrl-C drains.
set -eu

build=${1:-build/release}
pollard=$build/pollard
config=config/quickstart.yaml
demo=build/demo

rm -rf "$demo"
mkdir -p "$demo"
cat <<'TEXT'
Hamster races: requests arrive on the queue `races`; a handler runs each race and
emits its result into the stream `results` (two shards); `standings` keeps the
table in build/demo/standings.db, `podium` prints. Some requests are delayed, some
fail twice, and one is poisonous: after three tries it ends in `races-dead`.
Ctrl-C drains and stops; what was done and what is left is said last.

TEXT

"$pollard" run --local -c "$config" &
worker=$!
trap 'kill -INT $worker 2>/dev/null || true' INT TERM

# Sent again until the server is there, as long as the worker lives.
send() {
    until printf '%s\n' "$2" |
        "$pollard" send --local -c "$config" --delay "$1" races - >/dev/null 2>&1; do
        kill -0 $worker 2>/dev/null || { wait $worker; exit $?; }
        sleep 0.1
    done
}

field() {
    printf '%s\n' "$race" | sed -nE "s/.*\"$1\": *\"?([^\",}]+).*/\1/p"
}

while IFS= read -r race; do
    delay=$(field delay)
    send "${delay:-0}" "$race"
    case $race in
    *'"delay"'*) echo "sent: $(field title), to be seen in $delay s" ;;
    *'"fails"'*) echo "sent: $(field title), whose first $(field fails) starts fail" ;;
    *'"poisonous"'*) echo "sent: $(field title), which is poisonous" ;;
    *) echo "sent: $(field title)" ;;
    esac
done <config/quickstart-races.jsonl

# For scripts that cannot press Ctrl-C.
if [ -n "${DEMO_SECONDS:-}" ]; then
    (sleep "$DEMO_SECONDS" && kill -INT $worker 2>/dev/null) &
fi

status=0
wait $worker || status=$?
# A signal to this shell ends the first wait; the worker still drains.
while kill -0 $worker 2>/dev/null; do
    wait $worker || status=$?
done
exit $status
