#!/usr/bin/env bash
# `make demo`: a private Postgres, the worker, a page with two users who can be talked with, two who talk by themselves,
# then the server stays up.
#   ONCE=1 stops after the messages arrived; PARLEY_PORT is the port (4000).
set -euo pipefail
cd "$(dirname "$0")/.."

port=${PARLEY_PORT:-4000}
log=.parley/dev.log
mkdir -p .parley
# A server that runs here already keeps its dev.json and its log.
if [ -e .parley/lock ] && ! flock -n .parley/lock true; then
    echo "a server already runs in this folder; its address is in .parley/dev.json" >&2
    exit 1
fi
rm -f .parley/dev.json

echo "== starting Postgres and the worker (log: $log)"
.build/release/parley dev --port "$port" >"$log" 2>&1 &
worker=$!
# Whatever ends this script ends the server it started, and only that.
trap 'kill -TERM $worker 2>/dev/null; wait $worker 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for _ in $(seq 600); do
    [ -s .parley/dev.json ] && break
    if ! kill -0 $worker 2>/dev/null; then
        echo "the server did not start:" >&2
        tail -20 "$log" >&2
        exit 1
    fi
    sleep 0.2
done
[ -s .parley/dev.json ] || { echo "the server was not ready after two minutes:" >&2; tail -20 "$log" >&2; exit 1; }

url=$(.venv/bin/python -c 'import json; print(json.load(open(".parley/dev.json"))["url"])')
echo "== open $url/demo in a browser: two users side by side, who can be talked with"
.venv/bin/python Examples/two_users.py .parley/dev.json
.venv/bin/python scripts/demo_hints.py .parley/dev.json

if [ -n "${ONCE:-}" ]; then
    exit 0
fi
echo "== serving until Ctrl-C; the page: $url/demo"
wait $worker
