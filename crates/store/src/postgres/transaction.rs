//! A transaction, the role it wears and the organization it is for.
//!
//! What begins it goes to the server together with its first statement, so beginning, role and
//! context cost no round trip of their own, and one that is given up before it asked anything was
//! never there.

use super::{
    clients::{CONNECTIONS, Client, Pool, Pooled, discard},
    errors::{asking, is_broken},
    failed,
    roles::{SCHEDULER, TENANT},
    values::Parameter,
};
use crate::{
    StoreError,
    engine::{Beside, Checked},
    gate::Bound,
    row::Row,
};
use futures_util::{
    FutureExt, TryStreamExt,
    future::{join, join_all},
};
use std::pin::pin;
use tokio::sync::Mutex;
use tokio_postgres::{Error, RowStream, Statement};
use uuid::Uuid;

/// How long whoever writes waits for those before it, and how long the server keeps the locks of
/// one that it hears nothing of: its machine may have lost its power.
const PATIENCE: &str =
    "SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '60s'";

const BROKEN: &str = "a statement of this transaction has failed, so nothing of it is kept";

/// How often a transaction is begun anew when its connection turns out to be dead: all of the pool
/// may be, after a restart of the server.
const BEGINS: usize = CONNECTIONS + 2;

/// What a transaction is for.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    Writing(Beside),
    Reading,
    Snapshot,
}

/// A transaction and what it wears. Dropped without [`Transaction::commit`], nothing happened.
pub(crate) struct Transaction(Box<Mutex<Open>>);

struct Open {
    pool: Pool,
    /// Whether the server is at the other end of a connection for as long as it lasts.
    direct: bool,
    mode: Mode,
    /// Nothing before the first statement, and once it has ended.
    client: Option<Pooled>,
    /// Nothing while it is being changed, because that may be broken off.
    wears: Option<Bound>,
    /// The server is doing something that nobody has waited for to its end.
    underway: bool,
    /// A statement has failed, and the server takes everything back whatever it is told.
    broken: bool,
}

/// What the server said to a statement.
struct Answer {
    rows: Vec<Row>,
    touched: u64,
}

impl Transaction {
    /// One that has not gone to the server yet.
    pub(super) fn new((pool, direct): (&Pool, bool), mode: Mode) -> Self {
        let (pool, client, wears) = (pool.clone(), None, None);
        let (underway, broken) = (false, false);
        let open = Open { pool, direct, mode, client, wears, underway, broken };
        Self(Box::new(Mutex::new(open)))
    }

    pub(crate) async fn run(&self, statement: Checked) -> Result<u64, StoreError> {
        let mut open = self.0.lock().await;
        Ok(open.answer(statement, None).await?.touched)
    }

    pub(crate) async fn rows(&self, statement: Checked) -> Result<Vec<Row>, StoreError> {
        let mut open = self.0.lock().await;
        Ok(open.answer(statement, None).await?.rows)
    }

    /// Runs statements that are the same but for their values. The first one is answered before the
    /// others leave, all of them together: it begins the transaction if nothing else has, and is
    /// prepared by then.
    pub(crate) async fn run_each(&self, statements: Vec<Checked>) -> Result<(), StoreError> {
        let mut open = self.0.lock().await;
        let mut statements = statements.into_iter();
        if let Some(first) = statements.next() {
            open.answer(first, None).await?;
        }
        let mut rest = statements.peekable();
        while rest.peek().is_some() {
            open.answer_each(rest.by_ref().take(TOGETHER).collect()).await?;
        }
        Ok(())
    }

    /// The only statement of a transaction that has nothing to keep: its end leaves together with it
    /// and is not waited for.
    pub(super) async fn only(self, statement: Checked) -> Result<Vec<Row>, StoreError> {
        let mut open = self.0.into_inner();
        let answer = open.answer(statement, Some(ROLLBACK)).await?;
        open.client = None;
        Ok(answer.rows)
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
        if let Some(client) = &open.client {
            open.underway = true;
            client.line.batch_execute(words).await.map_err(asking).map_err(failed)?;
            open.client = None;
        }
        Ok(())
    }
}

/// Statements that are on their way together: their answers wait for each other in memory.
const TOGETHER: usize = 256;

const ROLLBACK: &str = "ROLLBACK";

/// The message is what the second transaction has to write: one that writes nothing does not wait.
const COMMIT_EARLY: &str = "SET LOCAL synchronous_commit = off; COMMIT; \
    BEGIN; SELECT pg_logical_emit_message(true, 'bifrost', ''); COMMIT";

impl Open {
    /// Asks the server. Nothing has happened before the first answer of a transaction, so a
    /// connection that the server or the network has closed meanwhile costs another try and no error.
    async fn answer(
        &mut self,
        statement: Checked,
        end: Option<&'static str>,
    ) -> Result<Answer, StoreError> {
        let bound = statement.bound;
        let values: Vec<_> = statement.values.into_iter().map(Parameter::new).collect();
        let mut tries = 1;
        loop {
            let begins = self.client.is_none();
            if begins {
                // Whoever waited for a connection in vain does not wait again.
                self.client = Some(self.pool.take().await.map_err(failed)?);
            }
            match self.ask((bound, begins), (statement.sql, &values), end).await {
                Ok(answer) => return Ok(answer),
                Err(error) if begins && tries < BEGINS && is_broken(&error) => {
                    self.begin_anew(&error);
                    tries += 1;
                }
                Err(error) => {
                    self.broken = true;
                    return Err(failed(error));
                }
            }
        }
    }

