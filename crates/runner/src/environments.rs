//! The packages that runs can import: what a scope's `requirements.txt` comes to, built once for
//! everybody who asks for the same, kept for as long as somebody does.
//!
//! A run waits for the environment of its file. When that cannot be built it has the last one
//! that could, and says so.

mod building;
mod directories;
mod keeping;
mod learning;
mod options;
mod slots;
mod uv;
mod words;

pub use options::{EnvironmentOptions, Preload};
pub use uv::{NoUv, Uv};

use crate::{Python, sandbox::Sandbox, sources::now};
use building::{Builds, NotBuilt, Progress};
pub(crate) use directories::Directories;
use domain::{
    Scope,
    environment::{Builder, Wanted},
};
use learning::Learning;
use slots::{Settled, Slots};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use store::{EnvironmentLock, EnvironmentNews, Reason, Store, StoreError, System};
use tokio::sync::watch;

/// How often a build says that it goes on.
const BEAT: Duration = Duration::from_secs(15);
/// Changes of progress within this time are one.
const PROGRESS: Duration = Duration::from_millis(500);
/// How often the use of an environment is noted.
const NOTED: Duration = Duration::from_secs(60 * 60);

/// Packages that are there. Nobody removes them while somebody has this.
#[derive(Debug)]
pub(crate) struct Environment {
    /// Names the directory.
    pub id: String,
    /// What goes on the module search path.
    pub packages: PathBuf,
    noted: Mutex<Instant>,
}

/// What a run has of packages.
#[derive(Clone, Debug, Default)]
pub(crate) struct ForRun {
    /// `None`: the standard library.
    pub environment: Option<Arc<Environment>>,
    /// Whether its zygote may import packages ahead.
    pub ahead: bool,
    /// What the run's log is to begin with.
    pub warning: Option<String>,
}

/// The environments of this process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Environments {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    python: Python,
    options: EnvironmentOptions,
    directories: Directories,
    builds: Builds,
    slots: Slots,
    /// Those that somebody has.
    held: Mutex<HashMap<String, Weak<Environment>>>,
    learning: Learning,
}

impl Environments {
    /// Those of `directories`, installed behind the walls of `sandbox`.
    pub(crate) fn new(
        (directories, sandbox): (Directories, Sandbox),
        python: Python,
        options: EnvironmentOptions,
        store: Store,
    ) -> Self {
        let places = (directories.clone(), sandbox);
        let builds = Builds::new(python.clone(), options.clone(), places);
        let learning = Learning::new(directories.root());
        let (slots, held) = (Slots::default(), Mutex::default());
        let inner = Inner { store, python, options, directories, builds, slots, held, learning };
        Self { inner: Arc::new(inner) }
    }

