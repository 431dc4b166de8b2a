#!/usr/bin/env bash
# The Swift tests under a sanitizer: scripts/sanitize.sh thread | address, and more options of `swift test`
# One test at a time: instrumented code is slow, and tests that wait for each other's turn would run into their limits.
set -euo pipefail
cd "$(dirname "$0")/.."
export LSAN_OPTIONS="suppressions=$PWD/Tests/support/lsan.supp:print_suppressions=0"
exec swift test --disable-xctest --no-parallel --sanitize="$1" --scratch-path ".build/sanitize-$1" "${@:2}"
