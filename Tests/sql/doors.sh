#!/usr/bin/env bash
# The two doors, sql/install.sql and the extension: same schema, safe to repeat, safe in parallel, no superuser needed.
#
#   Tests/sql/doors.sh
#
# Makes a cluster of its own. The extension's files go to the server's share directory, which needs root or sudo; they
# are removed again unless they were there before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

passed=0 failed=0
ok() { echo "ok - $1"; passed=$((passed + 1)); }
not_ok() { echo "not ok - $1"; failed=$((failed + 1)); }
check() { # name command...
    local name=$1 output status
    shift
    set +e # inside `if` bash would ignore every failure but the last one's
    output=$(set -e; "$@" 2>&1)
    status=$?
    set -e
    if [ $status -eq 0 ]; then ok "$name"; else not_ok "$name"; printf '%s\n' "$output" | tail -20 | sed 's/^/# /'; fi
}

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)

work=$(mktemp -d "${TMPDIR:-/tmp}/parley-doors.XXXXXX")
chmod 755 "$work"
cleanup() {
    Tests/support/cluster.sh stop || true
    rm -rf "$work"
    if [ "${placed:-no}" = yes ]; then ${as_root[@]+"${as_root[@]}"} make -s uninstall; fi
}
trap cleanup EXIT
eval "$(Tests/support/cluster.sh start --no-install)"
base=${PARLEY_TEST_DATABASE_URL%/*}
super=${PARLEY_SUPERUSER_URL%/*}
psql() { command psql -X -q -v ON_ERROR_STOP=1 "$@"; }
database() { Tests/support/cluster.sh database "$1" >/dev/null; }
install() { psql -d "$1" -f "${2:-.}/sql/install.sql"; }
dump() { pg_dump -s -n parley -n parley_api -d "$1" | grep -v '^--' | grep -v '^\\\(un\)\?restrict '; }
same() { diff "$1" "$2"; }
says() { # text command...: the command fails and its output contains the text
    local text=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "succeeded, but should have said: $text"
        return 1
    fi
    grep -qF -- "$text" <<<"$output" || { printf '%s\n' "$output"; return 1; }
}

check "the manifest is current" scripts/manifest.sh --check

# psql door ------------------------------------------------------------------------------------------------------------
database psql_door
check "psql installs as an ordinary role with CREATEROLE" install "$base/psql_door"
dump "$base/psql_door" >"$work/psql.sql"
check "psql installs from any directory" bash -c "cd / && command psql -X -q -d '$base/psql_door' -f '$PWD/sql/install.sql'"
dump "$base/psql_door" >"$work/again.sql"
check "installing again changes nothing" same "$work/psql.sql" "$work/again.sql"
overloads() {
    psql -d "$base/psql_door" -c "
        drop function parley_api.delete_message(uuid, boolean), parley.delete_message(uuid, boolean);
        create function parley.delete_message(message_id uuid) returns jsonb
        language sql begin atomic select null::jsonb; end;
        create function parley_api.delete_message(message_id uuid) returns jsonb
        language sql begin atomic select parley.delete_message(message_id); end;
        create function parley.not_of_parley() returns integer language sql begin atomic select 1; end"
    psql -d "$base/psql_door" --set ON_ERROR_ROLLBACK=on -f sql/install.sql
    [ "$(psql -At -d "$base/psql_door" -c "select parley.not_of_parley()")" = 1 ]
    psql -d "$base/psql_door" -c "drop function parley.not_of_parley()"
    dump "$base/psql_door" >"$work/again.sql"
    same "$work/psql.sql" "$work/again.sql"
}
check "functions that have got more arguments since leave no overload, and others stay" overloads
holds_data() { [ "$(psql -At -d "$base/psql_door" -c "select count(*) > 1 from pg_tables where schemaname = 'parley'")" = t ]; }
check "the schema is not empty" holds_data

twenty() {
    database parallel
    local pids=() i rc=0
    for i in $(seq 20); do install "$base/parallel" & pids+=($!); done
    for i in "${pids[@]}"; do wait "$i" || rc=1; done
    return $rc
}
check "twenty parallel installs into one database succeed" twenty
dump "$base/parallel" >"$work/parallel.sql"
check "and give the same schema" same "$work/psql.sql" "$work/parallel.sql"

across() {
    # roles belong to the cluster: installs into different databases meet there, and only there
    psql -d "$super/postgres" -c "drop database psql_door" -c "drop database parallel"
    psql -d "$super/postgres" -c "drop role parley_worker" -c "drop role anon" -c "drop role authenticated" -c "drop role service_role"
    local pids=() i rc=0
    for i in $(seq 8); do database "across$i"; done
    for i in $(seq 8); do install "$base/across$i" & pids+=($!); done
    for i in "${pids[@]}"; do wait "$i" || rc=1; done
    return $rc
}
check "eight installs into different databases race for the roles and succeed" across

# Extension door -------------------------------------------------------------------------------------------------------
if [ ! -e "$(make -s extension-dir)/parley.control" ]; then placed=yes; fi
make -s extension
check "make install" ${as_root[@]+"${as_root[@]}"} make -s install
database extension_door
check "create extension and migrate as an ordinary role" \
    psql -d "$base/extension_door" -c "create extension parley" -c "select * from parley_ext.migrate()"
dump "$base/extension_door" >"$work/extension.sql"
check "both doors give the same schema" same "$work/psql.sql" "$work/extension.sql"
ledger() { psql -At -d "$1" -c "select version, name, sha256, breaking from parley.migration order by 1"; }
ledger "$base/across1" >"$work/ledger.psql"
ledger "$base/extension_door" >"$work/ledger.extension"
check "both doors write the same ledger" same "$work/ledger.psql" "$work/ledger.extension"
check "migrating again changes nothing" psql -d "$base/extension_door" -c "select * from parley_ext.migrate()"
dump "$base/extension_door" >"$work/again.sql"
check "and the schema is still the same" same "$work/psql.sql" "$work/again.sql"
check "the psql door refuses while the extension is there" \
    says "this database uses the extension door" install "$base/extension_door"

members() {
    local kinds
    kinds=$(psql -At -d "$base/extension_door" -c "
        select string_agg(d, ', ' order by d)
        from (select pg_describe_object(classid, objid, 0) d from pg_depend where refobjid = (select oid from pg_extension where extname = 'parley') and deptype = 'e') m")
    echo "$kinds"
    [ "$kinds" = "function parley_ext.migrate(), table parley_ext.file" ]
}
check "the extension owns its texts and its function, no data" members

# Data of the schema survives the ways it travels ----------------------------------------------------------------------
user=11111111-1111-4111-8111-111111111111
psql -d "$base/extension_door" -c "insert into parley.account (id, tier_name, display_name) values ('$user', 'free', 'Ann')" \
    -c "insert into parley.event (user_id, kind) values ('$user', 'test:kept')"
restore() { # from to
    database "$2"
    pg_dump -Fc -d "$base/$1" >"$work/$1.dump"
    pg_restore --no-owner -1 -d "$base/$2" "$work/$1.dump"
}
kept() { [ "$(psql -At -d "$1" -c "select count(*) from parley.account a, parley.event e where a.id = '$user' and e.user_id = a.id")" = 1 ]; }
check "dump and restore of the extension door, in one transaction, as an ordinary role" restore extension_door restored_extension
check "the restored database has the data" kept "$base/restored_extension"
unchanged() {
    local differences
    differences=$(psql -At -d "$1" -c "select * from parley.catalog_differences()")
    echo "$differences"
    [ -z "$differences" ]
}
check "and is as installed, which doctor says too" unchanged "$base/restored_extension"
check "and migrates again" psql -d "$base/restored_extension" -c "select * from parley_ext.migrate()"
dump "$base/restored_extension" >"$work/restored.sql"
check "and has the same schema" same "$work/psql.sql" "$work/restored.sql"
check "drop extension" psql -d "$base/extension_door" -c "drop extension parley"
check "leaves the data in place" kept "$base/extension_door"
check "and opens the psql door" install "$base/extension_door"
check "dump and restore of the psql door" restore extension_door restored_psql
check "with its data" kept "$base/restored_psql"
check "and installs again" install "$base/restored_psql"

# Refusals -------------------------------------------------------------------------------------------------------------
cp -r sql policies scripts "$work/"
first=$(basename "$(ls sql/migrations/*.sql | head -1)" .sql)
echo "-- edited" >>"$work/sql/migrations/$first.sql"
"$work/scripts/manifest.sh"
check "a migration edited after it was applied is refused by name" \
    says "sql/migrations/$first.sql was changed after it had been applied" install "$base/across1" "$work"
says_current() { [ "$(ledger "$base/across1")" = "$(cat "$work/ledger.psql")" ]; }
check "and the ledger is as before" says_current
psql -d "$base/across2" -c "insert into parley.migration (version, name, sha256, breaking) values (9000, '9000_future', repeat('0', 64), false)"
check "a database of a newer release is refused" says "installed by a newer Parley (migration 9000_future)" install "$base/across2"
database no_ledger
psql -d "$base/no_ledger" -c "create schema parley" -c "create table parley.account (id int)"
check "a schema of that name without a ledger is refused" says "no ledger" install "$base/no_ledger"
latin() {
    psql -d "$super/postgres" -c "create database latin owner parley_owner template template0 encoding 'SQL_ASCII' locale 'C'"
    says "encoding UTF8" install "$base/latin"
}
check "an encoding other than UTF8 is refused" latin
defaults() {
    database defaults
    psql -d "$base/defaults" -c "alter default privileges grant execute on functions to anon, authenticated"
    says "give every new function to anon, authenticated" install "$base/defaults"
    psql -d "$base/defaults" -c "alter default privileges revoke execute on functions from anon, authenticated"
    install "$base/defaults"
}
check "default privileges that would give clients the functions of the host are refused" defaults
broken() {
    database broken
    cp -r "$work" "$work.broken"
    echo "select 1/0;" >"$work.broken/sql/migrations/8000_broken.sql"
    "$work.broken/scripts/manifest.sh"
    says "division by zero" install "$base/broken" "$work.broken"
    rm -rf "$work.broken"
    [ "$(psql -At -d "$base/broken" -c "select count(*) from pg_namespace where nspname like 'parley%'")" = 0 ]
}
check "a failing migration leaves nothing behind" broken

# A database shaped like Supabase's: roles exist, the installing role is no superuser, schema auth is somebody else's ---
supabase() {
    psql -d "$super/postgres" <<'SQL'
create role supabase_auth_admin nologin noinherit createrole;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
alter role service_role bypassrls;
create role supabase_owner login createrole createdb bypassrls;
grant anon, authenticated, service_role to supabase_owner;
create database supabase owner supabase_owner;
SQL
    psql -d "$super/supabase" <<'SQL'
create schema auth authorization supabase_auth_admin;
create table auth.users (id uuid primary key);
create function auth.uid() returns uuid language sql stable as 'select null::uuid';
alter function auth.uid() owner to supabase_auth_admin;
create schema extensions;
alter database supabase set search_path = public, extensions;
SQL
    local url=${base/parley_owner/supabase_owner}/supabase
    install "$url" && install "$url" && dump "$url" | sed 's/supabase_owner/parley_owner/g' >"$work/supabase.sql"
    same "$work/psql.sql" "$work/supabase.sql"
    [ "$(psql -At -d "$url" -c "select count(*) from pg_depend d join pg_namespace n on n.oid = d.refobjid where n.nspname = 'auth'")" = 2 ]
}
check "a Supabase-shaped database gets the same schema and its schema auth is left alone" supabase

no_createrole() {
    psql -d "$super/postgres" -c "create role plain_owner login" -c "create database plain owner plain_owner"
    local url=${base/parley_owner/plain_owner}/plain
    install "$url"
}
check "where the roles exist, the installing role needs no CREATEROLE" no_createrole

advice() {
    local url=${base/parley_owner/plain_owner}/advice output
    psql -d "$super/postgres" -c "create database advice owner plain_owner" -c "revoke service_role from parley_worker"
    output=$(install "$url" 2>&1)
    psql -d "$super/postgres" -c "grant service_role to parley_worker"
    grep -qF "Ask a DBA to run: grant service_role to parley_worker" <<<"$output"
}
check "a membership it may not grant becomes advice for the DBA" advice

missing_role() {
    local db
    for db in $(psql -At -d "$super/postgres" -c "select datname from pg_database where datname not in ('postgres', 'template0', 'template1')"); do
        psql -d "$super/postgres" -c "drop database \"$db\""
    done
    psql -d "$super/postgres" -c "drop role parley_worker" -c "create database bare owner plain_owner"
    says "Ask a DBA to run: create role parley_worker nologin noinherit" install "${base/parley_owner/plain_owner}/bare"
}
check "a role it may not create stops it, with the command for the DBA" missing_role

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
