//! Transactions, and who of this process may write.

use super::{
    connections::{BUSY, Connections, Lent, aside},
    errors::failed,
    statement::{self, Answer, Asked, Pace},
};
use crate::{StoreError, engine::Checked, row::Row};
use std::{
    sync::{Arc, Mutex as Slot, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{Instant, timeout},
};

/// How long a writer waits for those of this process before it.
const QUEUE: Duration = Duration::from_secs(10);

/// What a writer waits before somebody else's failure counts as its own.
const PATIENCE: Duration = Duration::from_secs(1);

/// Those of this process who want to write. SQLite has one writer; queueing for it here is fair and
/// wakes at once, while SQLite's own busy handler sleeps between tries.
///
/// Holds the moment at which somebody last found that another process does not let go of the
/// database. Whoever had been queueing by then has waited for the same lock, and is told so at once:
/// else each would wait [`BUSY`] after the one before it.
#[derive(Clone, Default)]
pub(super) struct Writers(Arc<Mutex<Option<Instant>>>);

type Turn = OwnedMutexGuard<Option<Instant>>;

/// A transaction, with the right to write for as long as it is held if it writes.
pub(crate) struct Transaction {
    /// Nothing while a statement runs elsewhere. Where nobody waits for that one any more, it stays so.
    held: Slot<Option<Box<Held>>>,
    pace: Pace,
    /// Changes of the connection before it.
    before: u64,
}

/// The connection goes before the turn: what is begun anew finds nothing begun.
struct Held {
    lent: Lent,
    _turn: Option<Turn>,
}

impl Transaction {
    /// Begins one that writes, when it is its turn.
    pub(super) async fn write(
        connections: &Arc<Connections>,
        writers: &Writers,
        pace: Pace,
    ) -> Result<Self, StoreError> {
        let came = Instant::now();
        let turn = timeout(QUEUE, writers.0.clone().lock_owned()).await;
        let mut turn = turn.map_err(|_| StoreError::Locked)?;
        if turn.is_some_and(|moment| moment.duration_since(came) >= PATIENCE) {
            return Err(StoreError::Locked);
        }
        match begin_writing(connections.lend().await?).await {
            Ok(lent) => Self::of(lent, Some(turn), pace),
            Err(error) => {
                if let StoreError::Locked = error {
                    *turn = Some(Instant::now());
                }
                Err(error)
            }
        }
    }

    /// Begins one that reads: all its statements see the same moment.
    pub(super) async fn snapshot(connections: &Arc<Connections>) -> Result<Self, StoreError> {
        let lent = connections.lend().await?;
        lent.wire()?.connection.execute_batch("BEGIN DEFERRED").map_err(failed)?;
        Self::of(lent, None, Pace::Quick)
    }

    fn of(lent: Lent, turn: Option<Turn>, pace: Pace) -> Result<Self, StoreError> {
        let before = lent.wire()?.connection.total_changes();
        let held = Some(Box::new(Held { lent, _turn: turn }));
        Ok(Self { held: Slot::new(held), pace, before })
    }

    pub(crate) async fn run(&self, statement: Checked) -> Result<u64, StoreError> {
        Ok(self.ask(statement).await?.touched)
    }

    pub(crate) async fn rows(&self, statement: Checked) -> Result<Vec<Row>, StoreError> {
        Ok(wrapped(self.ask(statement).await?))
    }

    async fn ask(&self, statement: Checked) -> Result<Answer, StoreError> {
        let held = self.slot().take().ok_or(StoreError::Locked)?;
        let (held, answer) = ask(held, |held| &held.lent, statement, self.pace).await?;
        *self.slot() = Some(held);
        answer
    }

    /// Makes it so. The disk is waited for elsewhere.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        let held = self.slot().take().ok_or(StoreError::Locked)?;
        let unchanged = held.lent.wire()?.connection.total_changes() == self.before;
        let commit = move || {
            let done = held.lent.wire()?.connection.execute_batch("COMMIT").map_err(failed);
            drop(held);
            done
        };
        if unchanged { commit() } else { aside(commit).await? }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Box<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the database for writing; waits for other processes elsewhere.
async fn begin_writing(lent: Lent) -> Result<Lent, StoreError> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    let connection = &lent.wire()?.connection;
    connection.busy_timeout(Duration::ZERO).map_err(failed)?;
    let begun = connection.execute_batch(BEGIN).map_err(failed);
    connection.busy_timeout(BUSY).map_err(failed)?;
    match begun {
        Ok(()) => Ok(lent),
        Err(StoreError::Locked) => {
            aside(move || {
                lent.wire()?.connection.execute_batch(BEGIN).map_err(failed)?;
                Ok(lent)
            })
            .await?
        }
        Err(error) => Err(error),
    }
}

/// A statement by itself, which reads.
pub(super) async fn ask_alone(lent: Lent, statement: Checked) -> Result<Answer, StoreError> {
    let (_lent, answer) = ask(lent, |lent| lent, statement, Pace::Slow).await?;
    answer
}

/// Asks at once what is soon answered, and on another thread what is not.
async fn ask<H: Send + 'static>(
    held: H,
    lent: fn(&H) -> &Lent,
    statement: Checked,
    pace: Pace,
) -> Result<(H, Result<Answer, StoreError>), StoreError> {
    match statement::ask(lent(&held).wire()?, &statement, pace) {
        Ok(Asked::Answered(answer)) => return Ok((held, Ok(answer))),
        Ok(Asked::NotHere) => {}
        Err(error) => return Ok((held, Err(error))),
    }
    aside(move || {
        let wire = lent(&held).wire();
        let asked = wire.and_then(|wire| statement::ask(wire, &statement, Pace::Any));
        let answer = asked.and_then(|asked| match asked {
            Asked::Answered(answer) => Ok(answer),
            Asked::NotHere => Err(StoreError::Locked),
        });
        (held, answer)
    })
    .await
}

pub(super) fn wrapped(answer: Answer) -> Vec<Row> {
    answer.rows.into_iter().map(Row::Sqlite).collect()
}
