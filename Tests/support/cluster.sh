#!/usr/bin/env bash
# A throw-away PostgreSQL cluster for tests, benchmarks and experiments.
#
#   eval "$(Tests/support/cluster.sh start)"     make a cluster, install Parley into it, export its addresses
#   Tests/support/cluster.sh stop                stop it and remove every file of it
#   Tests/support/cluster.sh kill9               SIGKILL the postmaster and all its children (a crash)
#   Tests/support/cluster.sh restart             start it again after kill9, or restart it cleanly
#   Tests/support/cluster.sh database NAME       another empty database of the same owner; prints its URL
#   Tests/support/cluster.sh install URL         install Parley into a database, as the URL's user
#
# Options of start: --fsync (default is fsync off: fast, and safe against a kill of the server, not against power loss),
# --no-install (roles and an empty database only), --set name=value (a server setting, repeatable).
#
# start prints export lines:
#   PARLEY_TEST_CLUSTER          directory of the cluster; the other commands find it by this variable
#   PARLEY_TEST_PGDATA           its data directory
#   PARLEY_TEST_DATABASE_URL     the owner of the schema: an ordinary login with CREATEROLE, no superuser
#   PARLEY_WORKER_DATABASE_URL   a login that is a member of parley_worker
#   PARLEY_SUPERUSER_URL         the bootstrap superuser
#
# The server listens on 127.0.0.1 and on a socket in its own directory, trusts every local login and lives in a
# directory made by mktemp. PostgreSQL refuses to run as root, so under root it runs as the user `postgres`.
# In its database the log refuses events that are not in the catalogue (Tests/sql/known_events.psql; PARLEY_WATCH=off: not).
# PARLEY_PG_BINDIR names the directory of initdb and pg_ctl; without it the newest installed version is used.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
install_file=${PARLEY_INSTALL_SQL:-$root/sql/install.sql}

fail() { echo "cluster.sh: $*" >&2; exit 1; }

bindir() {
    if [ -n "${PARLEY_PG_BINDIR:-}" ]; then echo "$PARLEY_PG_BINDIR"; return; fi
    local newest
    newest=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -n | tail -1)
    if [ -n "$newest" ] && [ -x "$newest/initdb" ]; then echo "$newest"; return; fi
    command -v initdb >/dev/null || fail "no initdb found; install a PostgreSQL server or set PARLEY_PG_BINDIR"
    dirname "$(command -v initdb)"
}

# Runs a server program as a user that PostgreSQL accepts.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

cluster() {
    [ -n "${PARLEY_TEST_CLUSTER:-}" ] || fail "PARLEY_TEST_CLUSTER is not set; run: eval \"\$($0 start)\""
    [ -d "$PARLEY_TEST_CLUSTER/data" ] || fail "no cluster in $PARLEY_TEST_CLUSTER"
    echo "$PARLEY_TEST_CLUSTER"
}

url() { # user database
    echo "postgresql://$1@127.0.0.1:$(cat "$directory/port")/$2"
}

run_sql() { # url sql
    psql -X -q -v ON_ERROR_STOP=1 -d "$1" -c "$2" >&2
}

install_parley() { # url
    "$root/scripts/manifest.sh" --check
    psql -X -q -d "$1" -f "$install_file" >&2 || fail "installing into $1 failed"
}

# PARLEY_TEST_PRELOAD: a library for the server alone, as the clock of clock.py.
start_server() {
    as_server env ${PARLEY_TEST_PRELOAD:+LD_PRELOAD="$PARLEY_TEST_PRELOAD"} "$(bindir)/pg_ctl" -D "$directory/data" -l "$directory/log" -w -t 60 start >/dev/null
}

# Finds a free port by trying: the server itself is the only honest judge.
start_on_free_port() {
    local attempt port
    for attempt in $(seq 1 20); do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 40000))
        echo "$port" >"$directory/port"
        echo "port = $port" >"$directory/data/port.conf"
        if start_server 2>/dev/null; then return; fi
        grep -q "could not bind\|Address already in use" "$directory/log" || break
    done
    cat "$directory/log" >&2
    fail "the server did not start"
}

