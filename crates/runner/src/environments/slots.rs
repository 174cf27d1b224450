//! What each file came to, as far as this process knows.

use super::{Environment, lock};
use domain::{Scope, environment::Wanted};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// How long a failure is believed. Then it is tried again behind the runs.
const BELIEVED: Duration = Duration::from_secs(5 * 60);
/// Most files that are remembered; of more, those that nobody is at are forgotten.
const MOST: usize = 4_096;

/// What a file came to.
#[derive(Clone, Debug)]
pub(super) enum Settled {
    /// Its packages.
    Ready(Arc<Environment>),
    /// Nothing, and what there is instead: an environment with the version of its file.
    Failed { why: String, instead: Option<(Arc<Environment>, u32)> },
}

impl Settled {
    pub(super) fn failed(why: &str) -> Self {
        Self::Failed { why: why.to_owned(), instead: None }
    }

    pub(super) fn environment(&self) -> Option<&Arc<Environment>> {
        match self {
            Self::Ready(environment) => Some(environment),
            Self::Failed { instead, .. } => instead.as_ref().map(|(environment, _)| environment),
        }
    }
}

/// All files, by scope and hash.
#[derive(Default)]
pub(super) struct Slots(Mutex<HashMap<(Scope, String), Arc<Slot>>>);

/// One file.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by whoever builds.
    pub building: tokio::sync::Mutex<()>,
    state: Mutex<Option<(Settled, Instant)>>,
}

impl Slots {
    pub(super) fn of(&self, wanted: &Wanted) -> Arc<Slot> {
        let mut slots = lock(&self.0);
        if slots.len() >= MOST {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        slots.entry((wanted.owner, wanted.hash.clone())).or_default().clone()
    }

    /// Lets go of whatever nobody has noted to use for so long.
    pub(super) fn let_go(&self, time: Duration) {
        lock(&self.0).retain(|_, slot| {
            let settled = slot.settled();
            let idle = |it: &Arc<Environment>| lock(&it.noted).elapsed() > time;
            !settled.as_ref().and_then(Settled::environment).is_some_and(idle)
        });
    }
}

impl Slot {
    pub(super) fn settled(&self) -> Option<Settled> {
        lock(&self.state).as_ref().map(|(settled, _)| settled.clone())
    }

    pub(super) fn settle(&self, settled: Settled) {
        *lock(&self.state) = Some((settled, Instant::now()));
    }

    pub(super) fn forget(&self) {
        *lock(&self.state) = None;
    }

    /// A failure is believed no longer.
    pub(super) fn try_again(&self) {
        let mut state = lock(&self.state);
        if let Some((Settled::Failed { .. }, _)) = &*state {
            *state = None;
        }
    }

    /// Whether it failed and that was long ago.
    pub(super) fn is_to_be_tried_again(&self) -> bool {
        match &*lock(&self.state) {
            Some((Settled::Failed { .. }, at)) => at.elapsed() > BELIEVED,
            _ => false,
        }
    }
}
