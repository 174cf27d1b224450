//! All that is particular to PostgreSQL: one pool, and transactions that wear a role and a context.
//!
//! Every statement runs inside a transaction that has put on the role it is for: `bifrost_tenant`
//! with the organization in `app.org`, which row-level security compares with every row, or
//! `bifrost_scheduler`, which sees the tables without tenant content and no other. Beginning, role
//! and context travel with the first statement, so they cost no round trip of their own. Nothing is set for
//! longer than a transaction, so a pooler between us and the server may hand out connections as it
//! likes. `statement-cache-capacity=0` in the URL says that there is one: then statements are not kept
//! prepared, and nobody listens.

mod clients;
mod clothes;
mod errors;
mod greeting;
mod listening;
mod migrating;
mod roles;
mod rows;
mod selfcheck;
mod tls;
mod transaction;
mod values;
mod walls;
mod wire;

pub(crate) use errors::{is_foreign_key, meaning};
pub(crate) use listening::Listener;
pub(crate) use migrating::{MigrationLock, after_step, before_step, before_steps, ddl, mend};
pub(crate) use rows::Row;
pub(crate) use transaction::Transaction;

use crate::{
    StoreError,
    engine::{Beside, Checked},
    row,
};
use clients::Pool;
use clothes::Mode;
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use std::str::FromStr;

/// An open server.
pub(crate) struct Postgres {
    options: Box<PgConnectOptions>,
    pool: Pool,
    /// Whether the server is at the other end of a connection for as long as it lasts.
    direct: bool,
}

impl Postgres {
    /// Opens the server of a `postgres://` URL. Nothing is asked of it yet but to let us in.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url).map_err(failed)?;
        let options = options.application_name("bifrost").disable_statement_logging();
        let (pool, direct) = (Pool::new(&options).map_err(failed)?, is_direct(&options));
        pool.try_out().await.map_err(failed)?;
        Ok(Self { options: Box::new(options), pool, direct })
    }

    /// A connection of its own that wears the owner's role, for changes of the schema.
    pub(crate) async fn owner(&self) -> Result<DatabaseConnection, StoreError> {
        roles::owner(*self.options.clone()).await
    }

    /// The names of the steps that have been migrated, in order.
    pub(crate) async fn applied(&self) -> Result<Vec<String>, StoreError> {
        migrating::applied(&self.options).await
    }

    /// An ear of its own on the database's channel. Not through a pooler: what we listen for would be
    /// said to whoever has the connection then, in the middle of something else.
    pub(crate) async fn listener(&self) -> Result<Option<Listener>, StoreError> {
        if self.direct {
            return Listener::connect(*self.options.clone()).await.map(Some);
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
    pub(crate) fn write(&self, beside: Beside) -> Transaction {
        self.begin(Mode::Writing(beside))
    }

    /// Begins a transaction that reads: all its statements see the same moment.
    pub(crate) fn snapshot(&self) -> Transaction {
        self.begin(Mode::Snapshot)
    }

    /// Runs a writing statement by itself.
    pub(crate) async fn run(&self, statement: Checked) -> Result<u64, StoreError> {
        let transaction = self.write(Beside::Others);
        let touched = transaction.run(statement).await?;
        transaction.commit().await?;
        Ok(touched)
    }

    /// Runs a reading statement by itself.
    pub(crate) async fn rows(&self, statement: Checked) -> Result<Vec<row::Row>, StoreError> {
        self.begin(Mode::Reading).only(statement).await
    }

    fn begin(&self, mode: Mode) -> Transaction {
        Transaction::new((&self.pool, self.direct), mode)
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
