//! A transaction, the role it wears and the organization it is for.
//!
//! What begins it goes to the server together with its first statement, so beginning, role and
//! context cost no round trip of their own, and one that is given up before it asked anything was
//! never there. A look-up by itself is a transaction as it is: the server ends it with the answer.

use super::{
    clients::{CONNECTIONS, Pool, Pooled, discard},
    clothes::{Mode, Words, beginning, change_of},
    errors::is_broken,
    failed,
    wire::{Answer, Piece},
};
use crate::{StoreError, engine::Checked, gate::Bound, row::Row};
use tokio::sync::Mutex;

const BROKEN: &str = "a statement of this transaction has failed, so nothing of it is kept";

/// How often a transaction is begun anew when its connection turns out to be dead: all of the pool
/// may be, after a restart of the server.
const BEGINS: usize = CONNECTIONS + 2;

/// A transaction and what it wears. Dropped without [`Transaction::commit`], nothing happened.
pub(crate) struct Transaction(Box<Mutex<Open>>);

struct Open {
    pool: Pool,
    /// Whether the server is at the other end of a connection for as long as it lasts.
    direct: bool,
    mode: Mode,
    /// Nothing before the first statement, and once it has ended.
    wire: Option<Pooled>,
    /// Nothing while it is being changed, because that may be broken off.
    wears: Option<Bound>,
    /// What leaves with the next statement that is waited for, or with the end.
    pending: Vec<(Bound, Words)>,
    /// A statement has failed or was not waited for, and the server takes everything back whatever it
    /// is told.
    broken: bool,
}

impl Transaction {
    /// One that has not gone to the server yet.
    pub(super) fn new((pool, direct): (&Pool, bool), mode: Mode) -> Self {
        let (pool, wire, wears, pending) = (pool.clone(), None, None, Vec::new());
        let open = Open { pool, direct, mode, wire, wears, pending, broken: false };
        Self(Box::new(Mutex::new(open)))
    }

    pub(crate) async fn run(&self, statement: Checked) -> Result<u64, StoreError> {
        Ok(self.0.lock().await.answer(statement).await?.touched)
    }

    pub(crate) async fn rows(&self, statement: Checked) -> Result<Vec<Row>, StoreError> {
        Ok(in_rows(self.0.lock().await.answer(statement).await?))
    }

    /// Runs a statement whose answer nobody reads: it leaves with the next one, and so comes its error.
    pub(crate) async fn run_with_next(&self, statement: Checked) {
        self.0.lock().await.pending.push(with_bound(statement));
    }

    /// As [`Transaction::run_with_next`], for many. Not too many leave together: their answers wait for
    /// each other in memory.
    pub(crate) async fn run_each(&self, statements: Vec<Checked>) -> Result<(), StoreError> {
        let mut open = self.0.lock().await;
        for statement in statements {
            open.pending.push(with_bound(statement));
            if open.pending.len() == TOGETHER {
                open.send(&[]).await?;
            }
        }
        Ok(())
    }

    /// The rows of each of these, which leave together.
    pub(crate) async fn rows_each(
        &self,
        statements: Vec<Checked>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut open = self.0.lock().await;
        let mut rows = Vec::with_capacity(statements.len());
        let mut statements = statements.into_iter();
        while statements.len() > 0 {
            let waiting = open.pending.len();
            open.pending.extend(statements.by_ref().take(TOGETHER).map(with_bound));
            rows.extend(open.send(&[]).await?.into_iter().skip(waiting).map(in_rows));
        }
        Ok(rows)
    }

    /// The only statement of a transaction that has nothing to keep.
    pub(super) async fn only(self, statement: Checked) -> Result<Vec<Row>, StoreError> {
        Ok(in_rows(self.0.into_inner().answer(statement).await?))
    }

    /// Makes it so.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.0.into_inner().end(&COMMIT).await.map(drop)
    }

    /// A commit holds its locks until the disk has it, which is long for a row that many want. This
    /// one gives them up first: others see what it did and go on, and since the log of the database
    /// is one sequence, none of them is kept without it. A second, empty transaction waits for the
    /// disk, so whoever is answered has it for good.
    pub(crate) async fn commit_early(self) -> Result<(), StoreError> {
        self.0.into_inner().end(&COMMIT_EARLY).await.map(drop)
    }

    /// As [`Transaction::commit_early`], with a last statement that leaves together with it.
    pub(crate) async fn commit_after(self, last: Checked) -> Result<Vec<Row>, StoreError> {
        let mut open = self.0.into_inner();
        open.pending.push(with_bound(last));
        let answer = open.end(&COMMIT_EARLY).await?;
        Ok(answer.map(in_rows).unwrap_or_default())
    }
}

