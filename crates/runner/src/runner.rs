//! The runner: finds Python, keeps the zygotes and the bundles, runs what it is given.

use crate::{
    NoPython, NotStarted, Python, RunReport, RunRequest, ZygoteFailed,
    analyser::ChildAnalyser,
    bundles::{Bundles, Wanted},
    egress::Egress,
    environments::{Directories, EnvironmentOptions, Environments},
    execution::{self, Tools},
    runtime_files,
    sandbox::{NoProbe, NoSandbox, Posture, Sandbox, SandboxOptions, Site},
    scratch::Scratches,
    sources::Sources,
    zygote::{Kind, Launch, Pool, Pools},
};
use cache::Cache;
use domain::{Access, Scope, analysis::Analyser, environment::Builder, network::PrivateHosts};
use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use store::Store;

/// Bytes of a cache that nobody gave: what was let go of the bundles' memory comes back from it.
pub const CACHE_MEMORY: u64 = 32 * 1024 * 1024;

/// How often zygotes that nobody needs are looked for, and memory is counted.
const KEEPING: Duration = Duration::from_secs(15);
/// How many times of that until packages that nobody needs are looked for: an hour.
const SWEEP: u64 = 240;

/// How to set up a [`Runner`].
#[derive(Clone, Debug)]
pub struct RunnerOptions {
    /// The interpreter; `None` to look for one on the search path.
    pub python: Option<PathBuf>,
    /// Where the Python side is laid out and runs have their scratch directories; must be readable
    /// by everyone who runs workflows.
    pub data_dir: PathBuf,
    /// Bytes of memory for bundles and code objects that no run holds at the moment.
    pub bundle_memory: u64,
    /// Where contents are looked for before the database; `None` for a small one in memory.
    pub cache: Option<Cache>,
    /// Forks after which a zygote is replaced.
    pub forks_per_zygote: u64,
    /// Private hosts that runs may reach, by the operator's word.
    pub private_hosts: PrivateHosts,
    /// How packages are had.
    pub environments: EnvironmentOptions,
    /// The users of runs.
    pub sandbox: SandboxOptions,
}

impl RunnerOptions {
    /// The defaults, with this data directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            python: None,
            data_dir: data_dir.into(),
            bundle_memory: 128 * 1024 * 1024,
            cache: None,
            forks_per_zygote: 10_000,
            private_hosts: PrivateHosts::default(),
            environments: EnvironmentOptions::default(),
            sandbox: SandboxOptions::default(),
        }
    }
}

