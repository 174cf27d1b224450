//! Where bundles are kept: one slot a scope, the least recently used let go for room.

use super::Bundle;
use domain::Scope;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// All slots.
pub(super) struct Shelf {
    slots: Mutex<HashMap<Scope, Arc<Slot>>>,
    /// Bytes.
    budget: u64,
    clock: AtomicU64,
}

/// The bundle of one scope.
pub(super) struct Slot {
    /// Held by whoever builds.
    pub building: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    used: AtomicU64,
}

#[derive(Default)]
struct State {
    bundle: Option<Arc<Bundle>>,
    compiling: bool,
}

impl Shelf {
    pub(super) fn new(budget: u64) -> Self {
        Self { slots: Mutex::default(), budget, clock: AtomicU64::new(0) }
    }

    pub(super) fn slot(&self, owner: Scope) -> Arc<Slot> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut slots = lock(&self.slots);
        let slot = slots.entry(owner).or_insert_with(|| {
            let building = tokio::sync::Mutex::default();
            Arc::new(Slot { building, state: Mutex::default(), used: AtomicU64::new(0) })
        });
        slot.used.store(now, Ordering::Relaxed);
        slot.clone()
    }

    /// Lets go of the least recently used bundles until the rest fits. Runs that have one keep
    /// it; a slot that somebody is at is left alone, and so is the most recently used one.
    pub(super) fn make_room(&self) {
        let mut slots = lock(&self.slots);
        let mut kept: Vec<_> = slots
            .iter()
            .map(|(scope, slot)| (slot.used.load(Ordering::Relaxed), *scope, slot.size()))
            .collect();
        kept.sort_unstable_by_key(|(used, ..)| std::cmp::Reverse(*used));
        let mut total = 0;
        for (position, (_, scope, size)) in kept.into_iter().enumerate() {
            total += size;
            let idle = |slot: &Arc<Slot>| Arc::strong_count(slot) == 1;
            if total > self.budget && position > 0 && slots.get(&scope).is_some_and(idle) {
                slots.remove(&scope);
                total -= size;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn holds(&self, owner: Scope) -> bool {
        lock(&self.slots).get(&owner).is_some_and(|slot| slot.latest().is_some())
    }
}

impl Slot {
    /// The bundle, if it is new enough.
    pub(super) fn current(&self, at_least: i64) -> Option<Arc<Bundle>> {
        self.latest().filter(|bundle| bundle.generation >= at_least)
    }

    /// The newest bundle.
    pub(super) fn latest(&self) -> Option<Arc<Bundle>> {
        lock(&self.state).bundle.clone()
    }

    pub(super) fn put(&self, bundle: Arc<Bundle>) {
        lock(&self.state).bundle = Some(bundle);
    }

    /// Whether the caller is the one who compiles from now on, until there is nothing next.
    pub(super) fn start_compiling(&self) -> bool {
        !std::mem::replace(&mut lock(&self.state).compiling, true)
    }

    /// The newest bundle if it is not compiled; else compiling has stopped.
    pub(super) fn next_to_compile(&self) -> Option<Arc<Bundle>> {
        let mut state = lock(&self.state);
        let next = state.bundle.clone().filter(|bundle| !bundle.is_compiled());
        state.compiling = next.is_some();
        next
    }

    fn size(&self) -> u64 {
        self.latest().map_or(0, |bundle| bundle.size())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