start() {
    local fsync=off install=yes settings=()
    while [ $# -gt 0 ]; do
        case $1 in
            --fsync) fsync=on ;;
            --no-install) install=no ;;
            --set) settings+=("${2:?--set needs name=value}"); shift ;;
            *) fail "unknown option $1" ;;
        esac
        shift
    done
    directory=$(mktemp -d "${TMPDIR:-/tmp}/parley-cluster.XXXXXX")
    chmod 711 "$directory"
    [ "$(id -u)" -ne 0 ] || chown postgres "$directory"
    as_server "$(bindir)/initdb" -D "$directory/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
    {
        echo "listen_addresses = '127.0.0.1'"
        echo "unix_socket_directories = '$directory'"
        echo "fsync = $fsync"
        echo "max_connections = 300"
        echo "shared_buffers = 128MB"
        echo "max_wal_size = 2GB"
        echo "logging_collector = off"
        echo "include 'port.conf'"
        local setting
        for setting in ${settings[@]+"${settings[@]}"}; do echo "${setting%%=*} = '${setting#*=}'"; done
    } >>"$directory/data/postgresql.conf"
    start_on_free_port

    local super super_parley owner
    super=$(url postgres postgres)
    run_sql "$super" "create role parley_owner login createrole"
    run_sql "$super" "create database parley owner parley_owner"
    owner=$(url parley_owner parley)
    super_parley=$(url postgres parley)
    if [ "$install" = yes ]; then
        install_parley "$owner"
        # benchmarks measure without it
        [ "${PARLEY_WATCH:-on}" = off ] || psql -X -q -v ON_ERROR_STOP=1 -d "$super_parley" -f "$root/Tests/sql/known_events.psql" >&2
        run_sql "$super" "create role parley_test_worker login in role parley_worker"
    fi
    echo "export PARLEY_TEST_CLUSTER='$directory'"
    echo "export PARLEY_TEST_PGDATA='$directory/data'"
    echo "export PARLEY_TEST_DATABASE_URL='$owner'"
    echo "export PARLEY_WORKER_DATABASE_URL='$(url parley_test_worker parley)'"
    echo "export PARLEY_SUPERUSER_URL='$super_parley'"
}

# After a crash the pid in the file may be a zombie's, or already another process's: the arguments tell.
is_running() {
    local pid
    pid=$(postmaster)
    [ -n "$pid" ] && ps -o args= -p "$pid" | grep -qF -- "-D $directory/data"
}

postmaster() { head -1 "$directory/data/postmaster.pid" 2>/dev/null || true; }

# Children first would let the postmaster begin crash recovery by itself, so it goes first; orphans would keep the
# shared memory in use and make the next start fail, so they go with it.
kill9() {
    local pid children
    pid=$(postmaster)
    [ -n "$pid" ] || fail "the server is not running"
    # Stopped first: a child born between the listing and the kill would live on for a moment.
    kill -STOP "$pid"
    while [ "$(ps -o stat= -p "$pid" | cut -c1)" != T ]; do sleep 0.01; done
    children=$(ps -o pid= --ppid "$pid" || true)
    kill -9 "$pid"
    local child
    for child in $children; do kill -9 "$child" 2>/dev/null || true; done
    for child in $pid $children; do
        while kill -0 "$child" 2>/dev/null && [ "$(ps -o stat= -p "$child" | cut -c1)" != Z ]; do sleep 0.02; done
    done
    # All of them are dead. A zombie that nobody has reaped yet would still pass for a running postmaster.
    rm -f "$directory/data/postmaster.pid" "$directory"/.s.PGSQL.*
}

restart() {
    if is_running; then
        as_server "$(bindir)/pg_ctl" -D "$directory/data" -m fast -w stop >/dev/null
    fi
    start_server || { tail -20 "$directory/log" >&2; fail "the server did not start again"; }
}

stop() {
    as_server "$(bindir)/pg_ctl" -D "$directory/data" -m immediate -w stop >/dev/null 2>&1 || true
    case $directory in
        */parley-cluster.*) rm -rf "$directory" ;;
        *) fail "refusing to remove $directory" ;;
    esac
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
    start) start "$@" ;;
    stop | kill9 | restart) directory=$(cluster); "$command" ;;
    database)
        directory=$(cluster)
        run_sql "$(url postgres postgres)" "create database \"${1:?name of the database}\" owner parley_owner"
        url parley_owner "$1"
        ;;
    install) install_parley "${1:?URL of the database}" ;;
    *) sed -n '2,25s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