    /// What a run has whose scope's file is `wanted`. Waits while it is being built.
    pub(crate) async fn for_run(&self, wanted: Option<&Arc<Wanted>>) -> ForRun {
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
            return ForRun::default();
        };
        let settled = self.settled(wanted).await;
        let (environment, warning) = match settled {
            Settled::Ready(environment) => (Some(environment), None),
            Settled::Failed { why, instead } => {
                let warning = warning(wanted, &why, instead.as_ref().map(|(_, version)| *version));
                (instead.map(|(environment, _)| environment), Some(warning))
            }
        };
        let ahead = match self.inner.options.preload {
            Preload::Nothing => false,
            Preload::Global => wanted.owner == Scope::Global,
            Preload::All => true,
        };
        ForRun { environment, ahead, warning }
    }

    /// What its zygotes import ahead.
    pub(crate) fn learning(&self) -> &Learning {
        &self.inner.learning
    }

    async fn settled(&self, wanted: &Arc<Wanted>) -> Settled {
        let slot = self.inner.slots.of(wanted);
        if let Some(settled) = slot.settled() {
            if self.is_still_there(&settled, wanted).await {
                if slot.is_to_be_tried_again() {
                    self.settle_later(wanted.clone());
                }
                return settled;
            }
            slot.forget();
        }
        // A task of its own: a run that is given up leaves its build to those who come later.
        let (this, wanted) = (self.clone(), wanted.clone());
        let built = tokio::spawn(async move {
            let _alone = slot.building.lock().await;
            match slot.settled() {
                Some(settled) => settled,
                None => this.settle(&wanted, &slot).await,
            }
        });
        built.await.unwrap_or_else(|_| Settled::failed("the build ended oddly; try again"))
    }

    /// Whether nobody has removed it meanwhile; notes that it is used, now and then.
    async fn is_still_there(&self, settled: &Settled, wanted: &Wanted) -> bool {
        let Some(environment) = settled.environment() else { return true };
        {
            let mut noted = lock(&environment.noted);
            if noted.elapsed() < NOTED {
                return true;
            }
            *noted = Instant::now();
        }
        let told = self.tell(wanted, EnvironmentNews::Used).await;
        complain(told);
        self.inner.directories.touch(&environment.id)
    }

    fn settle_later(&self, wanted: Arc<Wanted>) {
        let this = self.clone();
        tokio::spawn(async move {
            let slot = this.inner.slots.of(&wanted);
            let _alone = slot.building.lock().await;
            if slot.is_to_be_tried_again() || slot.settled().is_none() {
                this.settle(&wanted, &slot).await;
            }
        });
    }

    /// Builds, or finds what is there instead, and keeps that.
    async fn settle(&self, wanted: &Arc<Wanted>, slot: &slots::Slot) -> Settled {
        let settled = match self.build(wanted).await {
            Ok(environment) => Settled::Ready(environment),
            Err(NotBuilt::Store) => {
                let instead = self.instead(wanted).await;
                return Settled::Failed { why: NotBuilt::Store.to_string(), instead };
            }
            Err(error) => {
                let why = error.to_string();
                tracing::warn!(version = wanted.version, why, "packages could not be installed");
                let news = EnvironmentNews::Failed(why.clone());
                complain(self.tell(wanted, news).await);
                Settled::Failed { why, instead: self.instead(wanted).await }
            }
        };
        slot.settle(settled.clone());
        settled
    }

    async fn build(&self, wanted: &Arc<Wanted>) -> Result<Arc<Environment>, NotBuilt> {
        if let Some((line, fault)) = wanted.faults.first() {
            return Err(NotBuilt::Refused(format!("line {line}: {fault}")));
        }
        let known = self.row(wanted).await.map_err(unreadable)?.and_then(|row| row.lock);
        if let Some(lock) = &known {
            let id = self.inner.builds.name(lock);
            if self.inner.directories.is_there(&id) {
                return Ok(self.have(wanted, id).await);
            }
        }
        let (progress, words) = watch::channel("beginning".to_owned());
        let telling = self.tell_progress(wanted, words);
        let building = self.lock_and_install(wanted, known, progress);
        let (id, ()) = tokio::join!(building, telling);
        Ok(self.have(wanted, id?).await)
    }

    /// Takes the sender, so that whoever listens knows the end.
    async fn lock_and_install(
        &self,
        wanted: &Wanted,
        lock: Option<String>,
        progress: Progress,
    ) -> Result<String, NotBuilt> {
        let builds = &self.inner.builds;
        let lock = match lock {
            Some(lock) => lock,
            None => {
                let lock = builds.lock(&wanted.lines, &progress).await?;
                let (owner, hash) = (wanted.owner, wanted.hash.as_str());
                let kept = self.system().keep_lock(owner, hash, &lock).await.map_err(unreadable)?;
                kept.unwrap_or(lock)
            }
        };
        let id = builds.name(&lock);
        builds.install(&id, &lock, &progress).await?;
        Ok(id)
    }

    /// The last one that could be built, with the version of its file.
    async fn instead(&self, wanted: &Wanted) -> Option<(Arc<Environment>, u32)> {
        let last = self.system().last_environment(wanted.owner, &wanted.hash).await;
        let last =
            last.inspect_err(|error| tracing::warn!(%error, "no last environment")).ok()??;
        let (lock, version) = (last.lock?, last.version);
        let id = self.inner.builds.name(&lock);
        let (progress, _nobody) = watch::channel(String::new());
        let installed = self.inner.builds.install(&id, &lock, &progress).await;
        let installed = installed.inspect_err(|why| tracing::warn!(%why, "nor could the last one"));
        installed.ok().map(|()| (self.hold(id), version))
    }

    async fn have(&self, wanted: &Wanted, id: String) -> Arc<Environment> {
        self.inner.directories.touch(&id);
        complain(self.tell(wanted, EnvironmentNews::Ready).await);
        complain(self.tell(wanted, EnvironmentNews::Used).await);
        self.hold(id)
    }

    /// The one value of an environment that everybody has.
    fn hold(&self, id: String) -> Arc<Environment> {
        let mut held = lock(&self.inner.held);
        held.retain(|_, weak| weak.strong_count() > 0);
        if let Some(environment) = held.get(&id).and_then(Weak::upgrade) {
            return environment;
        }
        let (packages, noted) = (self.inner.directories.packages(&id), Mutex::new(Instant::now()));
        let environment = Arc::new(Environment { id: id.clone(), packages, noted });
        held.insert(id, Arc::downgrade(&environment));
        environment
    }

    /// What is known about a file; one that was written before there were environments is noted.
    async fn row(&self, wanted: &Wanted) -> Result<Option<EnvironmentLock>, StoreError> {
        let (system, owner, hash) = (self.system(), wanted.owner, wanted.hash.as_str());
        if let Some(row) = system.environment(owner, hash).await? {
            return Ok(Some(row));
        }
        system.want_environment(owner, hash, wanted.version, now()).await?;
        system.environment(owner, hash).await
    }

    async fn tell(&self, wanted: &Wanted, news: EnvironmentNews) -> Result<(), StoreError> {
        self.system().tell_environment(wanted.owner, &wanted.hash, news, now()).await
    }

    /// Until the build ends.
    async fn tell_progress(&self, wanted: &Wanted, mut words: watch::Receiver<String>) {
        loop {
            let word = words.borrow().clone();
            complain(self.tell(wanted, EnvironmentNews::Building(word.clone())).await);
            // Never true: only the end of the build ends this early.
            let ended = tokio::time::timeout(PROGRESS, words.wait_for(|_| false));
            if ended.await.is_ok() {
                return;
            }
            let moved = tokio::time::timeout(BEAT, words.wait_for(|now| *now != word));
            if let Ok(Err(_ended)) = moved.await {
                return;
            }
        }
    }

    fn system(&self) -> System {
        self.inner.store.system(Reason::Environments)
    }
}

impl Builder for Environments {
    fn begin(&self, wanted: Wanted) {
        if wanted.is_empty() {
            return;
        }
        let wanted = Arc::new(wanted);
        self.inner.slots.of(&wanted).try_again();
        self.settle_later(wanted);
    }

    fn python(&self) -> String {
        let (major, minor, micro) = self.inner.python.version;
        format!("{major}.{minor}.{micro}")
    }
}

/// What a run says that has not what its file asks for.
fn warning(wanted: &Wanted, why: &str, instead: Option<u32>) -> String {
    let has = match instead {
        Some(version) => format!("the packages of version {version}"),
        None => "the standard library only".to_owned(),
    };
    let version = wanted.version;
    format!(
        "the packages of requirements.txt (version {version}) could not be installed, so this run has {has}: {why}"
    )
}

fn unreadable(error: StoreError) -> NotBuilt {
    tracing::error!(%error, "an environment is not in the store");
    NotBuilt::Store
}

fn complain(told: Result<(), StoreError>) {
    if let Err(error) = told {
        tracing::warn!(%error, "how an environment goes could not be noted");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
