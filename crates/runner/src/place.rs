//! The place of a run among those that run: lent while it waits for another one, and taken back.
//!
//! There are two: that in the lane of its organization, which the store counts, and the slot of its
//! worker. Whoever wants both takes the lane's first, as a claim does, so that nobody waits in a
//! circle.

use crate::sources::now;
use jobs::Bells;
use std::{fmt, sync::Arc, time::Duration};
use store::{Back, Lease, Scoped, StoreError};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

/// How often a place is asked for that is not free yet: at first, and at most.
const ASK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// The place of one run. The default is that of a run that nobody claimed: it is never lent.
#[derive(Clone, Default)]
pub struct Place(Option<Arc<Inner>>);

struct Inner {
    lease: Lease,
    bells: Bells,
    slots: Arc<Semaphore>,
    now: Mutex<Standing>,
}

struct Standing {
    slot: Option<OwnedSemaphorePermit>,
    /// Calls of the run that wait for other runs.
    waits: u32,
    lent: bool,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.0.as_ref().map(|inner| inner.lease)).finish()
    }
}

impl Place {
    /// The place of a claimed run that holds a slot of its worker.
    pub fn new(
        lease: Lease,
        bells: Bells,
        slots: Arc<Semaphore>,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        let now = Mutex::new(Standing { slot: Some(slot), waits: 0, lent: false });
        Self(Some(Arc::new(Inner { lease, bells, slots, now })))
    }

    /// The bells of the process, if it is one that has some.
    pub(crate) fn bells(&self) -> Option<&Bells> {
        self.0.as_ref().map(|inner| &inner.bells)
    }

    /// One more call waits: with the first one the place is lent.
    pub(crate) async fn lend(&self, scoped: &Scoped) -> Result<(), StoreError> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let mut standing = inner.now.lock().await;
        standing.waits += 1;
        if standing.lent {
            return Ok(());
        }
        if let Some(next) = scoped.lend_place(inner.lease, now()).await? {
            standing.lent = true;
            standing.slot = None;
            if next > 0 {
                inner.bells.ring_work();
            }
        }
        Ok(())
    }

    /// One call less waits: with the last one the run has a place again when this returns.
    pub(crate) async fn take_back(&self, scoped: &Scoped) -> Result<(), StoreError> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let mut standing = inner.now.lock().await;
        standing.waits = standing.waits.saturating_sub(1);
        if standing.waits > 0 || !standing.lent {
            return Ok(());
        }
        let mut pause = ASK.0;
        while scoped.take_place_back(inner.lease, now()).await? == Back::NotYet {
            sleep(pause).await;
            pause = (pause * 2).min(ASK.1);
        }
        standing.slot = inner.slots.clone().acquire_owned().await.ok();
        standing.lent = false;
        Ok(())
    }
}
