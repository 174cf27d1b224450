-- The roles and logins of an installation, with what each may do. An administrator runs it once, in
-- the database that is to be Bifrost's; running it again changes nothing but the two passwords.
--
--   MIGRATE_PASSWORD=… APP_PASSWORD=… psql --file roles.sql DATABASE
--
-- bifrost_migrate changes the schema (`bifrost migrate up`); no server has its password.
-- bifrost_app serves: by itself it can read no table, it can only put on one of two roles, and
-- neither of them owns anything.
\set ON_ERROR_STOP on
\getenv migrate_password MIGRATE_PASSWORD
\getenv app_password APP_PASSWORD

BEGIN;

SELECT format('CREATE ROLE %I NOLOGIN NOINHERIT', wanted)
FROM unnest(ARRAY['bifrost_owner', 'bifrost_tenant', 'bifrost_scheduler']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \gexec

SELECT format('CREATE ROLE %I LOGIN NOINHERIT', wanted)
FROM unnest(ARRAY['bifrost_migrate', 'bifrost_app']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \gexec

ALTER ROLE bifrost_migrate PASSWORD :'migrate_password';
ALTER ROLE bifrost_app PASSWORD :'app_password';

GRANT bifrost_owner, bifrost_tenant, bifrost_scheduler TO bifrost_migrate;
GRANT bifrost_tenant, bifrost_scheduler TO bifrost_app;

-- Nobody has a right here that is not in this list.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO bifrost_migrate, bifrost_app', current_database()) \gexec
SELECT format('GRANT CONNECT, CREATE ON DATABASE %I TO bifrost_owner', current_database()) \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO bifrost_owner;
GRANT USAGE ON SCHEMA public TO bifrost_tenant, bifrost_scheduler;

COMMIT;
