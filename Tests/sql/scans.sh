#!/usr/bin/env bash
# Runs statistics.sql and scans.sql, each in a cluster of its own: they fill every table, and what they leave behind would
# change the plans and counts of other tests. Nor may anybody else vacuum or analyze meanwhile. Prints TAP as
# Tests/sql/tap.sh does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
trap 'Tests/support/cluster.sh stop' EXIT
failed=0
for file in statistics scans; do
    eval "$(Tests/support/cluster.sh start --set autovacuum=off)"
    Tests/sql/tap.sh "Tests/sql/$file.sql" || failed=1
    Tests/support/cluster.sh stop
done
trap - EXIT
exit "$failed"
