//! All that is particular to SQLite: how it is opened, who may write, how it names its errors.

use crate::{StoreError, engine::Checked, error::driver_error, migrations::Step, row::Row};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::SchemaManager;
use std::{fs::File, io, path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::spawn_blocking,
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
/// What is deleted is overwritten with zeros (`secure_delete`), so that a purged organization or a
/// shredded key is not left in free pages. WAL lets readers go on beside the one writer.
/// `synchronous=FULL` makes a reply of 200 outlive a power cut. Foreign keys are off by default in
/// SQLite and must be asked for.
async fn connect(url: &str, create: bool) -> Result<DatabaseConnection, StoreError> {
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
type Writers = Arc<Mutex<Option<Instant>>>;

/// An open file.
pub(crate) struct Sqlite {
    connection: DatabaseConnection,
    writers: Writers,
}

/// A transaction, with the right to write for as long as it is held if it writes.
pub(crate) struct Transaction {
    transaction: DatabaseTransaction,
    _turn: Option<OwnedMutexGuard<Option<Instant>>>,
}

impl Sqlite {
    /// Opens the file of a `sqlite:` URL, creating it if `create`.
    pub(crate) async fn open(url: &str, create: bool) -> Result<Self, StoreError> {
        Ok(Self::over(connect(url, create).await?))
    }

    /// Over a connection that is there.
    pub(crate) fn over(connection: DatabaseConnection) -> Self {
        Self { connection, writers: Writers::default() }
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// The names of the steps that have been migrated, in order.
    pub(crate) async fn applied(&self) -> Result<Vec<String>, StoreError> {
        if !SchemaManager::new(&self.connection).has_table("seaql_migrations").await? {
            return Ok(Vec::new());
        }
        let sql = "SELECT version FROM seaql_migrations ORDER BY version";
        let names = Statement::from_string(DbBackend::Sqlite, sql);
        let rows = self.connection.query_all_raw(names).await?;
        Ok(rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, _>>()?)
    }

    /// Begins a transaction that writes, when it is its turn.
    pub(crate) async fn write(&self) -> Result<Transaction, StoreError> {
        let came = Instant::now();
        let turn = timeout(QUEUE, self.writers.clone().lock_owned()).await;
        let mut locked = turn.map_err(|_| StoreError::Locked)?;
        if locked.is_some_and(|moment| moment.duration_since(came) >= PATIENCE) {
            return Err(StoreError::Locked);
        }
        let begun = self.begin(SqliteTransactionMode::Immediate).await;
        if let Err(StoreError::Locked) = begun {
            *locked = Some(Instant::now());
        }
        Ok(Transaction { transaction: begun?, _turn: Some(locked) })
    }

    /// Begins a transaction that reads: all its statements see the same moment.
    pub(crate) async fn snapshot(&self) -> Result<Transaction, StoreError> {
        let transaction = self.begin(SqliteTransactionMode::Deferred).await?;
        Ok(Transaction { transaction, _turn: None })
    }

    async fn begin(&self, mode: SqliteTransactionMode) -> Result<DatabaseTransaction, StoreError> {
        let sqlite_transaction_mode = Some(mode);
        let options = TransactionOptions { sqlite_transaction_mode, ..Default::default() };
        Ok(self.connection.begin_with_options(options).await?)
    }

    pub(crate) async fn run(&self, statement: Checked) -> Result<u64, StoreError> {
        run(&self.connection, statement).await
    }

    pub(crate) async fn rows(&self, statement: Checked) -> Result<Vec<Row>, StoreError> {
        rows(&self.connection, statement).await
    }

    /// Moves the write-ahead log into the database and cuts it: it still holds pages as they were
    /// before what was on them was deleted. Readers can keep it from ending, so it is tried for a
    /// while; what is left then goes with the next checkpoints.
    pub(crate) async fn forget_removed(&self) -> Result<(), StoreError> {
        let deadline = Instant::now() + BUSY;
        loop {
            let row = self.connection.query_one_raw(Statement::from_string(
                DbBackend::Sqlite,
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
}

impl Transaction {
    pub(crate) async fn run(&self, statement: Checked) -> Result<u64, StoreError> {
        run(&self.transaction, statement).await
    }

    pub(crate) async fn rows(&self, statement: Checked) -> Result<Vec<Row>, StoreError> {
        rows(&self.transaction, statement).await
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }
}

async fn run<C: ConnectionTrait>(connection: &C, statement: Checked) -> Result<u64, StoreError> {
    Ok(connection.execute_raw(spell(statement)).await?.rows_affected())
}

async fn rows<C: ConnectionTrait>(
    connection: &C,
    statement: Checked,
) -> Result<Vec<Row>, StoreError> {
    let rows = connection.query_all_raw(spell(statement)).await?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

/// How statements ask that nobody else change what they read; longest first.
const LOCKS: [&str; 2] = [" FOR UPDATE SKIP LOCKED", " FOR UPDATE"];

/// SQLite knows no locks of rows and needs none: while one transaction writes, no other does.
fn spell(statement: Checked) -> Statement {
    let Checked { sql, values, .. } = statement;
    match LOCKS.iter().any(|lock| sql.contains(lock)) {
        false => Statement::from_sql_and_values(DbBackend::Sqlite, sql, values),
        true => {
            let unlocked = LOCKS.iter().fold(sql.to_owned(), |sql, lock| sql.replace(lock, ""));
            Statement::from_sql_and_values(DbBackend::Sqlite, unlocked, values)
        }
    }
}

/// What an error means to a person, told by SQLite's primary result code.
pub(crate) fn meaning(error: &DbErr) -> Option<StoreError> {
    match extended_code(error)? & 0xff {
        5 | 6 => Some(StoreError::Locked),
        8 => Some(StoreError::ReadOnly),
        13 => Some(StoreError::Full),
        14 => Some(StoreError::CannotOpen("the given path".to_owned())),
        11 | 26 => Some(StoreError::Damaged(error.to_string())),
        _ => None,
    }
}

/// Whether a statement failed because other rows refer to the one it would remove: as a violated
/// key (787), or as the RESTRICT action, which SQLite reports as a trigger's (1811).
pub(crate) fn is_foreign_key(error: &DbErr) -> bool {
    matches!(extended_code(error), Some(787 | 1811))
}

fn extended_code(error: &DbErr) -> Option<u32> {
    let error = driver_error(error)?.as_database_error()?;
    error.try_downcast_ref::<sea_orm::sqlx::sqlite::SqliteError>()?;
    error.code()?.parse().ok()
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
