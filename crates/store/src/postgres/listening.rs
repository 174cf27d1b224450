//! LISTEN and NOTIFY on a connection of its own.

use super::{clients::Pool, failed};
use crate::StoreError;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

const CHANNEL: &str = "bifrost";

/// Hears what is said on the database's channel.
pub(crate) struct Listener(PgListener);

impl Listener {
    pub(super) async fn connect(options: PgConnectOptions) -> Result<Self, StoreError> {
        let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let own = own.connect_with(options).await.map_err(failed)?;
        let mut listener = PgListener::connect_with(&own).await.map_err(failed)?;
        listener.listen(CHANNEL).await.map_err(failed)?;
        Ok(Self(listener))
    }

    /// The next word; nothing, when the connection was lost and is there again.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, StoreError> {
        let heard = self.0.try_recv().await.map_err(failed)?;
        Ok(heard.map(|word| word.payload().to_owned()))
    }
}

/// Says a word on the database's channel, by itself: a transaction that notifies would make every
/// other one that does wait for its commit. It is one message, because outside of a transaction a
/// pooler may hand the next one to another connection.
pub(super) async fn say(pool: &Pool, word: &str) -> Result<(), StoreError> {
    let word = word.replace('\'', "''");
    let mut wire = pool.take().await.map_err(failed)?;
    wire.run(&format!("NOTIFY {CHANNEL}, '{word}'")).await.map_err(failed)
}