/// Why there is no runner.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// No interpreter.
    #[error(transparent)]
    Python(#[from] NoPython),
    /// The Python side could not be written to disk.
    #[error("the Python runtime could not be laid out in `{0}`: {1}; check space and permissions")]
    Files(PathBuf, io::Error),
    /// There is nowhere for runs to write.
    #[error(
        "no scratch directories can be made in `{0}`: {1}; check its path, space and permissions"
    )]
    Scratch(PathBuf, io::Error),
    /// There are no places for runs.
    #[error(transparent)]
    Sandbox(#[from] NoSandbox),
    /// Nothing is known of the walls.
    #[error(transparent)]
    Probe(#[from] NoProbe),
    /// The Python side does not start.
    #[error(transparent)]
    Zygote(#[from] ZygoteFailed),
}

/// Runs executions. Cheap to clone; everything ends when the last clone is dropped.
#[derive(Clone)]
pub struct Runner {
    inner: Arc<Inner>,
}

struct Inner {
    python: Python,
    runs: Arc<Pools>,
    environments: Environments,
    bundles: Bundles,
    sources: Sources,
    analyser: ChildAnalyser,
    sandbox: Sandbox,
    egress: Egress,
}

/// What the walls of a runner with these options would be worth, as attacks on them show now: for
/// whoever wants to know without a database.
pub async fn posture(options: RunnerOptions) -> Result<Posture, RunnerError> {
    let python = Python::find(options.python.as_deref()).await?;
    let packages = options.data_dir.join("environments");
    let launch = launch(&options, &python, packages).await?;
    let (sandbox, tools) = (launch.sandbox.clone(), Pool::new(Kind::Tools, launch, 1000));
    Ok(sandbox.probe(&tools).await?)
}

/// Lays out what zygotes need, and makes ready what is around their children.
async fn launch(
    options: &RunnerOptions,
    python: &Python,
    packages: PathBuf,
) -> Result<Launch, RunnerError> {
    let data = &options.data_dir;
    let runtime =
        runtime_files::lay_out(data).map_err(|error| RunnerError::Files(data.clone(), error))?;
    let scratches =
        Scratches::open(data).map_err(|error| RunnerError::Scratch(data.clone(), error))?;
    let python = python.executable.clone();
    let site = Site { python: python.clone(), runtime: runtime.clone(), packages, scratches };
    let sandbox = Sandbox::open(options.sandbox.clone(), site).await?;
    Ok(Launch { python, runtime, environment: None, sandbox })
}

impl Runner {
    /// Finds Python, lays out the runtime and starts the zygotes.
    pub async fn start(options: RunnerOptions, store: Store) -> Result<Self, RunnerError> {
        let python = Python::find(options.python.as_deref()).await?;
        let packages = Directories::open(&options.data_dir)
            .map_err(|error| RunnerError::Files(options.data_dir.clone(), error))?;
        let launch = launch(&options, &python, packages.root().to_owned()).await?;
        let (sandbox, set) = (launch.sandbox.clone(), options.environments.clone());
        let places = (packages, sandbox.clone());
        let environments = Environments::new(places, python.clone(), set, store.clone());
        let tools = Arc::new(Pool::new(Kind::Tools, launch.clone(), options.forks_per_zygote));
        let runs = Arc::new(Pools::new(launch, options.forks_per_zygote));
        tokio::try_join!(runs.ready(), tools.ready())?;
        let cache = options.cache.unwrap_or_else(|| Cache::memory(CACHE_MEMORY));
        let sources = Sources::new(store, cache);
        let bundles =
            Bundles::new(sources.clone(), options.bundle_memory, tools.clone(), runs.clone());
        let analyser = ChildAnalyser::new(tools);
        let egress = Egress::new(options.private_hosts);
        let inner =
            Inner { python, runs, environments, bundles, sources, analyser, sandbox, egress };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Runs one execution to its one outcome.
    ///
    /// An error means that nothing of the workflow has run. Dropping the future kills the child
    /// and everything it started.
    pub fn run(
        &self,
        request: RunRequest,
    ) -> impl Future<Output = Result<RunReport, NotStarted>> + Send {
        let Inner { runs, environments, bundles, sources, analyser, sandbox, egress, .. } =
            &*self.inner;
        let tools = Tools { bundles, runs, environments, sources, analyser, sandbox, egress };
        execution::run(tools, request)
    }

    /// Builds Global's bundle, which every run needs, before anybody waits for it. When that fails
    /// the first run tries again.
    pub async fn warm_up(&self, access: &Access) {
        let begun = Instant::now();
        tracing::info!("warming up: loading Global's files");
        let wanted = Wanted { access, owner: Scope::Global, slug: "global", generation: 0 };
        match self.inner.bundles.get(wanted).await {
            Ok(bundle) => {
                let (generation, milliseconds) = (bundle.generation, begun.elapsed().as_millis());
                tracing::info!(generation, milliseconds, "warm: Global's files are loaded");
            }
            Err(error) => tracing::warn!(%error, "Global's files could not be loaded ahead"),
        }
    }

    /// Reads Python files without running them, for the rooms that write files.
    pub fn analyser(&self) -> Arc<dyn Analyser> {
        Arc::new(self.inner.analyser.clone())
    }

    /// Builds packages, for the rooms that write the files which ask for them.
    pub fn environments(&self) -> Arc<dyn Builder> {
        Arc::new(self.inner.environments.clone())
    }

    /// Lets go of zygotes and packages that nobody needs, and counts memory, until dropped.
    pub async fn keep(&self) -> std::convert::Infallible {
        let mut times = tokio::time::interval(KEEPING);
        for beat in 0_u64.. {
            times.tick().await;
            self.inner.runs.let_go();
            self.inner.runs.memory().await.show();
            if beat.is_multiple_of(SWEEP) {
                self.sweep().await;
            }
        }
        std::future::pending().await
    }

    /// Removes packages that nobody uses; how many environments.
    pub async fn sweep(&self) -> usize {
        let gone = self.inner.environments.let_go().await;
        gone.inspect_err(|error| tracing::warn!(%error, "unused packages could not be removed"))
            .unwrap_or(0)
    }

    /// What the walls around runs are worth, as attacks on them show now.
    pub async fn posture(&self) -> Result<Posture, NoProbe> {
        self.inner.sandbox.probe(self.inner.analyser.pool()).await
    }

    /// The interpreter that runs workflows.
    pub fn python(&self) -> &Python {
        &self.inner.python
    }
}
