#!/usr/bin/env bash
# Makes the files of the extension door.
#
#   scripts/extension.sh version         print the version: number of the newest migration, hash of all texts
#   scripts/extension.sh install DIR     write the files into DIR, beside those of other versions; print the version
#
# A changed text is another version by itself. PostgreSQL updates along scripts from one version to the next, and all
# of ours meet in the version "empty", which has no texts:
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
released=(1.0)

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

texts() {
    cat sql/migrate.sql
    file bootstrap sql/bootstrap.sql
    while read -r kind path; do file "$kind" "$path"; done < <(scripts/manifest.sh --list)
    file repeatable sql/finish.sql
}

version() { # file of the texts
    local newest
    newest=$(scripts/manifest.sh --list | sed -n 's,^migration sql/migrations/\([0-9]*\)_.*,\1,p' | tail -1)
    echo "$newest.$(sha256sum "$1" | cut -c1-8)"
}

case ${1:-}:$# in
    version:1 | install:2) ;;
    *) sed -n '2,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
made=$(mktemp -d "${TMPDIR:-/tmp}/parley-extension.XXXXXX")
trap 'rm -rf "$made"' EXIT
texts >"$made/texts"
version=$(version "$made/texts")
echo "$version"
[ "$1" = install ] || exit 0

mv "$made/texts" "$made/parley--empty--$version.sql"
echo '-- The extension without texts: every update goes by way of it.' >"$made/parley--empty.sql"
for old in "${released[@]}" "$version"; do
    echo 'drop function parley_ext.migrate(); drop table parley_ext.file;' >"$made/parley--$old--empty.sql"
done
{ cat parley.control; echo "default_version = '$version'"; } >"$made/parley.control"
# the default last, when its scripts are there
install -m 644 "$made"/parley--*.sql "$2/"
install -m 644 "$made/parley.control" "$2/"
