#!/bin/sh
# Makes the secrets of a compose.yaml installation that are not there yet, and changes none that is.
#   sudo deploy/secrets.sh [DIRECTORY]
# Keep a copy of master.key elsewhere: without it no secret of the database opens.
set -eu
directory=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$directory"
# Nobody else gets into the directory; the containers see single files of it.
chmod 700 "$directory"
cd "$directory"

# keep NAME: standard input becomes the file, unless there is one.
keep() {
    if [ -e "$1" ]; then cat >/dev/null; else cat >"$1.new" && mv "$1.new" "$1"; fi
}

for name in postgres app migrate redis; do
    openssl rand -hex 24 | keep "$name-password"
done
openssl rand -base64 32 | keep master.key
for name in app migrate; do
    echo "postgres://bifrost_$name:$(cat "$name-password")@postgres:5432/bifrost" | keep "$name-url"
done
echo "redis://:$(cat redis-password)@valkey:6379" | keep redis-url
keep valkey.conf <<CONF
requirepass $(cat redis-password)
maxmemory 256mb
maxmemory-policy allkeys-lru
save ""
appendonly no
CONF

# Other images have users of their own. Bifrost's is 10001, and takes a master key only if nobody
# else can read it.
chmod 444 postgres-password app-password migrate-password valkey.conf
chmod 400 app-url migrate-url redis-url redis-password
chmod 600 master.key
if [ "$(id -u)" = 0 ]; then
    chown 10001:10001 app-url migrate-url redis-url master.key
else
    echo "run as root, so that the containers' user 10001 can read them: sudo $0" >&2
    exit 1
fi
echo "secrets are in $directory"
