#!/usr/bin/env bash
# The two doors, sql/install.sql and the extension: same schema, safe to repeat, safe in parallel, no superuser needed,
# and an upgrade of either keeps the data.
#
#   Tests/sql/doors.sh
#
# Makes a cluster of its own. The extension's files go to the server's share directory, which needs root or sudo; what
# was there before comes back in the end.
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

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n --preserve-env=PG_CONFIG "$@"; fi; }

work=$(mktemp -d "${TMPDIR:-/tmp}/parley-doors.XXXXXX")
chmod 755 "$work"
cleanup() {
    Tests/support/cluster.sh stop || true
    if [ -d "$work/found" ]; then
        as_root make -s uninstall
        if [ -n "$(ls "$work/found")" ]; then as_root cp -p "$work"/found/* "$extension_dir/"; fi
    fi
    rm -rf "$work"
}
trap cleanup EXIT
eval "$(Tests/support/cluster.sh start --no-install)"
base=${PARLEY_TEST_DATABASE_URL%/*}
super=${PARLEY_SUPERUSER_URL%/*}
psql() { command psql -X -q -v ON_ERROR_STOP=1 "$@"; }
database() { Tests/support/cluster.sh database "$1" >/dev/null; }
install() { psql -d "$1" -f "$work/${2:-present}/sql/install.sql"; }
dump() { pg_dump -s -n parley -n parley_api -d "$1" | grep -v '^--' | grep -v '^\\\(un\)\?restrict '; }
same() { diff "$1" "$2"; }
tree() { mkdir "$work/$1" && cp -r "${2:-$work/present}"/{Makefile,parley.control,policies,scripts,sql} "$work/$1/"; }
says() { # text command...: the command fails and its output contains the text
    local text=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "succeeded, but should have said: $text"
        return 1
    fi
    grep -qF -- "$text" <<<"$output" || { printf '%s\n' "$output"; return 1; }
}

tree present .
check "the manifest is current" scripts/manifest.sh --check

# psql door ------------------------------------------------------------------------------------------------------------
database psql_door
check "psql installs as an ordinary role with CREATEROLE" install "$base/psql_door"
dump "$base/psql_door" >"$work/psql.sql"
check "psql installs from any directory" bash -c "cd / && command psql -X -q -d '$base/psql_door' -f '$work/present/sql/install.sql'"
dump "$base/psql_door" >"$work/again.sql"
check "installing again changes nothing" same "$work/psql.sql" "$work/again.sql"
release=$(cat sql/VERSION)
closes() { # line database [tree]: what an installation says last, and all it says
    local said
    said=$(install "$base/$2" "${3:-present}")
    echo "$said"
    [ "$said" = "$1" ]
}
check "and says so" closes "Parley $release already current" psql_door
version_there() { [ "$(psql -At -d "$base/$1" -c "select parley.version()")" = "$2" ]; }
check "the database knows its version" version_there psql_door "$release"
overloads() {
    psql -d "$base/psql_door" -c "
        drop function parley_api.delete_message(uuid, boolean), parley.delete_message(uuid, boolean);
        create function parley.delete_message(message_id uuid) returns jsonb
        language sql begin atomic select null::jsonb; end;
        create function parley_api.delete_message(message_id uuid) returns jsonb
        language sql begin atomic select parley.delete_message(message_id); end;
        create function parley.not_of_parley() returns integer language sql begin atomic select 1; end;
        -- as an earlier release would have left them
        insert into parley.expected_object (kind, name, definition)
        select 'function', p.oid::regprocedure::text, '' from pg_proc as p where p.proname = 'delete_message'"
    psql -d "$base/psql_door" --set ON_ERROR_ROLLBACK=on -f "$work/present/sql/install.sql"
    # and once more, with a trigger of the host: what an installation has found is not its own
    psql -d "$base/psql_door" -c "
        create function public.of_the_host() returns trigger language plpgsql as 'begin return null; end';
        create trigger of_the_host after insert on parley.tenant for each row execute function public.of_the_host()"
    for _ in 1 2; do psql -d "$base/psql_door" -f "$work/present/sql/install.sql"; done
    [ "$(psql -At -d "$base/psql_door" -c "select parley.not_of_parley()")" = 1 ]
    psql -d "$base/psql_door" -c "drop trigger of_the_host on parley.tenant" -c "drop function public.of_the_host()"
    psql -d "$base/psql_door" -c "drop function parley.not_of_parley()"
    dump "$base/psql_door" >"$work/again.sql"
    same "$work/psql.sql" "$work/again.sql"
}
check "functions that have got more arguments since leave no overload, and others stay" overloads
stranger() {
    psql -d "$base/psql_door" -c "
        create function parley_api.delete_message(stranger integer) returns integer language sql begin atomic select 1; end"
    says "the function parley_api.delete_message(integer) is in the way" \
        command psql -X -q -d "$base/psql_door" -f "$work/present/sql/install.sql"
    [ "$(psql -At -d "$base/psql_door" -c "select parley_api.delete_message(7)")" = 1 ]
    psql -d "$base/psql_door" -c "drop function parley_api.delete_message(integer)"
}
check "somebody else's function of one of our names stops the installation" stranger
gone() {
    psql -d "$base/psql_door" -c "
        create function parley.of_a_release_before() returns integer language sql begin atomic select 1; end;
        insert into parley.expected_object (kind, name, definition) values ('function', 'parley.of_a_release_before()', '')"
    psql -d "$base/psql_door" -f "$work/present/sql/install.sql"
    dump "$base/psql_door" >"$work/again.sql"
    same "$work/psql.sql" "$work/again.sql"
}
check "a function that this release no longer has goes" gone
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
extension_dir=$(make -s extension-dir)
exec 9<"$extension_dir"
flock 9 # all servers of this machine share it, and so do all runs of this test
mkdir "$work/found"
find "$extension_dir" -name 'parley.control' -o -name 'parley--*.sql' | xargs -r cp -pt "$work/found"
as_root make -s uninstall
place() { as_root make -s -C "$work/$1" install; }
check "make install" place present
database extension_door
check "create extension and migrate as an ordinary role" \
    psql -d "$base/extension_door" -c "create extension parley" -c "select * from parley_ext.migrate()"
user=11111111-1111-4111-8111-111111111111
names_its_user() {
    [ "$(psql -At -d "$base/extension_door" -c "set parley.user_id = '$user'" -c "select parley.current_user_id()")" = "$user" ]
}
check "which may name its user itself, though it made the role of the workers" names_its_user
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

# One file, for what knows no commands of psql --------------------------------------------------------------------------
"$work/present/scripts/extension.sh" file >"$work/parley.sql"
one_file() { psql -o /dev/null -d "$1" <"$work/parley.sql"; }
without_commands() { ! grep -n '^\\' "$work/parley.sql"; }
check "the one file has no command of psql" without_commands
database one_file
check "it installs" one_file "$base/one_file"
dump "$base/one_file" >"$work/again.sql"
check "and gives the same schema" same "$work/psql.sql" "$work/again.sql"
ledger "$base/one_file" >"$work/ledger.one_file"
check "and the same ledger" same "$work/ledger.psql" "$work/ledger.one_file"
check "it installs again" one_file "$base/one_file"
check "and so does the psql door" closes "Parley $release already current" one_file
dump "$base/one_file" >"$work/again.sql"
check "and the schema is still the same" same "$work/psql.sql" "$work/again.sql"
check "it refuses while the extension is there" says "this database uses the extension door" one_file "$base/extension_door"
settings() {
    local door
    for door in install one_file; do
        database "settings_$door"
        PGOPTIONS='-c standard_conforming_strings=off -c quote_all_identifiers=on -c search_path=nowhere' $door "$base/settings_$door"
        dump "$base/settings_$door" >"$work/again.sql"
        same "$work/psql.sql" "$work/again.sql"
    done
}
check "settings of a session change nothing" settings

members() {
    local kinds
    kinds=$(psql -At -d "$1" -c "
        select string_agg(d, ', ' order by d)
        from (select pg_describe_object(classid, objid, 0) d from pg_depend where refobjid = (select oid from pg_extension where extname = 'parley') and deptype = 'e'
                and classid <> 'pg_type'::regclass) m") # a table's types are members only from PostgreSQL 18 on
    echo "$kinds"
    [ "$kinds" = "function parley_ext.migrate(), table parley_ext.file" ]
}
check "the extension owns its texts and its function, no data" members "$base/extension_door"

# Data of the schema survives the ways it travels ----------------------------------------------------------------------
fill() {
    psql -d "$1" -c "insert into parley.account (id, tier_name, display_name) values ('$user', 'free', 'Ann')" \
        -c "insert into parley.event (user_id, kind) values ('$user', 'test:kept')"
}
fill "$base/extension_door"
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

# Every release there was -----------------------------------------------------------------------------------------------
# Tests/upgrade/<version>.sql.gz is what `make sql` printed at that release. The ledger refuses a migration that is
# another than the one the release had.
talk() {
    psql -o /dev/null -d "$1" <<SQL
select set_config('request.jwt.claims', '{"sub": "$bob", "role": "authenticated"}', false);
select parley_api.start_conversation(participant_ids => array['$eve'::uuid], message => 'kept');
SQL
}
upgrade_from() { # version
    local name=from_${1//./_}
    local url=$base/$name
    database "$name"
    gunzip -c "Tests/upgrade/$1.sql.gz" | psql -o /dev/null -d "$url"
    fill "$url"
    psql -d "$url" -c "insert into parley.account (id, tier_name) values ('$bob', 'privileged'), ('$eve', 'free')"
    talk "$url"
    install "$url"
    kept "$url"
    unchanged "$url"
    dump "$url" >"$work/$name.sql"
    same "$work/psql.sql" "$work/$name.sql"
    # and who wrote then goes on where they were
    talk "$url"
    [ "$(psql -At -d "$url" -c "select string_agg(content, ' ' order by seq) from parley.message")" = "kept kept" ]
}
bob=22222222-2222-4222-8222-222222222222
eve=33333333-3333-4333-8333-333333333333
for released in Tests/upgrade/*.sql.gz; do
    version=$(basename "$released" .sql.gz)
    check "an upgrade from $version keeps the data, and gives the schema of a new installation" upgrade_from "$version"
done

# Newer versions of the extension --------------------------------------------------------------------------------------
# `present` is this checkout, `next` has one more migration and function, `last` only another text of that function.
# `release` is made of the same texts, and so has their version alone.
tree release
sed -i "s/^released=(/&$("$work/present/scripts/extension.sh" version) /" "$work/release/scripts/extension.sh"
tree next "$work/release"
echo 9.0.0 >"$work/next/sql/VERSION"
cat >"$work/next/sql/migrations/9000_shoes.sql" <<'SQL'
alter table parley.account add column shoe_size integer;
update parley.account set shoe_size = 42;
SQL
cat >"$work/next/sql/functions/accounts/shoes.sql" <<'SQL'
create or replace function parley.shoe_size(account_id uuid)
returns integer
language sql
begin atomic select a.shoe_size from parley.account as a where a.id = account_id; end;
SQL
python3 "$work/next/scripts/generate_sql.py"
"$work/next/scripts/manifest.sh"
tree last "$work/next"
sed -i 's/select a.shoe_size/select a.shoe_size + 1/' "$work/last/sql/functions/accounts/shoes.sql"
version() { "$work/$1/scripts/extension.sh" version; }
update() { psql -d "$1" -c "alter extension parley update" -c "select * from parley_ext.migrate()"; }
created() { # database version
    database "$1"
    psql -o /dev/null -d "$base/$1" -c "create extension parley version '$2'" -c "select * from parley_ext.migrate()"
    fill "$base/$1"
}
is_at() { # database tree
    [ "$(psql -At -d "$base/$1" -c "select extversion from pg_extension where extname = 'parley'")" = "$(version "$2")" ]
    dump "$base/$1" >"$work/$1.sql"
    same "$work/$2.sql" "$work/$1.sql"
    ledger "$base/$1" >"$work/ledger.$1"
    same "$work/ledger.$2" "$work/ledger.$1"
    members "$base/$1"
    unchanged "$base/$1"
    kept "$base/$1"
}

versions_differ() {
    local versions
    versions=$(for t in present next last; do version "$t"; done)
    echo "$versions"
    [ "$(sort -u <<<"$versions" | wc -l)" = 3 ]
    [ "$(version release)" = "$release" ]
    [ "$(version present)" = "$(scripts/extension.sh version)" ] # of its content, wherever that lies
}
check "another text is another version, the same texts are the same" versions_differ
for t in present next last; do
    database "fresh_$t"
    install "$base/fresh_$t" "$t"
    dump "$base/fresh_$t" >"$work/$t.sql"
    ledger "$base/fresh_$t" >"$work/ledger.$t"
done
place release >/dev/null
for db in stepped leaped; do created "$db" "$(version present)"; done
for db in first packaged; do created "$db" "$release"; done

place next >/dev/null
created unknown "$(version next)"
psql -d "$base/stepped" -c "alter extension parley update"
dump "$base/stepped" >"$work/again.sql"
check "alter extension update alone leaves the schema as it is" same "$work/present.sql" "$work/again.sql"
migrated() { [ "$(psql -At -d "$base/stepped" -c "select * from parley_ext.migrate()")" = 9000_shoes ]; }
check "and then migrate() applies the new migration" migrated
check "and gives the schema of the psql door, the new version, and keeps the data" is_at stepped next
sized() { [ "$(psql -At -d "$1" -c "select parley.shoe_size('$user')")" = "$2" ]; }
check "the migration met the data" sized "$base/stepped" 42
check "a new database gets the newest version at once" bash -c "
    Tests/support/cluster.sh database newest >/dev/null
    command psql -X -q -v ON_ERROR_STOP=1 -d '$base/newest' -c 'create extension parley' -c 'select * from parley_ext.migrate()'"

place last >/dev/null
check "a version without a new migration updates too" update "$base/stepped"
check "from the version before" is_at stepped last
check "and brings the new function" sized "$base/stepped" 43
check "a version may be left out" update "$base/leaped"
check "with the same result" is_at leaped last
check "a released version updates" update "$base/first"
check "with the same result as any other" is_at first last
check "updating again changes nothing" update "$base/first"
check "and all is still the same" is_at first last

place present >/dev/null
psql -d "$base/stepped" -c "alter extension parley update"
check "an older version is refused" \
    says "installed by a newer Parley (migration 9000_shoes)" psql -d "$base/stepped" -c "select parley_ext.migrate()"

package() {
    as_root make -s uninstall
    make -s -C "$work/last" install DESTDIR="$work/stage"
    as_root cp "$work/stage$extension_dir"/* "$extension_dir/"
}
check "a package takes the files of the one before away" package
check "and updates from a released version" update "$base/packaged"
check "with the same result as make install" is_at packaged last
check "a version it does not know has no way" says "has no update path" update "$base/unknown"
anew() {
    psql -d "$1" -1 -c "drop extension parley" -c "create extension parley" -c "select * from parley_ext.migrate()"
}
check "but dropping and creating the extension, in one transaction" anew "$base/unknown"
check "is the same as an update" is_at unknown last
check "and so it is where the way was there" anew "$base/stepped"
check "even from an older version" is_at stepped last

# Refusals -------------------------------------------------------------------------------------------------------------
tree edited
first=$(basename "$(ls sql/migrations/*.sql | head -1)" .sql)
echo "-- edited" >>"$work/edited/sql/migrations/$first.sql"
"$work/edited/scripts/manifest.sh"
check "a migration edited after it was applied is refused by name" \
    says "sql/migrations/$first.sql was changed after it had been applied" install "$base/across1" edited
says_current() { [ "$(ledger "$base/across1")" = "$(cat "$work/ledger.psql")" ]; }
check "and the ledger is as before" says_current
# All that counts of a database of before is its ledger, which began with another name.
of_before() { psql -d "$base/$1" -c "update parley.migration set name = '0001_accounts', sha256 = repeat('0', 64) where version = 1"; }
before="installed by a Parley from before 0.2.0 (migration 0001_accounts)"
of_before across3
check "a database from before the first release is refused by name" says "$before" install "$base/across3"
check "with what to do" says "drop schema parley, parley_api cascade" install "$base/across3"
of_before stepped
check "by the extension door too" says "$before" psql -d "$base/stepped" -c "select parley_ext.migrate()"
advised() {
    psql -d "$base/across3" -c "drop schema parley, parley_api cascade"
    closes "Parley $release installed" across3
    dump "$base/across3" >"$work/again.sql"
    same "$work/psql.sql" "$work/again.sql"
}
check "and what it says makes it a database like any other" advised
check "an upgrade says from which version to which" closes "Parley 9.0.0 installed, upgraded from $release" across3 next
psql -d "$base/across2" -c "insert into parley.migration (version, name, sha256, breaking) values (9000, '9000_future', repeat('0', 64), false)"
check "a database of a newer release is refused" says "installed by a newer Parley (migration 9000_future)" install "$base/across2"
inherits_nothing() {
    psql -d "$super/postgres" -c "create role member_of_owner login noinherit in role parley_owner"
    says "schema parley belongs to parley_owner, install as that role" install "${base/parley_owner/member_of_owner}/across1"
}
check "a member of the owner that inherits nothing is refused" inherits_nothing
database no_ledger
psql -d "$base/no_ledger" -c "create schema parley" -c "create table parley.account (id int)"
check "a schema of that name without a ledger is refused" says "no ledger" install "$base/no_ledger"
latin() {
    psql -d "$super/postgres" -c "create database latin owner parley_owner template template0 encoding 'SQL_ASCII' locale 'C'"
    says "encoding UTF8" install "$base/latin"
}
check "an encoding other than UTF8 is refused" latin
# Letters are then those of ASCII alone, unless an expression says otherwise.
plain_letters() {
    psql -d "$super/postgres" -c "create database plain_letters owner parley_owner template template0 encoding 'UTF8' locale 'C'"
    install "$base/plain_letters"
    # р and а are Cyrillic, as is all of the second host; the field begins with a blank that does not break
    psql -d "$base/plain_letters" -At >"$work/letters" <<'SQL'
select (parley.links_of('see http://раypal.com/x'))[1].host, (parley.links_of('see www.Пример.com'))[1].host;
select parley.csv_field(E'\u00a0=1') like '"''%', parley.fold_name('ΣΊΣΥΦΟΣ');
SQL
    same - "$work/letters" <<'TEXT'
раypal.com|www.пример.com
t|σισυφοσ
TEXT
}
check "what is a letter does not depend on the database's locale" plain_letters
defaults() {
    database defaults
    psql -d "$base/defaults" -c "alter default privileges grant execute on functions to anon, authenticated"
    says "give every new function or table to anon, authenticated" install "$base/defaults"
    psql -d "$base/defaults" -c "alter default privileges revoke execute on functions from anon, authenticated"
    install "$base/defaults"
}
check "default privileges that would give clients the functions of the host are refused" defaults
broken() {
    database broken
    tree broken
    echo "select 1/0;" >"$work/broken/sql/migrations/8000_broken.sql"
    "$work/broken/scripts/manifest.sh"
    says "division by zero" install "$base/broken" broken
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
    psql -d "$super/postgres" -c "create database advice owner plain_owner"
    psql -d "$base/postgres" -c "revoke service_role from parley_worker" # as who granted it
    output=$(install "$url" 2>&1)
    psql -d "$base/postgres" -c "grant service_role to parley_worker"
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
