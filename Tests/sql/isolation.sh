#!/usr/bin/env bash
# Races, forced step by step with PostgreSQL's isolationtester: Tests/sql/isolation.sh [--accept] [spec...]
# Each Tests/sql/isolation/<name>.spec must give exactly isolation/expected/<name>.out; each permutation in it is a test.
# --accept writes the expected files instead: read what changed before committing it.
# Makes a cluster of its own and removes it. Prints `ok - name` or `not ok - name`, and `N passed, M failed` at the end.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cluster=$root/Tests/support/cluster.sh

accept=no
if [ "${1:-}" = --accept ]; then accept=yes; shift; fi
if [ $# -eq 0 ]; then
    mapfile -t names < <(cd "$here/isolation" && LC_ALL=C ls ./*.spec | sed 's|^\./||; s|\.spec$||')
    set -- "${names[@]}"
fi

# the newest installed version, as cluster.sh takes the newest server
tester=$(ls -d /usr/lib/postgresql/*/lib/pgxs/src/test/isolation/isolationtester 2>/dev/null | sort -t/ -k5 -n | tail -1)
[ -x "$tester" ] || { echo "isolation.sh: no isolationtester; install postgresql-server-dev" >&2; exit 2; }

output=$(mktemp -d)
cleanup() {
    [ -z "${PARLEY_TEST_CLUSTER:-}" ] || "$cluster" stop
    rm -rf "$output"
}
unset PARLEY_TEST_CLUSTER
trap cleanup EXIT
eval "$("$cluster" start)"
psql -X -q -v ON_ERROR_STOP=1 -d "$PARLEY_SUPERUSER_URL" -f "$here/isolation/setup.psql"

# The tests of an output are its permutations; `starting permutation: a b c` is the name of one. Splits a file into one
# file per permutation, in a directory.
split() { # output directory
    mkdir -p "$2"
    awk -v dir="$2" '
        /^starting permutation: / { n++; print substr($0, 23) > (dir "/" n ".name") }
        { print > (dir "/" n + 0 ".out") }
    ' "$1"
}

passed=0 failed=0
for name in "$@"; do
    # -c wins over the environment: messages in English, times in UTC
    status=0
    PGOPTIONS='-c lc_messages=C -c timezone=UTC -c client_min_messages=warning' \
        "$tester" "$PARLEY_SUPERUSER_URL" <"$here/isolation/$name.spec" >"$output/$name.out" 2>"$output/$name.err" || status=$?
    if [ "$accept" = yes ]; then cp "$output/$name.out" "$here/isolation/expected/$name.out"; fi
    split "$output/$name.out" "$output/$name.got"
    split "$here/isolation/expected/$name.out" "$output/$name.want"
    if [ $status -ne 0 ]; then
        cat "$output/$name.err"
        echo "not ok - $name: isolationtester ended with $status"
        failed=$((failed + 1))
        continue
    fi
    for want in "$output/$name.want"/*.name; do
        test=$name/$(sed 's/ /,/g' "$want")
        number=$(basename "$want" .name)
        if diff -u "$output/$name.want/$number.out" "$output/$name.got/$number.out" >"$output/diff" 2>&1; then
            echo "ok - $test"
            passed=$((passed + 1))
        else
            cat "$output/diff"
            echo "not ok - $test"
            failed=$((failed + 1))
        fi
    done
    if ! diff -q <(cat "$output/$name.got"/*.name | sort) <(cat "$output/$name.want"/*.name | sort) >/dev/null; then
        echo "not ok - $name: the spec and its expected file have different permutations"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
