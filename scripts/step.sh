#!/usr/bin/env bash
# Runs one long step: scripts/step.sh "what it does" command [argument...]
# Says what it does, and every few seconds for how long and what the command said last; all of that only if it fails.
set -uo pipefail

words=$1
shift
log=$(mktemp)
beat=
finish() {
    [ -z "$beat" ] || kill "$beat" 2>/dev/null
    rm -f "$log"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "== $words"
began=$SECONDS
# The sleep must not hold on to the pipe that we may write to.
while sleep 5 >/dev/null 2>&1; do
    said=$(tail -c 2000 "$log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1)
    printf '   %4d s  %s\n' $((SECONDS - began)) "${said:0:100}"
done &
beat=$!
if "$@" >"$log" 2>&1; then
    exit 0
else
    status=$?
fi
echo "failed ($status): $words" >&2
cat "$log" >&2
exit "$status"
