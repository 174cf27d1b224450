//! The one current zygote of a kind: started when needed, replaced when gone or worn out.

use super::{Child, SpawnFailed, Zygote, ZygoteFailed, memory::Processes};
use crate::{
    environments::Environment,
    memfile::MemFile,
    sandbox::{Pass, Sandbox, Seat},
};
use std::{
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Mutex;

/// How long a zygote may take to fork. Under any load it is milliseconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How long nothing is imported ahead after that has failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);

/// What a zygote is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Lean; forks executions.
    Run,
    /// Has `ast` loaded; forks analyses and compilations.
    Tools,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Tools => "tools",
        }
    }
}

/// How to start one.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub python: PathBuf,
    /// The directory with `bifrost` and `bifrost_runtime`.
    pub runtime: PathBuf,
    /// The packages its children can import. Nobody removes them meanwhile.
    pub environment: Option<Arc<Environment>>,
    /// The walls of its children.
    pub sandbox: Sandbox,
}

/// What a new child is given: descriptors, a place, and what it needs to get there.
pub(crate) struct Order<'a> {
    pub descriptors: &'a [BorrowedFd<'a>],
    pub seat: &'a Arc<Seat>,
    pub pass: Pass<'a>,
}

/// Code objects a zygote is to hold ready.
#[derive(Clone)]
pub(crate) struct Warm {
    pub entries: Vec<u32>,
    pub bundle: Arc<MemFile>,
    pub codes: Arc<MemFile>,
}

/// The zygotes of one kind.
pub(crate) struct Pool {
    kind: Kind,
    launch: Launch,
    /// Forks after which a zygote is replaced; the old one stays until its last child is gone.
    worn_out: u64,
    current: Mutex<Current>,
    runs: AtomicU64,
    renewing: AtomicBool,
}

#[derive(Default)]
struct Current {
    zygote: Option<Arc<Zygote>>,
    warm: Option<Warm>,
    /// What is imported ahead.
    ahead: Vec<String>,
}

impl Pool {
    pub(crate) fn new(kind: Kind, launch: Launch, worn_out: u64) -> Self {
        let (current, runs, renewing) =
            (Mutex::default(), AtomicU64::new(0), AtomicBool::new(false));
        Self { kind, launch, worn_out, current, runs, renewing }
    }

    /// The same with what its zygotes hold ready.
    pub(crate) fn with(self, warm: Option<Warm>) -> Self {
        let current = Mutex::new(Current { zygote: None, warm, ahead: Vec::new() });
        Self { current, ..self }
    }

    /// Starts the zygote if there is none.
    pub(crate) async fn ready(&self) -> Result<(), ZygoteFailed> {
        self.zygote().await.map(drop)
    }

    /// The walls of its children.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.launch.sandbox
    }

    /// A new child, alive. A zygote that goes at that very moment is replaced once before it is an
    /// error.
    pub(crate) async fn spawn(&self, order: &Order<'_>) -> Result<Child, SpawnFailed> {
        let zygote = self.zygote().await?;
        match self.try_spawn(&zygote, order).await {
            Err(SpawnFailed::Lost | SpawnFailed::Channel(_)) => {
                let zygote = self.zygote().await?;
                self.try_spawn(&zygote, order).await
            }
            done => done,
        }
    }

    /// A new child of a zygote that has imported packages ahead; `None` while there is none, or
    /// when what it has imported does not fit. One that imports `ahead` is then begun, behind.
    pub(crate) async fn spawn_ahead(
        self: &Arc<Self>,
        ahead: Vec<String>,
        fits: &(dyn Fn(&[String]) -> bool + Sync),
        order: &Order<'_>,
    ) -> Option<Child> {
        let zygote = {
            let current = self.current.lock().await;
            let zygote = current.zygote.clone().filter(|zygote| self.is_usable(zygote));
            if zygote.is_none() || current.ahead != ahead {
                self.renew_later(ahead);
            }
            zygote.filter(|zygote| fits(zygote.packages()))?
        };
        let child = self.try_spawn(&zygote, order).await;
        child.inspect_err(|error| tracing::warn!(%error, "not from what is imported ahead")).ok()
    }

    async fn try_spawn(
        &self,
        zygote: &Arc<Zygote>,
        order: &Order<'_>,
    ) -> Result<Child, SpawnFailed> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed).to_string();
        let mut child = zygote.spawn(run, order).await?;
        match tokio::time::timeout(ANSWER_LIMIT, child.forked()).await {
            Ok(forked) => forked.map(|()| child),
            Err(_) => {
                zygote.give_up();
                Err(SpawnFailed::Lost)
            }
        }
    }

    /// Has this and every later zygote hold these code objects.
    pub(crate) async fn warm(&self, warm: Warm) {
        let mut current = self.current.lock().await;
        if let Some(zygote) = current.zygote.as_ref().filter(|zygote| !zygote.is_gone()) {
            send_warm(zygote, &warm).await;
        }
        current.warm = Some(warm);
    }

    async fn zygote(&self) -> Result<Arc<Zygote>, ZygoteFailed> {
        let mut current = self.current.lock().await;
        if let Some(zygote) = current.zygote.as_ref().filter(|zygote| self.is_usable(zygote)) {
            return Ok(zygote.clone());
        }
        let zygote = Zygote::start(&self.launch, self.kind, &current.ahead).await?;
        if let Some(warm) = &current.warm {
            send_warm(&zygote, warm).await;
        }
        current.zygote = Some(zygote.clone());
        Ok(zygote)
    }

    fn is_usable(&self, zygote: &Zygote) -> bool {
        !zygote.is_gone() && zygote.forks() < self.worn_out
    }

    /// Replaces the zygote by one that imports these ahead. Nobody waits for it.
    fn renew_later(self: &Arc<Self>, ahead: Vec<String>) {
        if self.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            if let Err(error) = this.renew(ahead).await {
                // Costs time only: runs import for themselves.
                tracing::warn!(%error, "packages could not be imported ahead");
                tokio::time::sleep(AFTER_TROUBLE).await;
            }
            this.renewing.store(false, Ordering::Release);
        });
    }

    async fn renew(&self, ahead: Vec<String>) -> Result<(), ZygoteFailed> {
        let zygote = Zygote::start(&self.launch, self.kind, &ahead).await?;
        let mut current = self.current.lock().await;
        if let Some(warm) = &current.warm {
            send_warm(&zygote, warm).await;
        }
        (current.zygote, current.ahead) = (Some(zygote), ahead);
        Ok(())
    }

    /// The processes there are.
    pub(crate) async fn processes(&self) -> Processes {
        let current = self.current.lock().await;
        current.zygote.as_ref().map(|zygote| zygote.processes()).unwrap_or_default()
    }
}

async fn send_warm(zygote: &Zygote, warm: &Warm) {
    let files = [warm.bundle.as_fd(), warm.codes.as_fd()];
    if let Err(error) = zygote.warm(&warm.entries, files).await {
        // Costs time only: the children compile or unmarshal what is not held ready.
        tracing::warn!(%error, "a zygote could not be warmed");
    }
}
