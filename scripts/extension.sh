#!/usr/bin/env bash
# Makes the files of the extension door.
#
#   scripts/extension.sh version         print the version of the extension
#   scripts/extension.sh install DIR     write the files into DIR, beside those of other versions; print the version
#   scripts/extension.sh file            print one SQL file that installs or upgrades without commands of psql
#
# A release has the version of sql/VERSION, as in 0.2.0. Any other state of the files is a version of its own,
# 0.2.0+1a2b3c4d with a hash of all texts, so that a changed text is another version by itself. A commit becomes a release
# when the version it prints is added to `released` below.
#
# PostgreSQL updates along scripts from one version to the next, and all of ours meet in the version "empty", which has
# no texts:
#
#   parley--empty.sql                    the extension without texts
#   parley--empty--VERSION.sql           from there to this version: the table of texts, migrate(), every SQL file
#   parley--VERSION--empty.sql           and back
#   parley.control                       makes this version the default
#
# The way back stays where it is when a newer version is installed over this one, which can so be reached from here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A package takes the files of the one before away with it, so it brings the way back from every released version.
released=(0.2.0)

table=parley_ext.file
position=0
file() { # kind path
    local tag="\$parley_$position\$"
    if grep -qF -- "$tag" "$2"; then
        echo "extension.sh: $2 contains $tag" >&2
        exit 1
    fi
    printf 'insert into %s (position, kind, path, body) values (%d, '"'%s', '%s', %s" \
        "$table" "$position" "$1" "$2" "$tag"
    cat "$2"
    printf '%s);\n' "$tag"
    position=$((position + 1))
}

texts() {
    sed "s/parley_ext\.file/$table/g; s/parley_ext\.migrate/${table%%.*}.${migrate:-migrate}/g" sql/migrate.sql
    file bootstrap sql/bootstrap.sql
    while read -r kind path; do file "$kind" "$path"; done < <(scripts/manifest.sh --list)
    file repeatable sql/finish.sql
}

# The same texts and the same function, as temporary objects of one transaction.
single() {
    table=pg_temp.parley_file migrate=parley_migrate
    cat <<SQL
-- Parley $(cat sql/VERSION) in one file, for SQL editors, drivers and psql < file: installs it into the current
-- database, or upgrades it in place. One transaction: after an error nothing has changed. Safe to run again.
begin isolation level read committed;
set local client_min_messages = warning;
$(sed -n '/^do \$door\$/,/^\$door\$;/p' sql/install.sql)
SQL
    texts
    cat <<SQL
select applied as migrations_applied from pg_temp.parley_migrate();
drop function pg_temp.parley_migrate();
drop table pg_temp.parley_file;
select current_setting('parley.result') as parley_result;
commit;
SQL
}

version() { # file of the texts
    local named
    named="$(cat sql/VERSION)+$(sha256sum "$1" | cut -c1-8)"
    case " ${released[*]} " in
        *" $named "*) echo "${named%%+*}" ;;
        *) echo "$named" ;;
    esac
}

case ${1:-}:$# in
    version:1 | install:2) ;;
    file:1) single; exit 0 ;;
    *) sed -n '2,20s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
made=$(mktemp -d "${TMPDIR:-/tmp}/parley-extension.XXXXXX")
trap 'rm -rf "$made"' EXIT
texts >"$made/texts"
version=$(version "$made/texts")
echo "$version"
[ "$1" = install ] || exit 0

mv "$made/texts" "$made/parley--empty--$version.sql"
echo '-- The extension without texts: every update goes by way of it.' >"$made/parley--empty.sql"
for old in "${released[@]%%+*}" "$version"; do
    echo 'drop function parley_ext.migrate(); drop table parley_ext.file;' >"$made/parley--$old--empty.sql"
done
{ cat parley.control; echo "default_version = '$version'"; } >"$made/parley.control"
# the default last, when its scripts are there
install -m 644 "$made"/parley--*.sql "$2/"
install -m 644 "$made/parley.control" "$2/"