fn in_rows(answer: Answer) -> Vec<Row> {
    answer.rows.into_iter().map(Row::Postgres).collect()
}

/// Statements that are on their way together, at most.
const TOGETHER: usize = 256;

const COMMIT: [&str; 1] = ["COMMIT"];

/// The message is what the second transaction has to write: one that writes nothing does not wait.
const COMMIT_EARLY: [&str; 5] = [
    "SELECT set_config('synchronous_commit', 'off', true)",
    "COMMIT",
    "BEGIN",
    "SELECT pg_logical_emit_message(true, 'bifrost', '')",
    "COMMIT",
];

impl Open {
    /// The answer to a statement, after everything that is pending.
    async fn answer(&mut self, statement: Checked) -> Result<Answer, StoreError> {
        self.pending.push(with_bound(statement));
        let answer = self.send(&[]).await?.pop();
        answer.ok_or(sqlx::Error::WorkerCrashed).map_err(failed)
    }

    /// Ends it in the same piece as what is pending; the answer to the last of that. The server
    /// answers the end of a broken transaction as if all were well, so it is not asked.
    async fn end(&mut self, words: &[&'static str]) -> Result<Option<Answer>, StoreError> {
        if self.broken {
            return Err(failed(sqlx::Error::Protocol(BROKEN.to_owned())));
        }
        if self.wire.is_none() {
            if self.pending.is_empty() {
                return Ok(None);
            }
            // What begins it may have to be sent twice, and the end must not.
            let answer = self.send(&[]).await?.pop();
            self.send(words).await?;
            return Ok(answer);
        }
        Ok(self.send(words).await?.pop())
    }

    /// Sends what is pending and `end` in one piece; the answers to what was pending.
    /// Nothing has happened before the first answer of a transaction, so a connection that the server
    /// or the network has closed meanwhile costs another try and no error.
    async fn send(&mut self, end: &[&'static str]) -> Result<Vec<Answer>, StoreError> {
        let pending = std::mem::take(&mut self.pending);
        let broken = std::mem::replace(&mut self.broken, true);
        let mut tries = 1;
        loop {
            let begins = self.wire.is_none();
            if begins {
                // Whoever waited for a connection in vain does not wait again.
                self.wire = Some(self.pool.take().await.map_err(failed)?);
            }
            match self.ask(begins, &pending, end).await {
                Ok(answer) => {
                    self.broken = broken;
                    return Ok(answer);
                }
                Err(error) if begins && tries < BEGINS && is_broken(&error) => {
                    self.begin_anew(&error);
                    tries += 1;
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    fn begin_anew(&mut self, error: &sqlx::Error) {
        if let Some(wire) = self.wire.take() {
            discard(wire, error);
        }
    }

    async fn ask(
        &mut self,
        begins: bool,
        pending: &[(Bound, Words)],
        end: &[&'static str],
    ) -> Result<Vec<Answer>, sqlx::Error> {
        let mut wears = self.wears.take().filter(|_| !begins);
        let mut clothed = Vec::new();
        for (bound, words) in pending {
            let before = match wears {
                Some(worn) if worn == *bound => Vec::new(),
                None if begins => beginning(self.mode, *bound),
                _ => vec![change_of(*bound)],
            };
            wears = Some(*bound);
            clothed.push((before, words));
        }
        let end: Vec<_> = end.iter().map(|sql| Words::new(sql, Vec::new())).collect();
        let all = clothed.iter().flat_map(|(before, words)| before.iter().chain([*words]));
        // A pooler hands the next transaction to another connection, on which nothing is prepared.
        let keep = self.direct;
        let pieces = all.chain(&end).map(|it| Piece { sql: it.sql, values: &it.values, keep });
        let pieces: Vec<_> = pieces.collect();
        let wire = self.wire.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        let mut answers = wire.ask(&pieces).await?.into_iter();
        self.wears = wears;
        let theirs = clothed.iter().filter_map(|(before, _)| answers.by_ref().nth(before.len()));
        Ok(theirs.collect())
    }
}

/// Whoever drops it does not wait until the server has taken it back. A connection on which a
/// statement still runs is nobody else's until it is done: the next one would wait behind it.
impl Drop for Open {
    fn drop(&mut self) {
        let Some(mut wire) = self.wire.take() else { return };
        if wire.is_quiet() || wire.leave() {
            return;
        }
        // Without a runtime the connections go as well.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = wire.settle().await {
                    discard(wire, &error);
                }
            });
        }
    }
}

fn with_bound(statement: Checked) -> (Bound, Words) {
    (statement.bound, Words::new(statement.sql, statement.values))
}
