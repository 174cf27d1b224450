//! One run, from the claimed job to its report.

use crate::{
    RunReport, RunRequest, Timings,
    bundles::{Bundle, Bundles, NoBundle, Wanted},
    conversation::{Held, converse},
    egress::{Egress, Policy, WayOut},
    environments::{Environment, Environments, ForRun},
    frames::{
        ChildLimits, EntryInfo, ExecutionInfo, OrganizationFrame, Outgoing, Start, StartRun,
        large_frames,
    },
    memfile::MemFile,
    outcome::outcome,
    output,
    request::NotStarted,
    sandbox::{Room, Sandbox, Seat},
    sources::Sources,
    tools::socket_pair,
    zygote::{Child, Order, Pools, Wants},
};
use bytes::Bytes;
use domain::{Scope, analysis::Analyser, network::AllowedHosts};
use std::{
    net::TcpListener,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};
use tokio::{
    net::{UnixStream, unix::pipe},
    time::Instant,
};

/// What every run needs of the runner.
pub(crate) struct Tools<'a> {
    pub bundles: &'a Bundles,
    pub runs: &'a Pools,
    pub environments: &'a Environments,
    pub sources: &'a Sources,
    pub analyser: &'a dyn Analyser,
    pub sandbox: &'a Sandbox,
    pub egress: &'a Egress,
}

/// The bundles of one run.
struct Files {
    global: Arc<Bundle>,
    own: Option<Arc<Bundle>>,
}

/// A child and the supervisor's ends of what it holds.
pub(crate) struct Started {
    pub child: Child,
    pub socket: UnixStream,
    pub output: pipe::Receiver,
    /// Where it connects to reach the network, if its place has such a thing.
    pub network: Option<TcpListener>,
    /// What its log begins with.
    pub warning: Option<String>,
}

/// Runs one execution to its end.
pub(crate) async fn run(tools: Tools<'_>, request: RunRequest) -> Result<RunReport, NotStarted> {
    let begun = Instant::now();
    check(&request)?;
    let limits = limits(&request);
    let room = Room { memory_mb: limits.memory_mb, processes: limits.processes };
    let seat = Arc::new(tools.sandbox.seat(room).await.map_err(NotStarted::Seat)?);
    let seated = Instant::now();
    let opening = opening(&request, limits, seat.scratch())?;
    let files = load(tools.bundles, &request).await?;
    let packages = packages(&tools, &request, &files).await;
    let loaded = Instant::now();
    let mut started = start(&tools, &files, &packages, &seat).await?;
    drop(files);
    let way_out = WayOut::open(started.network.take(), policy(&tools, &request))?;
    let forked = Instant::now();
    let held = Box::pin(converse(&tools, &request, (started, way_out), opening)).await;
    if !held.modules.modules.is_empty() {
        tools.bundles.learn(&held.modules.modules);
    }
    learn(&tools, &packages, &held.modules.packages);
    let ended = held.ending.known;
    let imported = held.modules.told_at.unwrap_or(ended);
    let timings = Timings {
        place: seated - begun,
        files: loaded - seated,
        fork: forked - loaded,
        import: imported - forked,
        code: ended - imported,
        end: ended.elapsed(),
    };
    timings.count();
    let memory = seat.ran_out_of_memory();
    seat.over();
    let outcome = outcome(held.ending, request.limits.timeout, memory);
    let Held { modules, logs, log_lines_lost, traffic, .. } = held;
    let modules = modules.modules;
    Ok(RunReport { outcome, modules, logs, log_lines_lost, traffic, timings })
}

fn policy(tools: &Tools<'_>, request: &RunRequest) -> Policy {
    let allowed = AllowedHosts::new(&request.allowed_hosts);
    Policy { egress: tools.egress.clone(), allowed }
}

/// The organization comes from the access; the rest of the request only describes it.
fn check(request: &RunRequest) -> Result<(), NotStarted> {
    let described = request.organization.as_ref().map(|organization| organization.id);
    let own = request.own_generation.is_some();
    let scope = request.access.scope().organization();
    if described == scope && own == scope.is_some() { Ok(()) } else { Err(NotStarted::Confused) }
}

