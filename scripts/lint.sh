#!/usr/bin/env bash
# Checks of style and of the tree itself. One line each: `ok - ...` or `not ok - ...`.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0
check() { # name command...
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok - $name"
        passed=$((passed + 1))
    else
        echo "not ok - $name"
        echo "$output" | tail -40
        failed=$((failed + 1))
    fi
}
no_match() { # pattern paths...: nothing in the tracked files matches
    local pattern=$1
    shift
    ! git grep -nE "$pattern" -- "$@"
}
unchecked_sendable_has_a_reason() {
    # The reason is a comment on the line after.
    git grep -nA1 '@unchecked Sendable' -- 'Sources/*.swift' | awk '
        /@unchecked Sendable/ { if ($0 ~ /:[0-9]+:[ \t]*\/\//) next; line = $0; getline; if ($0 !~ /\/\//) { print line; bad = 1 } }
        END { exit bad }'
}
one_version() {
    local version newest
    version=$(cat sql/VERSION)
    grep -qx "    public static let current = \"$version\"" Sources/ParleyWorker/Version.swift ||
        { echo "Version.current is not $version, the text of sql/VERSION"; return 1; }
    grep -qE "^## \[$version\]" CHANGELOG.md || { echo "CHANGELOG.md has no entry for $version"; return 1; }
    newest=$(printf '%s\n' sql/migrations/*.sql | LC_ALL=C sort | tail -1 | sed 's|.*/0*\([0-9]*\)_.*|\1|')
    grep -qx "    public static let newestMigration = $newest" Sources/ParleyWorker/Version.swift ||
        { echo "Version.newestMigration is not $newest"; return 1; }
}
check "swift format lint --strict" swift format lint --strict -r Package.swift Sources Tests
check "every @unchecked Sendable has its reason on the next line" unchecked_sendable_has_a_reason
check "nothing imports all of Foundation" no_match '^(public |internal |@preconcurrency )*import Foundation$' 'Sources/*.swift' 'Tests/*.swift'
check "binary, SQL and change log are of one version, and the worker knows the newest migration" one_version
check "shell scripts parse" bash -c 'for f in $(git ls-files "*.sh") .ci/run; do bash -n "$f" || exit 1; done'
check "python files compile" bash -c 'for f in $(git ls-files "*.py"); do python3 -c "import ast, sys; ast.parse(open(sys.argv[1]).read())" "$f" || exit 1; done'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
