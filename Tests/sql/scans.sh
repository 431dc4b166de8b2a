#!/usr/bin/env bash
# Runs scans.sql in a cluster of its own: it fills every table, and what it leaves behind would change the plans and
# counts of other tests. Nor may anybody else vacuum or analyze meanwhile. Prints TAP as Tests/sql/tap.sh does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
eval "$(Tests/support/cluster.sh start --set autovacuum=off)"
trap 'Tests/support/cluster.sh stop' EXIT
Tests/sql/tap.sh Tests/sql/scans.sql
