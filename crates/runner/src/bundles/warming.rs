//! Which of Global's modules executions load, so that the zygote holds their code objects.

use super::shelf::Slot;
use crate::{
    bundle::Table,
    zygote::{Pools, Warm},
};
use domain::{execution::LoadedModule, scope::Side};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Most modules held ready. A code object takes about 11 KB of every zygote.
const MOST: usize = 512;
/// Changes within this time are one change.
const QUIET: Duration = Duration::from_millis(500);

pub(super) struct Warming {
    runs: Arc<Pools>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By module name, how many runs loaded it.
    loaded: HashMap<String, u64>,
    pending: bool,
}

impl Warming {
    pub(super) fn new(runs: Arc<Pools>) -> Self {
        Self { runs, state: Mutex::default() }
    }

    /// Counts what a run has loaded of Global; whether something is new.
    pub(super) fn learn(&self, modules: &[LoadedModule]) -> bool {
        let mut state = self.state();
        let mut new = false;
        for module in modules.iter().filter(|module| module.scope == Side::Global) {
            if let Some(count) = state.loaded.get_mut(&module.name) {
                *count += 1;
            } else if state.loaded.len() < MOST {
                state.loaded.insert(module.name.clone(), 1);
                new = true;
            }
        }
        new
    }

    /// Whether the caller is to warm, soon.
    pub(super) fn start(&self) -> bool {
        !std::mem::replace(&mut self.state().pending, true)
    }

    /// Waits for quiet and hands Global's hot modules to the zygotes.
    pub(super) async fn warm(&self, global: &Slot) {
        tokio::time::sleep(QUIET).await;
        self.state().pending = false;
        match self.choose(global) {
            Ok(Some(warm)) => self.runs.warm(warm).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the hot modules could not be chosen"),
        }
    }

    fn choose(&self, global: &Slot) -> io::Result<Option<Warm>> {
        let Some(bundle) = global.latest().filter(|bundle| bundle.is_compiled()) else {
            return Ok(None);
        };
        let table = Table::read(&bundle.file)?;
        let state = self.state();
        let hot =
            |key: &str| key.strip_prefix("m:").is_some_and(|name| state.loaded.contains_key(name));
        let entries: Vec<u32> = table
            .entries()
            .filter(|entry| entry.kind.has_code() && hot(entry.key))
            .map(|entry| entry.number)
            .collect();
        let (bundle, codes) = (bundle.file.clone(), bundle.codes());
        Ok((!entries.is_empty()).then_some(Warm { entries, bundle, codes }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
