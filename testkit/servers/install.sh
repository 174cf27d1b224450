#!/bin/sh
# Installs PostgreSQL where the tests look for it, if it is not there yet.
set -eu
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && exit 0
fail() {
    echo "PostgreSQL is missing ($1): install 15 or later, so that /usr/lib/postgresql/*/bin/initdb is there" >&2
    exit 1
}
command -v apt-get >/dev/null || fail "there is no apt-get here"
root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "neither root nor sudo"
    root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$root apt-get update --quiet=2 || fail "apt-get update failed"
$root apt-get install --quiet=2 --yes --no-install-recommends postgresql || fail "apt-get install failed"