/// The first frames to the child.
fn opening(
    request: &RunRequest,
    limits: ChildLimits,
    scratch: &str,
) -> Result<Vec<Bytes>, NotStarted> {
    let inputs =
        large_frames(&request.inputs).map_err(|error| NotStarted::Inputs(error.to_string()))?;
    let start = StartRun {
        organization: request
            .organization
            .as_ref()
            .map(|organization| OrganizationFrame { organization, regional: &request.regional }),
        timezone: &request.regional.timezone,
        user: request.user.as_ref(),
        execution: ExecutionInfo {
            id: request.execution,
            workflow: &request.workflow,
            attempt: request.attempt,
            timeout: request.limits.timeout.as_secs_f64(),
        },
        entry: EntryInfo {
            module: &request.entry.module,
            function: &request.entry.function,
            provider: request.entry.provider,
        },
        limits,
        scratch,
        value: inputs.value,
        parts: inputs.parts,
    };
    let mut frames = vec![Outgoing::Start(Start::Run(Box::new(start))).to_bytes()];
    frames.extend(inputs.frames);
    Ok(frames)
}

/// The clock on the wall ends a run; this one is for want of another, and leaves room for a few
/// threads.
pub(crate) fn cpu_seconds(request: &RunRequest) -> u64 {
    request.limits.timeout.as_secs().saturating_add(1).saturating_mul(4)
}

/// Most processes and threads of a run.
const PROCESSES: u32 = 128;

fn limits(request: &RunRequest) -> ChildLimits {
    ChildLimits {
        memory_mb: request.limits.memory_mb,
        cpu_seconds: cpu_seconds(request),
        file_mb: 64,
        open_files: 256,
        processes: PROCESSES,
    }
}

async fn load(bundles: &Bundles, request: &RunRequest) -> Result<Files, NotStarted> {
    let access = &request.access;
    let global = Wanted {
        access,
        owner: Scope::Global,
        slug: "global",
        generation: request.global_generation,
    };
    let global = bundles.get(global);
    let Some((organization, generation)) =
        request.organization.as_ref().zip(request.own_generation)
    else {
        return Ok(Files { global: global.await?, own: None });
    };
    let slug = organization.slug.as_str();
    let own = bundles.get(Wanted { access, owner: access.scope(), slug, generation });
    let (global, own) = tokio::try_join!(global, own)?;
    Ok(Files { global, own: Some(own) })
}

impl From<NoBundle> for NotStarted {
    fn from(error: NoBundle) -> Self {
        match error {
            NoBundle::Source(error) => Self::Files(error),
            NoBundle::System(error) => Self::System(error),
        }
    }
}

/// The packages of the organization's file, else of Global's. Waits while they are being built;
/// a run that is to stop does not, and ends by itself.
async fn packages(tools: &Tools<'_>, request: &RunRequest, files: &Files) -> ForRun {
    let own = files.own.as_ref().and_then(|own| own.requirements.as_ref());
    let wanted = own.or(files.global.requirements.as_ref());
    tokio::select! {
        packages = tools.environments.for_run(wanted) => packages,
        () = request.cancel.cancelled() => ForRun::default(),
    }
}

/// Counts what was imported, for zygotes to come.
fn learn(tools: &Tools<'_>, packages: &ForRun, imported: &[String]) {
    let Some(environment) = packages.environment.as_ref().filter(|_| packages.ahead) else {
        return;
    };
    let learning = tools.environments.learning();
    if !imported.is_empty() {
        learning.learn(&environment.id, imported);
    }
}

async fn start(
    tools: &Tools<'_>,
    files: &Files,
    packages: &ForRun,
    seat: &Arc<Seat>,
) -> Result<Started, NotStarted> {
    let (socket, theirs) = socket_pair()?;
    let (output, written) = output::pair()?;
    let bundles: Vec<_> = std::iter::once(&files.global).chain(&files.own).collect();
    let memory: Vec<Arc<MemFile>> =
        bundles.iter().flat_map(|bundle| [bundle.file.clone(), bundle.codes()]).collect();
    let mut descriptors: Vec<BorrowedFd<'_>> = vec![theirs.as_fd(), written.as_fd()];
    descriptors.extend(memory.iter().map(|file| file.as_fd()));
    let environment = packages.environment.as_ref();
    let chosen =
        |environment: &Arc<Environment>| tools.environments.learning().chosen(&environment.id);
    let ahead = environment.filter(|_| packages.ahead).map(chosen);
    let hides = |name: &str| bundles.iter().any(|bundle| bundle.offers(name));
    let wants = Wants { environment, ahead, hides: &hides };
    let network = seat.network()?;
    let directory = environment.map(|environment| environment.packages.as_path());
    let pass = tools.sandbox.pass(seat, directory)?;
    let order = Order { descriptors: &descriptors, seat, pass };
    let child = tools.runs.spawn(wants, &order).await?;
    let warning = packages.warning.clone();
    Ok(Started { child, socket, output, network, warning })
}
