//! The caretaker that starts workflows whose time has come.
//!
//! Any number of processes may do this at once: a tick that one has taken is locked for the others,
//! and has moved on when they see it again.

use crate::{Bells, Clock, metrics};
use domain::{ExecutionId, Timestamp};
use std::{sync::Arc, time::Duration};
use store::{Reason, ScheduleTick, Store, StoreError, TickOutcome};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long it sleeps at most: what was written or switched meanwhile counts this much later.
const LOOK: Duration = Duration::from_secs(1);
/// How many organizations are brought up to date before it is looked for what is due.
const ORGANIZATIONS: u32 = 100;
/// How much is started before changes are looked for again.
const STARTS: u32 = 1_000;

/// Starts what is due, now and again.
pub struct Ticker {
    store: Store,
    bells: Bells,
    clock: Arc<dyn Clock>,
}

impl Ticker {
    /// One for this process.
    pub fn new(store: Store, bells: Bells, clock: Arc<dyn Clock>) -> Self {
        Self { store, bells, clock }
    }

    /// Looks at once and then whenever something is due, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let pause = match self.look(&stop).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "could not look for what is due; trying again");
                    LOOK
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Brings schedules up to date and starts all that is due; how long there is nothing to do.
    pub async fn look(&self, stop: &CancellationToken) -> Result<Duration, StoreError> {
        let system = self.store.system(Reason::Schedule);
        let changed = system.plan_schedules(ORGANIZATIONS).await?;
        for _ in 0..STARTS {
            let (next, now) = (system.next_tick().await?, self.clock.now());
            let Some(_due) = next.filter(|next| *next <= now) else {
                let more = changed == ORGANIZATIONS as usize;
                let free = next.map_or(LOOK, |next| between(now, next).min(LOOK));
                return Ok(if more { Duration::ZERO } else { free });
            };
            match system.start_scheduled(ExecutionId(Uuid::now_v7()), now).await? {
                Some(tick) => self.tell(tick),
                // What is due is in the hands of others, and whoever of them dies lets it go.
                None => return Ok(LOOK),
            }
            if stop.is_cancelled() {
                break;
            }
        }
        Ok(Duration::ZERO)
    }

    fn tell(&self, tick: ScheduleTick) {
        let (organization, at) = (tick.owner.column(), tick.at);
        match tick.outcome {
            TickOutcome::Started(_) => {
                metrics::ticked("started");
                self.bells.ring_work();
            }
            TickOutcome::PassedOver(why) => {
                metrics::ticked("passed_over");
                tracing::warn!(%organization, %at, %why, "a schedule started nothing");
            }
            TickOutcome::Waits => {
                metrics::ticked("waits");
                tracing::warn!(%organization, %at, "a schedule waits for a place in the queue");
            }
            TickOutcome::Void => metrics::ticked("void"),
        }
    }
}

fn between(now: Timestamp, next: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(next.0.saturating_sub(now.0)).unwrap_or(0))
}
