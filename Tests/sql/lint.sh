#!/usr/bin/env bash
# Linters of the SQL files: sqlfluff (layout), squawk (what hurts when a migration runs on a live database) and
# plpgsql_check (what only fails when it runs). One line each: `ok - ...` or `not ok - ...`.
# The tools come from .venv (scripts/setup.sh test) or the PATH; plpgsql_check is an extension of the server.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH=$PWD/.venv/bin:$PATH

passed=0 failed=0
check() { # name command...
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok - $name"
        passed=$((passed + 1))
    else
        echo "not ok - $name"
        printf '%s\n' "$output" | tail -40 | sed 's/^/# /'
        failed=$((failed + 1))
    fi
}

check "the generated SQL is current" python3 scripts/generate_sql.py --check
check "the manifest is current" scripts/manifest.sh --check
check "sqlfluff" sqlfluff lint --nocolor --processes 2 \
    sql/migrations sql/functions sql/api policies sql/bootstrap.sql sql/replaced.sql sql/wanted*.sql \
    sql/finish.sql sql/migrate.sql
# Migrations run in one transaction with a lock timeout set by the door. 32 bits are enough for a rank, a period and a
# revision; the domains' constraints are part of the first version and not to be changed on a live database.
check "squawk" squawk --assume-in-transaction --pg-version=15.0 --include=require-table-schema \
    --exclude=prefer-robust-stmts,require-lock-timeout,require-statement-timeout \
    --exclude=prefer-bigint-over-int,ban-create-domain-with-constraint \
    sql/migrations/*.sql

# What locks a table or view is made in the schema parley_wanted (sql/wanted.sql), and changes only what differs.
check "no file that is applied again locks a table" bash -c '
    ! grep -nE "^(alter|drop|create (or replace )?(view|table) parley(_api)?\.|(after|before|instead) .* on parley\.|(create policy|grant .* on table) .*parley(_api)?\.)" \
        -r sql/functions sql/api policies --include=*.sql'

eval "$(Tests/support/cluster.sh start)"
trap 'Tests/support/cluster.sh stop' EXIT
psql() { command psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# The first installation does not look into bodies, because files may use what later files define. Now all is there.
bodies() { PGOPTIONS='-c parley.check_bodies=on' Tests/support/cluster.sh install "$PARLEY_TEST_DATABASE_URL"; }
check "every function body is valid" bodies

plpgsql_check() {
    local findings
    psql -d "$PARLEY_SUPERUSER_URL" -c "set client_min_messages = warning; create extension if not exists plpgsql_check"
    [ "$(psql -d "$PARLEY_SUPERUSER_URL" -c "
        select count(*) from pg_proc p inner join pg_language l on l.oid = p.prolang
        where l.lanname = 'plpgsql' and p.pronamespace = 'parley'::regnamespace")" -gt 10 ]
    findings=$(psql -d "$PARLEY_SUPERUSER_URL" -f Tests/sql/plpgsql_check.psql)
    printf '%s\n' "$findings"
    [ -z "$findings" ]
}
check "plpgsql_check" plpgsql_check

check "each folder of functions calls only folders before it, and no files in a circle" \
    python3 Tests/sql/graph.py "$PARLEY_SUPERUSER_URL"

# One concept a file. The generated files are lists.
# messages/write.sql is one function, because a call costs a fiftieth of a send
check "no file of functions is longer than 300 lines" bash -c '
    ! wc -l sql/functions/*/*.sql | awk "\$2 != \"total\" && \$1 > (\$2 ~ /messages.write.sql/ ? 345 : 300)" | grep .'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
