#!/bin/sh
# Runs `bifrost` with its data directory on a disk of 10 MiB that only this process sees, filled
# from $SEED: on_a_small_disk.sh serve --listen ADDRESS --data-dir DIRECTORY
set -e
if [ -z "$ON_A_SMALL_DISK" ]; then
    ON_A_SMALL_DISK=1 exec unshare --map-root-user --mount "$0" "$@"
fi
mount -t tmpfs -o size=10m small-disk "$5"
cp -r "$SEED/." "$5"
exec "$BIFROST" "$@"
