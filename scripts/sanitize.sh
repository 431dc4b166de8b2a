#!/usr/bin/env bash
# The Swift tests under a sanitizer: scripts/sanitize.sh thread | address
# Exit tests are left out: a sanitizer's runtime answers a trap in its own way.
set -euo pipefail
cd "$(dirname "$0")/.."
exec swift test --disable-xctest --sanitize="$1" --scratch-path ".build/sanitize-$1"
