//! The three roles, and how the owner's is put on.
//!
//! They are the cluster's, not the database's, so databases of one cluster share the names; what a
//! role may do is granted in each. None of them can log in: whoever is to serve is made a member of
//! the tenant and the scheduler, whoever migrates a member of the owner too.

use super::failed;
use crate::StoreError;
use sea_orm::DatabaseConnection;
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Owns the tables and changes them.
pub(super) const OWNER: &str = "bifrost_owner";
/// Reads and writes rows of one organization at a time.
pub(super) const TENANT: &str = "bifrost_tenant";
/// Reads and writes the tables without tenant content.
pub(super) const SCHEDULER: &str = "bifrost_scheduler";

/// Makes the roles, and the login a member of them, as far as it is not so. Two that do so at once
/// in two databases of a cluster meet in the cluster's own tables: the loser finds it done.
const ROLES: &str = "DO $$
DECLARE role text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('bifrost roles'));
    FOREACH role IN ARRAY ARRAY['bifrost_owner', 'bifrost_tenant', 'bifrost_scheduler'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB
                    NOCREATEROLE NOINHERIT NOREPLICATION', role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
        IF NOT pg_has_role(session_user, role, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', role, session_user);
        END IF;
    END LOOP;
    EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO bifrost_owner', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO bifrost_tenant, bifrost_scheduler',
        current_database());
    EXECUTE format('REVOKE TEMPORARY, CREATE ON DATABASE %I FROM PUBLIC', current_database());
    GRANT USAGE, CREATE ON SCHEMA public TO bifrost_owner;
    GRANT USAGE ON SCHEMA public TO bifrost_tenant, bifrost_scheduler;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC, bifrost_tenant, bifrost_scheduler;
END $$";

/// How often it is tried when somebody in another database does the same.
const TRIES: u32 = 10;

/// Whether all of it is so already, so that a login that may not make roles can migrate too.
const READY: &str = "SELECT COUNT(*) = 3
        AND COALESCE(bool_and(pg_has_role(session_user, oid, 'MEMBER')), FALSE)
        AND COALESCE(bool_or(rolname = 'bifrost_owner'
            AND has_database_privilege(oid, current_database(), 'CREATE')
            AND has_schema_privilege(oid, 'public', 'CREATE')), FALSE)
        AND NOT COALESCE(bool_or(rolname <> 'bifrost_owner'
            AND has_database_privilege(oid, current_database(), 'TEMPORARY, CREATE')), FALSE) AS ready
    FROM pg_roles WHERE rolname IN ('bifrost_owner', 'bifrost_tenant', 'bifrost_scheduler')";

/// A few connections that all wear the owner's role. Nobody's statement waits for long behind a
/// change of the schema that itself waits for a lock.
pub(super) async fn owner(options: PgConnectOptions) -> Result<DatabaseConnection, StoreError> {
    let mut connection = PgConnection::connect_with(&options).await.map_err(failed)?;
    prepare(&mut connection).await?;
    connection.close().await.map_err(failed)?;
    let pool = PgPoolOptions::new().max_connections(2).after_connect(|connection, _| {
        Box::pin(async move {
            let sql = AssertSqlSafe(format!("SET ROLE {OWNER}; SET lock_timeout = '5s'"));
            connection.execute(sql).await.map(|_| ())
        })
    });
    Ok(DatabaseConnection::from(pool.connect_with(options).await.map_err(failed)?))
}

async fn prepare(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut tries = 1;
    loop {
        let row = connection.fetch_one(READY).await.map_err(failed)?;
        if row.try_get::<bool, _>("ready").map_err(failed)? {
            return Ok(());
        }
        match connection.execute(ROLES).await {
            Ok(_) => return Ok(()),
            Err(error) if tries < TRIES && is_collision(&error) => tries += 1,
            Err(error) => return Err(refused(error)),
        }
    }
}

/// Whether another one was at the same row of the cluster's tables, and is done with it.
fn is_collision(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("XX000" | "23505" | "42710" | "40P01"))
}

/// A login that may not make roles is told what it needs.
fn refused(error: sqlx::Error) -> StoreError {
    let denied = error.as_database_error().and_then(|error| error.code());
    match denied.as_deref() {
        Some("42501") => StoreError::Walls(
            "this login may not create the roles bifrost_owner, bifrost_tenant and \
             bifrost_scheduler; see docs/operations.md"
                .to_owned(),
        ),
        _ => failed(error),
    }
}
