#!/bin/sh
# Installs the servers that tests start, and the programs that read the deployment files, as far as
# they are not there yet: from Debian's packages, as root or through sudo.
set -eu

missing=
want() { # PACKAGE PROGRAM: the package, unless the program is there
    ls $2 >/dev/null 2>&1 || command -v "$2" >/dev/null || missing="$missing $1"
}
want postgresql "/usr/lib/postgresql/*/bin/initdb"
want redis-server redis-server
want pgbouncer pgbouncer
want caddy caddy
want systemd systemd-analyze
[ -n "$missing" ] || exit 0

fail() {
    echo "these packages are missing:$missing ($1); install them, PostgreSQL in version 15 or later" >&2
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
# shellcheck disable=SC2086 -- one word is one package
$root apt-get install --quiet=2 --yes --no-install-recommends $missing || fail "apt-get install failed"
