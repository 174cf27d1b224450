//! What a step of the schema brings besides its statements, and who may migrate.

use crate::{StoreError, migrations::Step};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
};
use std::{fs::File, io, path::Path};
use tokio::task::spawn_blocking;

/// A connection of the library that migrates.
pub(super) async fn owner(url: String) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    options.sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .foreign_keys(true)
            .busy_timeout(super::BUSY)
            .pragma("synchronous", "FULL")
            .pragma("trusted_schema", "OFF")
            .pragma("secure_delete", "ON")
            .pragma("recursive_triggers", "ON")
    });
    Ok(Database::connect(options).await?)
}

/// Keeps others from migrating the same file, until it is dropped.
pub(crate) struct MigrationLock {
    _directory: Option<File>,
}

/// Lets one process at a time migrate: SQLite's own locks end with each step. The directory is locked,
/// because whoever opens and closes the file itself gives up every lock that SQLite has on it.
pub(crate) async fn migration_lock(
    owner: &DatabaseConnection,
) -> Result<MigrationLock, StoreError> {
    let sql = "SELECT file FROM pragma_database_list WHERE name = 'main'";
    let row = owner.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
    let file = row.map(|row| row.try_get::<String>("", "file")).transpose()?.unwrap_or_default();
    // A database in memory is nobody else's.
    let Some(directory) = Path::new(&file).parent().map(Path::to_owned) else {
        return Ok(MigrationLock { _directory: None });
    };
    let place = directory.display().to_string();
    let locked = spawn_blocking(move || {
        let directory = File::open(directory)?;
        directory.lock().map(|()| directory)
    });
    let locked = locked.await.map_err(io::Error::other).flatten();
    let locked = locked.map_err(|error| StoreError::CannotOpen(format!("{place} ({error})")))?;
    Ok(MigrationLock { _directory: Some(locked) })
}

/// Holds what PostgreSQL holds by grants, for the tables that a migration has brought.
pub(crate) async fn after_step<C: ConnectionTrait>(
    connection: &C,
    step: &Step,
) -> Result<(), DbErr> {
    for table in step.tenant_tables {
        connection.execute_unprepared(&owner_trigger(table)).await?;
    }
    for trigger in step.append_only.iter().flat_map(|table| append_only_triggers(table)) {
        connection.execute_unprepared(&trigger).await?;
    }
    Ok(())
}

/// Tables whose rows never change their organization, and the trigger that holds it.
fn owner_trigger(table: &str) -> String {
    format!(
        "CREATE TRIGGER {table}_keeps_owner BEFORE UPDATE OF organization_id ON {table} \
         BEGIN SELECT RAISE(ABORT, 'organization_id is immutable'); END"
    )
}

/// Tables whose rows are never changed and go only when their whole organization is purged.
fn append_only_triggers(table: &str) -> [String; 2] {
    [
        format!(
            "CREATE TRIGGER {table}_never_changes BEFORE UPDATE ON {table} \
             BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed'); END"
        ),
        format!(
            "CREATE TRIGGER {table}_never_shrinks BEFORE DELETE ON {table} \
             WHEN NOT EXISTS (SELECT 1 FROM organizations WHERE id = OLD.organization_id \
                AND purge_started_at IS NOT NULL) \
             BEGIN SELECT RAISE(ABORT, 'rows of {table} are never deleted'); END"
        ),
    ]
}