    /// Asks all of these, of a transaction that has begun and wears what they need.
    async fn answer_each(&mut self, statements: Vec<Checked>) -> Result<(), StoreError> {
        let client = self.client.as_mut().ok_or(sqlx::Error::WorkerCrashed).map_err(failed)?;
        self.underway = true;
        let asked = client.each(statements, self.direct).await;
        self.underway = false;
        match asked.map_err(asking) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.broken = true;
                Err(failed(error))
            }
        }
    }

    fn begin_anew(&mut self, error: &sqlx::Error) {
        self.underway = false;
        if let Some(client) = self.client.take() {
            discard(client, error);
        }
    }

    async fn ask(
        &mut self,
        (bound, begins): (Bound, bool),
        (sql, values): (&'static str, &[Parameter]),
        end: Option<&'static str>,
    ) -> Result<Answer, sqlx::Error> {
        let before = match begins {
            true => Some(begin(bound, self.mode)),
            false => (self.wears != Some(bound)).then(|| clothes(bound)),
        };
        let client = self.client.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        (self.wears, self.underway) = (None, true);
        let asked = match self.direct {
            true => client.prepared(before, (sql, values), end).await,
            false => client.unprepared(before, (sql, values), end).await,
        };
        self.underway = false;
        let answer = asked.map_err(asking)?;
        self.wears = Some(bound);
        Ok(answer)
    }
}

impl Client {
    /// A statement that is prepared once on each connection.
    async fn prepared(
        &mut self,
        before: Option<String>,
        (sql, values): (&'static str, &[Parameter]),
        end: Option<&'static str>,
    ) -> Result<Answer, Error> {
        if let Some(statement) = self.prepared.get(sql) {
            return self.in_one_piece(before, self.execute(statement, values), end).await;
        }
        let kinds: Vec<_> = values.iter().map(Parameter::kind).collect();
        let preparing = self.line.prepare_typed(sql, &kinds);
        let statement = self.in_one_piece(before, preparing, None).await?;
        let asked = self.in_one_piece(None, self.execute(&statement, values), end).await;
        self.prepared.insert(sql, statement);
        asked
    }

    /// Sent one right behind the other; the server does them in this order.
    async fn each(&self, statements: Vec<Checked>, direct: bool) -> Result<Vec<Answer>, Error> {
        let asked = statements.into_iter().map(async |Checked { sql, values, .. }| {
            let values: Vec<_> = values.into_iter().map(Parameter::new).collect();
            match self.prepared.get(sql).filter(|_| direct) {
                Some(statement) => self.execute(statement, &values).await,
                None => self.execute_unprepared(sql, &values).await,
            }
        });
        // All of them are sent, and all are answered, also when one fails.
        join_all(asked).await.into_iter().collect()
    }

    async fn execute_unprepared(&self, sql: &str, values: &[Parameter]) -> Result<Answer, Error> {
        let values = values.iter().map(|value| (value, value.kind()));
        gather(self.line.query_typed_raw(sql, values).await?).await
    }

    async fn execute(&self, statement: &Statement, values: &[Parameter]) -> Result<Answer, Error> {
        gather(self.line.query_raw(statement, values).await?).await
    }

    /// A pooler hands the next transaction to another connection, on which nothing is prepared.
    async fn unprepared(
        &self,
        before: Option<String>,
        (sql, values): (&'static str, &[Parameter]),
        end: Option<&'static str>,
    ) -> Result<Answer, Error> {
        self.in_one_piece(before, self.execute_unprepared(sql, values), end).await
    }

    /// `asked`, sent right behind what goes before it and right before what ends it. The server does
    /// them in this order; `end` is not waited for.
    async fn in_one_piece<T>(
        &self,
        before: Option<String>,
        asked: impl Future<Output = Result<T, Error>>,
        end: Option<&'static str>,
    ) -> Result<T, Error> {
        let before = async {
            match &before {
                Some(words) => self.line.batch_execute(words).await,
                None => Ok(()),
            }
        };
        let mut both = pin!(join(before, asked));
        let sent = both.as_mut().now_or_never();
        if let Some(words) = end {
            self.tell(words);
        }
        let (begun, answer) = match sent {
            Some(done) => done,
            None => both.await,
        };
        begun.and(answer)
    }

    /// Says something that the server need not answer.
    fn tell(&self, words: &'static str) {
        // The first look at it sends it.
        let _unanswered = self.line.batch_execute(words).now_or_never();
    }
}

async fn gather(stream: RowStream) -> Result<Answer, Error> {
    let mut stream = pin!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(Row::Postgres(row));
    }
    Ok(Answer { rows, touched: stream.rows_affected().unwrap_or(0) })
}

/// Whoever drops it does not wait until the server has taken it back. A connection on which a
/// statement still runs is nobody else's until it is done: the next one would wait behind it.
impl Drop for Open {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        if !self.underway {
            return client.tell(ROLLBACK);
        }
        // Without a runtime the connections go as well.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = client.line.batch_execute(ROLLBACK).await {
                    discard(client, &asking(error));
                }
            });
        }
    }
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
            format!("SET LOCAL ROLE {TENANT}; SET LOCAL app.org = '{id}'")
        }
        // Whatever context was left by a tenant's statement goes with its role.
        Bound::System => {
            format!("SET LOCAL ROLE {SCHEDULER}; SET LOCAL app.org = ''")
        }
    }
}

/// Waits until nobody else writes in a scope. Rows that refer to the organization can be added all
/// the same: their key lock does not collide with this one.
fn alone(id: Uuid) -> String {
    format!("SELECT 1 FROM organizations WHERE id = '{id}' FOR NO KEY UPDATE")
}
