#!/usr/bin/env bash
# Prints the script of the extension: the table of SQL texts with migrate(), then every file as dollar-quoted data.
# A fresh installation and an update carry the same texts; an update replaces them.
#
#   scripts/extension.sh install >parley--1.0.sql
#   scripts/extension.sh update  >parley--1.0--1.1.sql
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

position=0
file() { # kind path
    local tag="\$parley_$position\$"
    if grep -qF -- "$tag" "$2"; then
        echo "extension.sh: $2 contains $tag" >&2
        exit 1
    fi
    printf 'insert into parley_ext.file (position, kind, path, body) values (%d, '"'%s', '%s', %s" \
        "$position" "$1" "$2" "$tag"
    cat "$2"
    printf '%s);\n' "$tag"
    position=$((position + 1))
}

case ${1:-} in
    install) cat sql/migrate.sql ;;
    update)
        echo 'drop function parley_ext.migrate();'
        echo 'drop table parley_ext.file;'
        cat sql/migrate.sql
        ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
file bootstrap sql/bootstrap.sql
while read -r kind path; do file "$kind" "$path"; done < <(scripts/manifest.sh --list)
file repeatable sql/finish.sql
