#!/usr/bin/env bash
# Installs what Parley needs on Debian 12, once: system packages, and a Python environment with the stock clients.
#   scripts/setup.sh demo | test
# Needs root or sudo for the packages; a machine that has them already is left alone. PARLEY_SETUP_ROOT is a folder that
# stands for / where this writes, for its tests.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-demo}
build=(libpq-dev libwebsockets-dev libcurl4-openssl-dev libssl-dev zlib1g-dev pkg-config)
run=(postgresql-15 postgresql-client-15 python3 python3-venv curl)
check=(postgresql-15-pgtap postgresql-15-plpgsql-check postgresql-server-dev-15 libtap-parser-sourcehandler-pgtap-perl
    pgbouncer coturn nodejs node-ws nginx-light libnginx-mod-nchan gcc libc6-dev make procps util-linux
    chromium chromium-driver fonts-dejavu-core fonts-noto-color-emoji)

packages=("${build[@]}" "${run[@]}")
[ "$purpose" = test ] && packages+=("${check[@]}")

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

# Debian makes a cluster on port 5432 with the first server that is installed, and starts what it installs. Neither is
# wanted here, so both are switched off while apt-get runs, and only then. A policy-rc.d that is there stays in force.
# What Debian enables at boot (nginx, coturn, pgbouncer) it still starts at the next boot.
policy=${PARLEY_SETUP_ROOT:-}/usr/sbin/policy-rc.d
policy_mark='made by scripts/setup.sh of Parley for the time of its apt-get'
cluster_conf=${PARLEY_SETUP_ROOT:-}/etc/postgresql-common/createcluster.conf
saved_conf=

forbid_services() {
    # Only if there is none, a dangling link included.
    "${as_root[@]}" sh -c 'set -C; printf "#!/bin/sh\n# %s\nexit 101\n" "$2" >"$1" && chmod 755 "$1"' \
        sh "$policy" "$policy_mark" 2>/dev/null || true
}

forbid_main_cluster() {
    "${as_root[@]}" test -e "$cluster_conf" || return 0
    saved_conf=$("${as_root[@]}" mktemp "$cluster_conf.XXXXXX")
    "${as_root[@]}" cp -p "$cluster_conf" "$saved_conf"
    "${as_root[@]}" pg_conftool "$cluster_conf" set create_main_cluster false
}

restore() {
    if [ -n "$saved_conf" ]; then "${as_root[@]}" mv "$saved_conf" "$cluster_conf"; fi
    saved_conf=
    if grep -qs "$policy_mark" "$policy"; then "${as_root[@]}" rm -f "$policy"; fi
}

install() { # what it is, packages
    local words=$1
    shift
    scripts/step.sh "installing $words" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "$@"
}

if [ ${#missing[@]} -gt 0 ]; then
    if [ ${#as_root[@]} -gt 0 ]; then
        command -v sudo >/dev/null || { echo "run as root, or install sudo: packages are missing" >&2; exit 1; }
        # Asks for the password now, not under the progress of a step.
        sudo true
    fi
    trap restore EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    forbid_services
    scripts/step.sh "fetching the lists of packages" "${as_root[@]}" apt-get update -q
    if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
        install "what Debian's servers share" postgresql-common
        forbid_main_cluster
    fi
    install "${missing[*]}" "${missing[@]}"
    restore
    trap - EXIT INT TERM
fi

# The environment is made again when the list of requirements changes.
stamp=.venv/requirements.sha256
want=$(sha256sum Tests/requirements.txt)
if [ ! -x .venv/bin/python ] || [ "$(cat $stamp 2>/dev/null)" != "$want" ]; then
    rm -rf .venv
    scripts/step.sh "making .venv" python3 -m venv .venv
    scripts/step.sh "installing the stock clients into .venv" \
        .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off -r Tests/requirements.txt
    echo "$want" >$stamp
fi
