#!/usr/bin/env bash
# A database installed on PostgreSQL 15, dumped and restored into a newer server: PARLEY_PG_BINDIR=... Tests/sql/carried.sh
# Makes two clusters of its own. Prints `ok - name` or `not ok - name`, and `N passed, M failed` at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${PARLEY_PG_BINDIR:?the programs of the newer server}"
old_bindir=/usr/lib/postgresql/15/bin

passed=0 failed=0
check() { # name command...
    local name=$1 output status
    shift
    set +e
    output=$(set -e; "$@" 2>&1)
    status=$?
    set -e
    if [ $status -eq 0 ]; then
        echo "ok - $name" && passed=$((passed + 1))
    else
        echo "not ok - $name" && failed=$((failed + 1))
        printf '%s\n' "$output" | tail -20 | sed 's/^/# /'
    fi
}

work=$(mktemp -d "${TMPDIR:-/tmp}/parley-carried.XXXXXX")
clusters=()
cleanup() {
    local cluster
    for cluster in "${clusters[@]}"; do PARLEY_TEST_CLUSTER=$cluster Tests/support/cluster.sh stop || true; done
    rm -rf "$work"
}
trap cleanup EXIT
psql() { command psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }
# names of not null constraints, which 18 has and 15 not, differ between partitions restored and made; the collation is the
# best that a server has
dump() { pg_dump -s -n parley -n parley_api -d "$1" | grep -v '^--' | grep -v '^CREATE COLLATION parley.unicode ' | grep -v '^\\\(un\)\?restrict ' | sed 's/ CONSTRAINT [^ ]*_not_null NOT NULL/ NOT NULL/'; }

# schemas are compared: that of the tests has no place in them
export PARLEY_WATCH=off
eval "$(PARLEY_PG_BINDIR=$old_bindir Tests/support/cluster.sh start --no-install)"
clusters+=("$PARLEY_TEST_CLUSTER")
old=$PARLEY_TEST_DATABASE_URL
# the newer servers here are built without ICU, and would take no dump with one of its collations
psql -d "$PARLEY_SUPERUSER_URL" -c 'drop collation pg_catalog."und-x-icu"'
PARLEY_PG_BINDIR=$old_bindir Tests/support/cluster.sh install "$old"
psql -d "$old" -c "insert into parley.account (id, tier_name, display_name)
    values ('11111111-1111-4111-8111-111111111111', 'free', 'Ann')"
# by the old program: 15 notes pg_attver in the options of columns since a minor release, which others may not know
"$old_bindir/pg_dump" -Fc -d "$old" >"$work/dump"

eval "$(Tests/support/cluster.sh start)" # installs, which makes the roles
clusters+=("$PARLEY_TEST_CLUSTER")
fresh=$PARLEY_TEST_DATABASE_URL
url=$(Tests/support/cluster.sh database carried)

differences() { psql -d "$url" -c "select kind, name, state from parley.catalog_differences()"; }
major=$(psql -d "$url" -c "select current_setting('server_version_num')::integer / 10000")
only_the_server() { diff <(echo "server|PostgreSQL $major|$1") <(differences); }
none() { diff /dev/null <(differences); }
same_schema() { diff <(dump "$fresh") <(dump "$url"); }
kept() { [ "$(psql -d "$url" -c "select count(*) from parley.account where display_name = 'Ann'")" = 1 ]; }

check "a dump of PostgreSQL 15 is restored on $major" pg_restore --no-owner -1 -d "$url" "$work/dump"
until_installed='installed on 15: definitions are not compared until Parley is installed again'
check "the one difference is the server" only_the_server "$until_installed"
lost_grant() {
    psql -d "$url" -c "begin" -c "revoke execute on function parley_api.sync(text) from authenticated" \
        -c "select kind, name, state from parley.catalog_differences() where kind <> 'server'" -c "rollback" |
        diff <(echo 'grant|execute on routine parley_api.sync(text) to authenticated|missing') -
}
check "a lost grant is a difference at once" lost_grant
check "it installs again" psql -d "$url" -f sql/install.sql
check "and there is no difference" none
changed_view() {
    psql -d "$url" -c "begin" -c "alter view parley_api.messages set (security_invoker = false)" \
        -c "select kind, name, state from parley.catalog_differences()" -c "rollback" |
        diff <(echo 'view|parley_api.messages|changed') -
}
check "a changed view is one" changed_view
check "the schema is that of a new installation" same_schema
check "the data is there" kept
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
