//! Carries the bells of one process to all others on the same database.
//!
//! What was rung while the last word was on its way goes with the next one, so that a thousand
//! rings cost as many words as there are round trips.

use crate::Bells;
use std::time::Duration;
use store::{Heard, News, NewsListener, NewsTeller, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// How long to wait before a connection that failed is made again.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// How long our own first word may take to come back.
const ECHO: Duration = Duration::from_secs(5);

/// Carries rings until `stop`. On an engine that cannot, it ends at once: its processes share a
/// machine and look often enough.
pub async fn carry_bells(store: Store, bells: Bells, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let carried = tokio::select! {
            () = stop.cancelled() => return,
            carried = carry(&store, &bells) => carried,
        };
        match carried {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(%error, "other processes are not heard; looking now and then instead");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(AFTER_TROUBLE) => bells.ring_everything(),
        }
    }
}

async fn carry(store: &Store, bells: &Bells) -> Result<(), StoreError> {
    let Some((teller, listener)) = store.news().await? else { return Ok(()) };
    bells.carry_out();
    let (told, heard) = (tell(&teller, bells), hear(listener, bells));
    tokio::select! { told = told => told, heard = heard => heard }
}

async fn tell(teller: &NewsTeller, bells: &Bells) -> Result<(), StoreError> {
    teller.tell(&News::default()).await?;
    loop {
        let news = bells.news().await;
        teller.tell(&news).await?;
    }
}

async fn hear(mut listener: NewsListener, bells: &Bells) -> Result<(), StoreError> {
    let mut echo = false;
    loop {
        let heard = match echo {
            true => listener.hear().await?,
            false => match tokio::time::timeout(ECHO, listener.hear()).await {
                Ok(heard) => heard?,
                Err(_) => {
                    tracing::warn!(
                        "our own word does not come back; is a pooler in transaction mode in \
                         between? Work is found by looking, within half a second"
                    );
                    echo = true;
                    continue;
                }
            },
        };
        match heard {
            Heard::Echo => echo = true,
            Heard::Gap => bells.ring_everything(),
            Heard::News(news) => bells.ring_here(&news),
        }
    }
}
