#!/usr/bin/env bash
# Runs every pgTAP file below Tests/sql against the installed schema: Tests/sql/tap.sh [file...]
# Those in contrib/, which need an extension that some servers do not have, only if they are named.
# Needs a cluster: eval "$(Tests/support/cluster.sh start)". Every file is one transaction and rolls back. They run as the
# superuser, who may become any role; what a role may do is tested after `set local role`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${PARLEY_SUPERUSER_URL:?run: eval \"\$(Tests/support/cluster.sh start)\"}"
psql -X -q -v ON_ERROR_STOP=1 -d "$PARLEY_SUPERUSER_URL" -c "set client_min_messages = warning" \
    -c "create extension if not exists pgtap schema public"
if [ $# -eq 0 ]; then
    # Plans first: what they count would include the dead rows that other files leave behind.
    mapfile -t files < <(
        find Tests/sql -mindepth 2 -name '*plans.sql' | LC_ALL=C sort
        find Tests/sql -mindepth 2 -name '*.sql' ! -name '*plans.sql' ! -path '*/contrib/*' | LC_ALL=C sort
    )
    set -- "${files[@]}"
fi
exec pg_prove --verbose --dbname "$PARLEY_SUPERUSER_URL" "$@"
