//! The zygotes of all environments: one that has no packages, and a few for the environments that
//! were used last.

use super::{Child, Kind, Launch, Order, Pool, SpawnFailed, Warm, ZygoteFailed, memory::Memory};
use crate::environments::Environment;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Most environments that have a zygote at the same time.
const MOST: usize = 16;
/// How long a zygote that nobody needs stays.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// All zygotes that fork executions.
pub(crate) struct Pools {
    launch: Launch,
    worn_out: u64,
    plain: Arc<Pool>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    others: HashMap<Key, Entry>,
    warm: Option<Warm>,
}

/// Packages, and whether they are imported ahead.
type Key = (String, bool);

struct Entry {
    pool: Arc<Pool>,
    used: Instant,
}

/// What a child is to have.
pub(crate) struct Wants<'a> {
    /// Its packages; `None` for the standard library.
    pub environment: Option<&'a Arc<Environment>>,
    /// What its zygote may have imported of them.
    pub ahead: Option<Vec<String>>,
    /// Whether the workspace has something of this name, which hides a package.
    pub hides: &'a (dyn Fn(&str) -> bool + Sync),
}

impl Pools {
    pub(crate) fn new(launch: Launch, worn_out: u64) -> Self {
        let plain = Arc::new(Pool::new(Kind::Run, launch.clone(), worn_out));
        Self { launch, worn_out, plain, state: Mutex::default() }
    }

    /// Starts the zygote without packages.
    pub(crate) async fn ready(&self) -> Result<(), ZygoteFailed> {
        self.plain.ready().await
    }

    /// A new child.
    pub(crate) async fn spawn(
        &self,
        wants: Wants<'_>,
        order: &Order<'_>,
    ) -> Result<Child, SpawnFailed> {
        let Some(environment) = wants.environment else {
            return self.plain.spawn(order).await;
        };
        if let Some(ahead) = wants.ahead.filter(|ahead| !ahead.is_empty()) {
            let pool = self.of(environment, true);
            // Imported ahead, a package would be found before a workspace module that hides it.
            let fits = |held: &[String]| !held.iter().any(|name| (wants.hides)(name));
            let child = pool.spawn_ahead(ahead, &fits, order).await;
            if let Some(child) = child {
                return Ok(child);
            }
        }
        self.of(environment, false).spawn(order).await
    }

    /// Has this and every later zygote hold these code objects.
    pub(crate) async fn warm(&self, warm: Warm) {
        let pools: Vec<_> = {
            let mut state = self.state();
            state.warm = Some(warm.clone());
            state.others.values().map(|entry| entry.pool.clone()).collect()
        };
        for pool in std::iter::once(&self.plain).chain(&pools) {
            pool.warm(warm.clone()).await;
        }
    }

    /// Lets go of the zygotes of environments that nobody has needed for minutes. Children that
    /// run keep theirs.
    pub(crate) fn let_go(&self) {
        self.state().others.retain(|_, entry| entry.used.elapsed() < IDLE);
    }

    /// What the zygotes and their children take.
    pub(crate) async fn memory(&self) -> Memory {
        let others: Vec<_> = self.state().others.values().map(|entry| entry.pool.clone()).collect();
        let mut memory = Memory::default();
        for pool in std::iter::once(&self.plain).chain(&others) {
            memory.add(pool.processes().await);
        }
        memory
    }

    /// The pool of an environment. Of too many the least recently used goes.
    fn of(&self, environment: &Arc<Environment>, is_ahead: bool) -> Arc<Pool> {
        let mut state = self.state();
        let key = (environment.id.clone(), is_ahead);
        if !state.others.contains_key(&key) && state.others.len() >= MOST {
            let oldest = state.others.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                state.others.remove(&oldest);
            }
        }
        let warm = state.warm.clone();
        let entry = state.others.entry(key).or_insert_with(|| {
            let launch = Launch { environment: Some(environment.clone()), ..self.launch.clone() };
            let pool = Pool::new(Kind::Run, launch, self.worn_out).with(warm);
            Entry { pool: Arc::new(pool), used: Instant::now() }
        });
        entry.used = Instant::now();
        entry.pool.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
