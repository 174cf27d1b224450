//! The connections to one file: how each is opened, and who has which.

use super::errors::failed;
use crate::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

/// How long a statement waits for another process that is writing.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// What another process takes, about, to switch a new file to WAL.
pub(super) const SWITCHING: Duration = Duration::from_millis(20);

/// SQLite reads in parallel and writes one at a time, so a few do.
const CONNECTIONS: usize = 8;

/// How long somebody waits for one of them.
const WAIT: Duration = Duration::from_secs(10);

/// Statements that a connection keeps prepared.
const PREPARED: usize = 200;

/// Steps of SQLite's machine between two looks at what is left of an allowance.
const STRIDE: i32 = 1_000;

/// What is deleted is overwritten with zeros (`secure_delete`), so that a purged organization or a
/// shredded key is not left in free pages. WAL lets readers go on beside the one writer.
/// `synchronous=FULL` makes a reply of 200 outlive a power cut. Foreign keys are off by default in
/// SQLite and must be asked for. Without `recursive_triggers` a REPLACE would remove rows behind the
/// back of the triggers that keep them.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;
    PRAGMA secure_delete = ON; PRAGMA recursive_triggers = ON;";

/// Where the file is and how it is opened.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub path: PathBuf,
    /// Whether a file that is not there is made.
    pub create: bool,
    /// Whether it may be changed.
    pub writes: bool,
    /// Whether keys that refer to other rows are held.
    pub keys: bool,
}

/// All connections to one file.
pub(super) struct Connections {
    place: Place,
    free: Mutex<Vec<Wire>>,
    permits: Arc<Semaphore>,
}

/// An open connection.
pub(super) struct Wire {
    pub connection: Connection,
    /// Steps that a statement may still take before it is interrupted.
    allowance: Arc<AtomicI64>,
}

/// A connection that somebody has. It goes back when this is dropped; what was begun on it and not
/// committed did not happen.
pub(super) struct Lent {
    wire: Option<Wire>,
    home: Arc<Connections>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// With one connection that is open.
    pub(super) async fn open(place: Place) -> Result<Arc<Self>, StoreError> {
        let deadline = Instant::now() + BUSY;
        let wire = loop {
            match open_aside(place.clone()).await {
                // The very first connection of a new file switches it to WAL, for which SQLite asks
                // once: its busy handler does not wait for another process that does the same.
                Err(StoreError::Locked) if Instant::now() < deadline => {
                    tokio::time::sleep(SWITCHING).await;
                }
                Err(StoreError::CannotOpen(_)) => {
                    return Err(StoreError::CannotOpen(place.path.display().to_string()));
                }
                opened => break opened?,
            }
        };
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        Ok(Arc::new(Self { place, free: Mutex::new(vec![wire]), permits }))
    }

    /// One of them, when there is one.
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Lent, StoreError> {
        let permit = timeout(WAIT, self.permits.clone().acquire_owned()).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(StoreError::Locked)?;
        let free = self.free().pop();
        let wire = match free {
            Some(wire) => wire,
            None => open_aside(Place { create: false, ..self.place.clone() }).await?,
        };
        Ok(Lent { wire: Some(wire), home: self.clone(), _permit: permit })
    }

    /// As a URL of the library that migrates.
    pub(super) fn url(&self) -> String {
        format!("sqlite:{}", self.place.path.display())
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Wire>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn open_aside(place: Place) -> Result<Wire, StoreError> {
    aside(move || Wire::open(&place).map_err(failed)).await?
}

/// Does what may wait for the disk, or for another process, where nobody else waits for it.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Unavailable(format!("a statement was given up: {error}")))
}

impl Wire {
    fn open(place: &Place) -> rusqlite::Result<Self> {
        let flags = match place {
            Place { writes: false, .. } => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Place { create: false, .. } => OpenFlags::SQLITE_OPEN_READ_WRITE,
            _ => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&place.path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.execute_batch(SETTINGS)?;
        connection.pragma_update(None, "foreign_keys", place.keys)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        let allowance = Arc::new(AtomicI64::new(i64::MAX));
        let left = allowance.clone();
        let spend = move || left.fetch_sub(i64::from(STRIDE), Ordering::Relaxed) <= 0;
        connection.progress_handler(STRIDE, Some(spend))?;
        Ok(Self { connection, allowance })
    }

    /// Lets the next statement take about so many steps. What takes more is interrupted.
    pub(super) fn allow(&self, steps: i64) {
        self.allowance.store(steps, Ordering::Relaxed);
    }
}

impl Lent {
    /// The connection; there until this is dropped.
    pub(super) fn wire(&self) -> Result<&Wire, StoreError> {
        self.wire.as_ref().ok_or(StoreError::Locked)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(wire) = self.wire.take() else { return };
        let is_clean =
            wire.connection.is_autocommit() || wire.connection.execute_batch("ROLLBACK").is_ok();
        if is_clean {
            self.home.free().push(wire);
        }
    }
}
