#!/usr/bin/env bash
# Installs what Parley needs on Debian 12, once: system packages, and a Python environment with the stock clients.
#   scripts/setup.sh demo | test
# Needs root or sudo for the packages; a machine that has them already is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-demo}
build=(libpq-dev libwebsockets-dev libcurl4-openssl-dev libssl-dev pkg-config)
run=(postgresql-15 postgresql-client-15 python3 python3-venv curl)
check=(postgresql-15-pgtap postgresql-15-plpgsql-check postgresql-server-dev-15 libtap-parser-sourcehandler-pgtap-perl
    pgbouncer coturn nginx-light libnginx-mod-nchan gcc libc6-dev make procps util-linux)

packages=("${build[@]}" "${run[@]}")
[ "$purpose" = test ] && packages+=("${check[@]}")

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "== installing ${#missing[@]} packages: ${missing[*]}"
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "run as root, or install sudo: packages are missing" >&2; exit 1; }
        as_root=(sudo)
    fi
    # A cluster of Debian's own on port 5432 is not wanted, and no service is to be started.
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -20 "$log" >&2
        exit 1
    fi
    rm -f "$log"
fi

# The environment is made again when the list of requirements changes.
stamp=.venv/requirements.sha256
want=$(sha256sum Tests/requirements.txt)
if [ ! -x .venv/bin/python ] || [ "$(cat $stamp 2>/dev/null)" != "$want" ]; then
    echo "== installing the stock clients into .venv"
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r Tests/requirements.txt
    echo "$want" >$stamp
fi
