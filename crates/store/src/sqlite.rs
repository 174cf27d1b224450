//! All that is particular to SQLite: how it is opened, who may write, how it names its errors.

use crate::{StoreError, error::driver_error};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use std::time::Duration;
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, timeout},
};

/// How long a statement waits for another process that is writing.
const BUSY: Duration = Duration::from_secs(5);

/// How long a writer waits for those of this process before it.
const QUEUE: Duration = Duration::from_secs(10);

/// What a writer waits before somebody else's failure counts as its own.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long another process takes, about, to switch a new file to WAL.
const SWITCHING: Duration = Duration::from_millis(20);

/// Connections: SQLite reads in parallel and writes one at a time, so a few do.
const CONNECTIONS: u32 = 8;

/// Opens the file of a `sqlite:` URL, creating it if `create`.
///
/// What is deleted is overwritten with zeros (`secure_delete`), so that a purged organization is not
/// left in free pages. WAL lets readers go on beside the one writer. `synchronous=FULL` makes a reply of 200 outlive
/// a power cut. Foreign keys are off by default in SQLite and must be asked for.
pub(crate) async fn connect(url: &str, create: bool) -> Result<DatabaseConnection, StoreError> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url).trim_start_matches("//");
    let path = path.split('?').next().unwrap_or(path).to_owned();
    let mut options = ConnectOptions::new(url.to_owned());
    options.max_connections(CONNECTIONS).sqlx_logging(false);
    options.record_stmt_in_spans(false).acquire_timeout(Duration::from_secs(10));
    options.max_lifetime(None::<Duration>).idle_timeout(None::<Duration>);
    options.test_before_acquire(false);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .create_if_missing(create)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            .pragma("cache_size", "-16000")
            .pragma("temp_store", "MEMORY")
            // Deleting a data key has to shred it: deleted rows are overwritten.
            .pragma("secure_delete", "ON")
            .pragma("trusted_schema", "OFF")
            .pragma("secure_delete", "ON")
            // Else a REPLACE would remove rows behind the back of the triggers that keep them.
            .pragma("recursive_triggers", "ON")
            .statement_cache_capacity(200)
    });
    let deadline = Instant::now() + BUSY;
    loop {
        match Database::connect(options.clone()).await.map_err(StoreError::from) {
            // The very first connection of a new file switches it to WAL, for which SQLite asks
            // once: its busy handler does not wait for another process that does the same.
            Err(StoreError::Locked) if Instant::now() < deadline => {
                tokio::time::sleep(SWITCHING).await;
            }
            Err(StoreError::CannotOpen(_)) => return Err(StoreError::CannotOpen(path)),
            result => return result,
        }
    }
}

/// Those of this process who want to write. SQLite has one writer; queueing for it here is fair and
/// wakes at once, while SQLite's own busy handler sleeps between tries.
///
/// Holds the moment at which somebody last found that another process does not let go of the
/// database. Whoever had been queueing by then has waited for the same lock, and is told so at once:
/// else each would wait [`BUSY`] after the one before it.
#[derive(Default)]
pub(crate) struct Writers(Mutex<Option<Instant>>);

/// The right to write, for as long as it is held.
pub(crate) struct Turn<'a> {
    _queue: MutexGuard<'a, Option<Instant>>,
}

impl Writers {
    /// Begins a transaction that writes, when it is its turn.
    pub(crate) async fn begin(
        &self,
        connection: &DatabaseConnection,
    ) -> Result<(Turn<'_>, DatabaseTransaction), StoreError> {
        let came = Instant::now();
        let turn = timeout(QUEUE, self.0.lock()).await;
        let mut locked = turn.map_err(|_| StoreError::Locked)?;
        if locked.is_some_and(|moment| moment.duration_since(came) >= PATIENCE) {
            return Err(StoreError::Locked);
        }
        let begun = begin(connection, SqliteTransactionMode::Immediate).await;
        if let Err(StoreError::Locked) = begun {
            *locked = Some(Instant::now());
        }
        Ok((Turn { _queue: locked }, begun?))
    }
}

/// Begins a transaction.
pub(crate) async fn begin(
    connection: &DatabaseConnection,
    mode: SqliteTransactionMode,
) -> Result<DatabaseTransaction, StoreError> {
    let sqlite_transaction_mode = Some(mode);
    let options = TransactionOptions { sqlite_transaction_mode, ..Default::default() };
    Ok(connection.begin_with_options(options).await?)
}

/// Moves the write-ahead log into the database and cuts it: it still holds pages as they were
/// before what was on them was deleted. Readers can keep it from ending, so it is tried for a while;
/// what is left then goes with the next checkpoints.
pub(crate) async fn forget_removed(connection: &DatabaseConnection) -> Result<(), StoreError> {
    let deadline = Instant::now() + BUSY;
    loop {
        let row = connection.query_one_raw(Statement::from_string(
            connection.get_database_backend(),
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ));
        let row = row.await?;
        let busy = row.map(|row| row.try_get_by_index::<i32>(0)).transpose()?.unwrap_or(0);
        if busy == 0 || Instant::now() >= deadline {
            return Ok(());
        }
        tokio::time::sleep(SWITCHING).await;
    }
}

/// SQLite's primary result code (the low byte of the extended one).
pub(crate) fn primary_code(error: &DbErr) -> Option<u32> {
    extended_code(error).map(|extended| extended & 0xff)
}

/// Whether a statement failed because other rows refer to the one it would remove: as a violated
/// key (787), or as the RESTRICT action, which SQLite reports as a trigger's (1811).
pub(crate) fn is_foreign_key(error: &DbErr) -> bool {
    matches!(extended_code(error), Some(787 | 1811))
}

fn extended_code(error: &DbErr) -> Option<u32> {
    driver_error(error)?.as_database_error()?.code()?.parse().ok()
}

/// Tables whose rows never change their organization, and the trigger that holds it.
pub(crate) fn owner_trigger(table: &str) -> String {
    format!(
        "CREATE TRIGGER {table}_keeps_owner BEFORE UPDATE OF organization_id ON {table} \
         BEGIN SELECT RAISE(ABORT, 'organization_id is immutable'); END"
    )
}

/// Tables whose rows are never changed and go only when their whole organization is purged.
pub(crate) fn append_only_triggers(table: &str) -> [String; 2] {
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
