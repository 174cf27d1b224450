//! A transaction, the role it wears and the organization it is for.

use super::{
    carried::Carried,
    failed,
    roles::{SCHEDULER, TENANT},
};
use crate::{
    StoreError,
    engine::{Beside, Checked},
    gate::Bound,
};
use sea_orm::{QueryResult, Value};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, Executor, PgConnection, PgPool, Postgres as Pg, pool::PoolConnection,
    query::Query,
};
use tokio::sync::Mutex;
use uuid::Uuid;

/// How long whoever writes waits for those before it, and how long the server keeps the locks of
/// one that it hears nothing of: its machine may have lost its power.
const PATIENCE: &str =
    "SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '60s'";

const BROKEN: &str = "a statement of this transaction has failed, so nothing of it is kept";

/// What a transaction is for.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    Writing(Beside),
    Reading,
    Snapshot,
}

/// A transaction and what it wears. Dropped without [`Transaction::commit`], nothing happened.
pub(crate) struct Transaction(Mutex<Open>);

struct Open {
    /// Nothing once it has ended.
    connection: Option<PoolConnection<Pg>>,
    /// Nothing while it is being changed, because that may be broken off.
    wears: Option<Bound>,
    /// A statement has failed, and the server takes everything back whatever it is told.
    broken: bool,
    /// Whether the server is at the other end of the connection for as long as it lasts.
    direct: bool,
}

impl Transaction {
    /// Begins one on a connection of the pool.
    ///
    /// A connection on which beginning was broken off would go back to the pool with a transaction
    /// that nobody ends, and its locks: the driver knows of none before it has begun. So it is
    /// carried to its end.
    pub(super) async fn begin(
        (pool, direct): (&PgPool, bool),
        bound: Bound,
        mode: Mode,
    ) -> Result<Self, sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let begun = Carried::new(async move {
            match connection.execute(AssertSqlSafe(begin(bound, mode))).await {
                Ok(_) => {
                    let (connection, wears) = (Some(connection), Some(bound));
                    Ok(Open { connection, wears, broken: false, direct })
                }
                Err(error) => {
                    connection.close_on_drop();
                    Err(error)
                }
            }
        });
        Ok(Self(Mutex::new(begun.await?)))
    }

    pub(crate) async fn run(&self, statement: Checked) -> Result<u64, StoreError> {
        let mut open = self.0.lock().await;
        let query = open.query(statement.sql, statement.values);
        let connection = open.dressed(statement.bound).await?;
        let done = query.execute(connection).await;
        open.broken |= done.is_err();
        Ok(done.map_err(failed)?.rows_affected())
    }

    pub(crate) async fn rows(&self, statement: Checked) -> Result<Vec<QueryResult>, StoreError> {
        let mut open = self.0.lock().await;
        let query = open.query(statement.sql, statement.values);
        let connection = open.dressed(statement.bound).await?;
        let rows = query.fetch_all(connection).await;
        open.broken |= rows.is_err();
        Ok(rows.map_err(failed)?.into_iter().map(QueryResult::from).collect())
    }

    /// Makes it so.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.end("COMMIT").await
    }

    /// A commit holds its locks until the disk has it, which is long for a row that many want. This
    /// one gives them up first: others see what it did and go on, and since the log of the database
    /// is one sequence, none of them is kept without it. A second, empty transaction waits for the
    /// disk, so whoever is answered has it for good.
    pub(crate) async fn commit_early(self) -> Result<(), StoreError> {
        self.end(COMMIT_EARLY).await
    }

    /// The server answers the end of a broken transaction as if all were well, so it is not asked.
    async fn end(self, words: &'static str) -> Result<(), StoreError> {
        let mut open = self.0.into_inner();
        if open.broken {
            return Err(failed(sqlx::Error::Protocol(BROKEN.to_owned())));
        }
        open.connection()?.execute(words).await.map_err(failed)?;
        open.connection = None;
        Ok(())
    }
}

/// The message is what the second transaction has to write: one that writes nothing does not wait.
const COMMIT_EARLY: &str = "SET LOCAL synchronous_commit = off; COMMIT; \
    BEGIN; SELECT pg_logical_emit_message(true, 'bifrost', ''); COMMIT";

impl Open {
    fn connection(&mut self) -> Result<&mut PgConnection, StoreError> {
        let gone = || failed(sqlx::Error::WorkerCrashed);
        self.connection.as_deref_mut().ok_or_else(gone)
    }

    fn query(&self, sql: &'static str, values: Vec<Value>) -> Query<'static, Pg, SqlxValues> {
        sqlx::query_with(sql, storable(values)).persistent(self.direct)
    }

    /// The connection, wearing what the next statement runs for.
    async fn dressed(&mut self, bound: Bound) -> Result<&mut PgConnection, StoreError> {
        if self.wears != Some(bound) {
            self.wears = None;
            let clothes = AssertSqlSafe(clothes(bound));
            self.connection()?.execute(clothes).await.map_err(failed)?;
            self.wears = Some(bound);
        }
        self.connection()
    }
}

/// Whoever drops it does not wait until the server has taken it back.
impl Drop for Open {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            tokio::spawn(async move {
                if connection.execute("ROLLBACK").await.is_err() {
                    connection.close_on_drop();
                }
            });
        }
    }
}

/// PostgreSQL keeps no NUL in a text, which a workflow may print and a client may ask for: it is kept,
/// and looked for, as the sign for what cannot be shown.
fn storable(mut values: Vec<Value>) -> SqlxValues {
    for value in &mut values {
        if let Value::String(Some(text)) = value
            && text.contains('\0')
        {
            *text = text.replace('\0', "\u{fffd}");
        }
    }
    SqlxValues(sea_orm::Values(values))
}

/// The one message that begins a transaction. Nothing in it comes from outside but a UUID.
fn begin(bound: Bound, mode: Mode) -> String {
    let clothes = clothes(bound);
    match mode {
        Mode::Reading => format!("BEGIN READ ONLY; {clothes}"),
        Mode::Snapshot => format!("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {clothes}"),
        Mode::Writing(Beside::Others) => format!("BEGIN; {PATIENCE}; {clothes}"),
        Mode::Writing(Beside::Nobody(scope)) => {
            format!("BEGIN; {PATIENCE}; {clothes}; {}", alone(scope.column()))
        }
    }
}

fn clothes(bound: Bound) -> String {
    match bound {
        Bound::Tenant(id) => {
            format!("SET LOCAL ROLE {TENANT}; SELECT set_config('app.org', '{id}', true)")
        }
        // Whatever context was left by a tenant's statement goes with its role.
        Bound::System => {
            format!("SET LOCAL ROLE {SCHEDULER}; SELECT set_config('app.org', '', true)")
        }
    }
}

/// Waits until nobody else writes in a scope. Rows that refer to the organization can be added all
/// the same: their key lock does not collide with this one.
fn alone(id: Uuid) -> String {
    format!("SELECT 1 FROM organizations WHERE id = '{id}' FOR NO KEY UPDATE")
}
