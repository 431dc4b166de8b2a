#!/usr/bin/env bash
# Writes the outcomes of Tests/sql/access/matrix.tsv as they are. The difference is to be read before it is committed:
# the matrix says who may do what, and this only what happens. Needs a cluster and pgTAP in it (Tests/sql/tap.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
: "${PARLEY_SUPERUSER_URL:?run: eval \"\$(Tests/support/cluster.sh start)\"}"
new=$(mktemp)
trap 'rm -f "$new"' EXIT
psql -X -q -v ON_ERROR_STOP=1 -v record=1 -d "$PARLEY_SUPERUSER_URL" -f Tests/sql/access/matrix.sql >"$new"
sed -n '/^# The access matrix/,$p' "$new" >Tests/sql/access/matrix.tsv
