//! Keeps a connection: lets go of one that fails, and tries for another one, less and less often.

use super::connection::{Connection, no_answer};
use crate::{Address, metrics};
use ::redis::{Cmd, RedisError, Value};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{sleep, timeout},
};

/// How often a connection that nobody uses is asked whether it lives.
const BEAT: Duration = Duration::from_secs(2);
/// How long it may take to say so.
const PULSE: Duration = Duration::from_millis(500);
/// The first pause after a connection was lost; each further one is twice as long …
const FIRST: Duration = Duration::from_secs(1);
/// … up to this one, and a connection that has lasted so long starts again with the first.
const LONGEST: Duration = Duration::from_secs(30);

/// The way to Redis, while there is one.
pub(super) struct Link {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

struct Shared {
    address: Address,
    connection: Mutex<Option<Connection>>,
    lost: Notify,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Link {
    /// Tries once to connect; whatever comes of it, goes on trying in the background.
    pub(super) async fn open(address: Address) -> Self {
        let shared = Shared { address, connection: Mutex::default(), lost: Notify::new() };
        let shared = Arc::new(shared);
        if let Err(error) = shared.connect().await {
            metrics::failed("connect");
            tracing::warn!(redis = %shared.address, %error, "the cache does not answer; runs read the database");
        }
        let keeper = tokio::spawn(keep(shared.clone())).abort_handle();
        Self { shared, keeper }
    }

    pub(super) fn is_up(&self) -> bool {
        self.shared.connection().is_some()
    }

    /// One reply for each command; `None` when Redis is lost, or gets lost over this.
    pub(super) async fn run(
        &self,
        commands: Vec<Cmd>,
        limit: Duration,
    ) -> Option<Vec<Result<Value, RedisError>>> {
        if commands.is_empty() {
            return Some(Vec::new());
        }
        let mut connection = self.shared.connection().clone()?;
        match timeout(limit, connection.run(commands)).await {
            Ok(Ok(replies)) => Some(replies),
            Ok(Err(error)) => {
                self.lose(&error);
                None
            }
            Err(_) => {
                self.lose(&no_answer());
                None
            }
        }
    }

    /// Lets go of the connection.
    pub(super) fn lose(&self, why: &RedisError) {
        self.shared.lose(why);
    }
}

impl Shared {
    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<(), RedisError> {
        let connection = Connection::open(&self.address).await?;
        *self.connection() = Some(connection);
        Ok(())
    }

    fn lose(&self, error: &RedisError) {
        // Of several that fail at once, the first tells.
        if self.connection().take().is_some() {
            tracing::warn!(redis = %self.address, %error, "the cache is lost; runs read the database");
            self.lost.notify_one();
        }
    }

    /// Returns when the connection is lost.
    async fn watch(&self) {
        loop {
            let Some(mut connection) = self.connection().clone() else { return };
            tokio::select! {
                () = self.lost.notified() => continue,
                () = sleep(BEAT) => {}
            }
            match timeout(PULSE, connection.ping()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.lose(&error),
                Err(_) => self.lose(&no_answer()),
            }
        }
    }
}

/// Never ends; runs as long as the link.
async fn keep(shared: Arc<Shared>) {
    let mut pause = FIRST;
    loop {
        let since = Instant::now();
        shared.watch().await;
        if since.elapsed() >= LONGEST {
            pause = FIRST;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
        match shared.connect().await {
            Ok(()) => tracing::info!(redis = %shared.address, "the cache answers again"),
            Err(error) => {
                metrics::failed("connect");
                tracing::debug!(%error, "the cache does not answer yet");
            }
        }
    }
}
