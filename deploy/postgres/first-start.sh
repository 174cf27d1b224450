#!/bin/sh
# Runs once, when the container finds an empty data directory.
set -eu
MIGRATE_PASSWORD=$(cat /run/secrets/migrate-password)
APP_PASSWORD=$(cat /run/secrets/app-password)
export MIGRATE_PASSWORD APP_PASSWORD
psql --no-psqlrc --quiet --username "${POSTGRES_USER:-postgres}" --dbname "$POSTGRES_DB" --file /roles.sql
