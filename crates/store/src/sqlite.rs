//! All that is particular to SQLite.
//!
//! `connections` opens the file and lends its connections → `transaction` begins, and says who may
//! write → `statement` asks, `rows` reads the answer. `migrating` is the schema's, `errors` what
//! SQLite says when it does not do it.
//!
//! SQLite is a library: what it is asked is answered in microseconds, by the thread that asks. What
//! may take longer (the disk, another process, a long list) is waited for on a thread of its own.

mod connections;
mod errors;
mod migrating;
mod rows;
mod statement;
mod transaction;

pub(crate) use connections::Place;
pub(crate) use errors::{is_foreign_key, meaning};
pub(crate) use migrating::{MigrationLock, after_step, migration_lock};
pub(crate) use rows::Row;
pub(crate) use statement::Pace;
pub(crate) use transaction::Transaction;

use crate::{StoreError, engine::Checked};
use connections::{BUSY, Connections, SWITCHING, aside};
use errors::failed;
use sea_orm::DatabaseConnection;
use std::sync::Arc;
use tokio::time::Instant;
use transaction::Writers;

/// An open file.
pub(crate) struct Sqlite {
    connections: Arc<Connections>,
    writers: Writers,
}

impl Sqlite {
    /// Opens the file of a `sqlite:` URL, creating it if `create`.
    pub(crate) async fn open(url: &str, create: bool) -> Result<Self, StoreError> {
        let (path, options) = path_and_options(url);
        let writes = !options.split('&').any(|option| option == "mode=ro");
        Self::open_at(Place { path: path.into(), create, writes, keys: true }).await
    }

    /// Opens a file as it is said there.
    pub(crate) async fn open_at(place: Place) -> Result<Self, StoreError> {
        let connections = Connections::open(place).await?;
        Ok(Self { connections, writers: Writers::default() })
    }

    /// A connection of the library that migrates.
    pub(crate) async fn owner(&self) -> Result<DatabaseConnection, StoreError> {
        migrating::owner(self.connections.url()).await
    }

    /// The names of the steps that have been migrated, in order.
    pub(crate) async fn applied(&self) -> Result<Vec<String>, StoreError> {
        const THERE: &str = "SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations'";
        const NAMES: &str = "SELECT version FROM seaql_migrations ORDER BY version";
        let lent = self.connections.lend().await?;
        let connection = &lent.wire()?.connection;
        if !connection.prepare(THERE).and_then(|mut there| there.exists([])).map_err(failed)? {
            return Ok(Vec::new());
        }
        let mut names = connection.prepare(NAMES).map_err(failed)?;
        let names = names.query_map([], |row| row.get(0)).map_err(failed)?;
        names.collect::<Result<_, _>>().map_err(failed)
    }

    /// SQLite opens a file that it may not write all the same: better told now than by every request.
    pub(crate) async fn still_writable(&self) -> Result<(), StoreError> {
        let lent = self.connections.lend().await?;
        let nothing = "DELETE FROM seaql_migrations WHERE FALSE";
        lent.wire()?.connection.execute_batch(nothing).map_err(failed)
    }

    /// Begins a transaction that writes, when it is its turn.
    pub(crate) async fn write(&self, pace: Pace) -> Result<Transaction, StoreError> {
        Transaction::write(&self.connections, &self.writers, pace).await
    }

    /// Begins a transaction that reads: all its statements see the same moment.
    pub(crate) async fn snapshot(&self) -> Result<Transaction, StoreError> {
        Transaction::snapshot(&self.connections).await
    }

    pub(crate) async fn run(&self, statement: Checked) -> Result<u64, StoreError> {
        Ok(transaction::ask_alone(self.connections.lend().await?, statement).await?.touched)
    }

    pub(crate) async fn rows(
        &self,
        statement: Checked,
    ) -> Result<Vec<crate::row::Row>, StoreError> {
        let answer = transaction::ask_alone(self.connections.lend().await?, statement).await?;
        Ok(transaction::wrapped(answer))
    }

    /// Moves the write-ahead log into the database and cuts it: it still holds pages as they were
    /// before what was on them was deleted. Readers can keep it from ending, so it is tried for a
    /// while; what is left then goes with the next checkpoints.
    pub(crate) async fn forget_removed(&self) -> Result<(), StoreError> {
        const CUT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
        let deadline = Instant::now() + BUSY;
        loop {
            let lent = self.connections.lend().await?;
            let busy = aside(move || {
                let connection = &lent.wire()?.connection;
                connection.query_row(CUT, [], |row| row.get::<_, i64>(0)).map_err(failed)
            });
            if busy.await?? == 0 || Instant::now() >= deadline {
                return Ok(());
            }
            tokio::time::sleep(SWITCHING).await;
        }
    }
}

/// Of `sqlite:PATH`, `sqlite://PATH` and `sqlite:PATH?mode=ro`.
fn path_and_options(url: &str) -> (&str, &str) {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    path.split_once('?').unwrap_or((path, ""))
}
