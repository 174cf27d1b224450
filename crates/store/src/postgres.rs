//! All that is particular to PostgreSQL: one pool, and transactions that wear a role and a context.
//!
//! Every statement runs inside a transaction that has put on the role it is for: `bifrost_tenant`
//! with the organization in `app.org`, which row-level security compares with every row, or
//! `bifrost_scheduler`, which sees the tables without tenant content and no other. Beginning, role
//! and context travel in one message, so they cost no round trip of their own. Nothing is set for
//! longer than a transaction, so a pooler between us and the server may hand out connections as it
//! likes. `statement-cache-capacity=0` in the URL says that there is one: then statements are not kept
//! prepared, and nobody listens.

mod carried;
mod errors;
mod listening;
mod migrating;
mod roles;
mod selfcheck;
mod transaction;
mod walls;

pub(crate) use errors::{is_foreign_key, meaning};
pub(crate) use listening::Listener;
pub(crate) use migrating::{MigrationLock, after_step, before_step, before_steps, ddl, mend};
pub(crate) use transaction::Transaction;

use crate::{
    StoreError,
    engine::{Beside, Checked},
    gate::Bound,
};
use sea_orm::{DatabaseConnection, DbErr, QueryResult, RuntimeErr};
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr, time::Duration};
use transaction::Mode;

/// Connections of one process. PostgreSQL forks a process for each, so not many.
const CONNECTIONS: u32 = 16;

/// How long a statement waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(10);

/// A connection that was idle for longer is asked whether it still lives before it is used.
const IDLE: Duration = Duration::from_secs(5);

/// How often a transaction is begun anew when its connection turns out to be dead: all of the pool
/// may be, after a restart of the server.
const BEGINS: u32 = CONNECTIONS + 2;

/// An open server.
pub(crate) struct Postgres {
    pool: PgPool,
    /// Whether the server is at the other end of a connection for as long as it lasts.
    direct: bool,
}

impl Postgres {
    /// Opens the server of a `postgres://` URL. Nothing is asked of it yet but to let us in.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url).map_err(failed)?;
        let options = options.application_name("bifrost").disable_statement_logging();
        // The pool would try for long and not say what it was that failed.
        let first = PgConnection::connect_with(&options).await.map_err(failed)?;
        first.close().await.map_err(failed)?;
        let direct = is_direct(&options);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(options)
            .await
            .map_err(failed)?;
        Ok(Self { pool, direct })
    }

    fn options(&self) -> PgConnectOptions {
        (*self.pool.connect_options()).clone()
    }

    /// A connection of its own that wears the owner's role, for changes of the schema.
    pub(crate) async fn owner(&self) -> Result<DatabaseConnection, StoreError> {
        roles::owner(self.options()).await
    }

    /// The names of the steps that have been migrated, in order.
    pub(crate) async fn applied(&self) -> Result<Vec<String>, StoreError> {
        migrating::applied(&self.options()).await
    }

    /// An ear of its own on the database's channel. Not through a pooler: what we listen for would be
    /// said to whoever has the connection then, in the middle of something else.
    pub(crate) async fn listener(&self) -> Result<Option<Listener>, StoreError> {
        if self.direct {
            return Listener::connect(self.options()).await.map(Some);
        }
        tracing::info!("a pooler is in between, so other processes are not heard: we look instead");
        Ok(None)
    }

    /// Says a word on it.
    pub(crate) async fn say(&self, word: &str) -> Result<(), StoreError> {
        listening::say(&self.pool, word).await
    }

    /// What is missing of the walls.
    pub(crate) async fn missing_walls(&self) -> Result<Vec<String>, StoreError> {
        selfcheck::missing(&self.pool).await
    }

    /// Begins a transaction that writes.
    pub(crate) async fn write(
        &self,
        bound: Bound,
        beside: Beside,
    ) -> Result<Transaction, StoreError> {
        self.begin(bound, Mode::Writing(beside)).await
    }

    /// Begins a transaction that reads: all its statements see the same moment.
    pub(crate) async fn snapshot(&self, bound: Bound) -> Result<Transaction, StoreError> {
        self.begin(bound, Mode::Snapshot).await
    }

    /// Runs a writing statement by itself.
    pub(crate) async fn run(&self, statement: Checked) -> Result<u64, StoreError> {
        let transaction = self.write(statement.bound, Beside::Others).await?;
        let touched = transaction.run(statement).await?;
        transaction.commit().await?;
        Ok(touched)
    }

    /// Runs a reading statement by itself. Its transaction is not waited for at the end: there is
    /// nothing in it to lose.
    pub(crate) async fn rows(&self, statement: Checked) -> Result<Vec<QueryResult>, StoreError> {
        self.begin(statement.bound, Mode::Reading).await?.rows(statement).await
    }

    /// Nothing has happened before a transaction has begun, so a connection that the server or the
    /// network has closed meanwhile costs another try and no error.
    async fn begin(&self, bound: Bound, mode: Mode) -> Result<Transaction, StoreError> {
        let mut tries = 1;
        loop {
            match Transaction::begin((&self.pool, self.direct), bound, mode).await {
                Err(error) if tries < BEGINS && errors::is_broken(&error) => tries += 1,
                begun => return begun.map_err(failed),
            }
        }
    }
}

/// Whether no pooler was announced. Without a cache the driver would still name every statement, and
/// find on the next connection that somebody else has taken the name.
fn is_direct(options: &PgConnectOptions) -> bool {
    let url = options.to_url_lossy();
    !url.query_pairs().any(|(key, value)| key == "statement-cache-capacity" && value == "0")
}

/// As the rest of the store names the driver's errors.
fn failed(error: sqlx::Error) -> StoreError {
    DbErr::Query(RuntimeErr::SqlxError(error.into())).into()
}
