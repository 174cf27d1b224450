//! One run, from the claimed job to its report.

use crate::{
    RunReport, RunRequest, Timings,
    bundles::{Bundle, Bundles, NoBundle, Wanted},
    calls::Calls,
    frames::{
        self, Call, ChildLimits, EntryInfo, ExecutionInfo, Outgoing, Start, StartRun, large_frames,
    },
    listening::Listener,
    logs::{self, LogGate},
    memfile::MemFile,
    outcome::{Ending, outcome},
    output,
    request::NotStarted,
    sources::{Sources, now},
    tools::socket_pair,
    watching::Watch,
    zygote::{Child, Pool},
};
use bytes::Bytes;
use domain::{
    Scope,
    analysis::Analyser,
    execution::{LoadedModule, LogLine},
};
use futures_util::{FutureExt, SinkExt};
use std::{
    os::fd::{AsFd, BorrowedFd},
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};
use store::StoreError;
use tokio::{
    net::{
        UnixStream,
        unix::{OwnedWriteHalf, pipe},
    },
    sync::mpsc,
    time::Instant,
};
use tokio_util::codec::FramedWrite;

/// Frames and calls that wait before whoever makes them has to wait too.
const WAITING: usize = 16;
/// How long the output of a run is read after it is gone; only a process that escaped from its
/// group can still write there.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// What every run needs of the runner.
pub(crate) struct Tools<'a> {
    pub bundles: &'a Bundles,
    pub runs: &'a Pool,
    pub sources: &'a Sources,
    pub analyser: &'a dyn Analyser,
}

/// The bundles of one run.
struct Files {
    global: Arc<Bundle>,
    own: Option<Arc<Bundle>>,
}

/// A child and the supervisor's ends of what it holds.
struct Started {
    child: Child,
    socket: UnixStream,
    output: pipe::Receiver,
}

/// Runs one execution to its end.
pub(crate) async fn run(tools: Tools<'_>, request: RunRequest) -> Result<RunReport, NotStarted> {
    let begun = Instant::now();
    check(&request)?;
    let opening = opening(&request)?;
    let files = load(tools.bundles, &request).await?;
    let loaded = Instant::now();
    let started = start(tools.runs, &files).await?;
    drop(files);
    let forked = Instant::now();
    let ended = OnceLock::new();
    let held = converse(&tools, &request, started, opening, &ended).await;
    if !held.modules.is_empty() {
        tools.bundles.learn(&held.modules);
    }
    let ended = ended.get().copied().unwrap_or_else(Instant::now);
    let timings = Timings {
        bundle: loaded - begun,
        fork: forked - loaded,
        run: ended - forked,
        finish: ended.elapsed(),
    };
    let outcome = outcome(held.ending, request.limits.timeout);
    let Held { modules, logs, log_lines_lost, .. } = held;
    Ok(RunReport { outcome, modules, logs, log_lines_lost, timings })
}

/// The organization comes from the access; the rest of the request only describes it.
fn check(request: &RunRequest) -> Result<(), NotStarted> {
    let described = request.organization.as_ref().map(|organization| organization.id);
    let own = request.own_generation.is_some();
    let scope = request.access.scope().organization();
    if described == scope && own == scope.is_some() { Ok(()) } else { Err(NotStarted::Confused) }
}

/// The first frames to the child.
fn opening(request: &RunRequest) -> Result<Vec<Bytes>, NotStarted> {
    let inputs =
        large_frames(&request.inputs).map_err(|error| NotStarted::Inputs(error.to_string()))?;
    let start = StartRun {
        organization: request.organization.as_ref(),
        user: request.user.as_ref(),
        execution: ExecutionInfo {
            id: request.execution,
            workflow: &request.workflow,
            attempt: request.attempt,
        },
        entry: EntryInfo { module: &request.entry.module, function: &request.entry.function },
        limits: limits(request),
        value: inputs.value,
        parts: inputs.parts,
    };
    let mut frames = vec![Outgoing::Start(Start::Run(Box::new(start))).to_bytes()];
    frames.extend(inputs.frames);
    Ok(frames)
}

fn limits(request: &RunRequest) -> ChildLimits {
    ChildLimits {
        memory_mb: request.limits.memory_mb,
        // The clock on the wall ends a run; this one is for a process that escaped from it, and
        // leaves room for a few threads.
        cpu_seconds: request.limits.timeout.as_secs().saturating_add(1).saturating_mul(4),
        file_mb: 64,
        open_files: 256,
        // The kernel counts all processes of the user, so it cannot be small before runs have
        // users of their own.
        processes: 4096,
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
    let own = request.organization.as_ref().zip(request.own_generation);
    let own = own.map(|(organization, generation)| Wanted {
        access,
        owner: access.scope(),
        slug: organization.slug.as_str(),
        generation,
    });
    let own = async {
        match &own {
            Some(wanted) => bundles.get(wanted).await.map(Some),
            None => Ok(None),
        }
    };
    let (global, own) = tokio::try_join!(bundles.get(&global), own)?;
    Ok(Files { global, own })
}

impl From<NoBundle> for NotStarted {
    fn from(error: NoBundle) -> Self {
        match error {
            NoBundle::Source(error) => Self::Files(error),
            NoBundle::System(error) => Self::System(error),
        }
    }
}

async fn start(runs: &Pool, files: &Files) -> Result<Started, NotStarted> {
    let (socket, theirs) = socket_pair()?;
    let (output, written) = output::pair()?;
    let bundles: Vec<_> = std::iter::once(&files.global).chain(&files.own).collect();
    let memory: Vec<Arc<MemFile>> =
        bundles.iter().flat_map(|bundle| [bundle.file.clone(), bundle.codes()]).collect();
    let mut descriptors: Vec<BorrowedFd<'_>> = vec![theirs.as_fd(), written.as_fd()];
    descriptors.extend(memory.iter().map(|file| file.as_fd()));
    let child = runs.spawn(&descriptors).await?;
    Ok(Started { child, socket, output })
}

/// What is left when a child is gone.
struct Held {
    ending: Ending,
    modules: Vec<LoadedModule>,
    logs: Vec<LogLine>,
    log_lines_lost: u64,
}

/// Keeps the lines of one run in the store.
struct Keeper<'a> {
    sources: &'a Sources,
    request: &'a RunRequest,
}

impl logs::Keep for Keeper<'_> {
    type Error = StoreError;

    async fn keep(&mut self, batch: &[LogLine]) -> Result<(), StoreError> {
        self.sources.append_logs(&self.request.access, self.request.execution, batch).await
    }
}

/// Talks with the child until it is gone and its log is kept.
async fn converse(
    tools: &Tools<'_>,
    request: &RunRequest,
    started: Started,
    opening: Vec<Bytes>,
    ended: &OnceLock<Instant>,
) -> Held {
    let (gate, lines) = logs::gate();
    let mut modules = Vec::new();
    let seen = &mut modules;
    let talk = async move {
        let ending = talk(tools, request, started, opening, &gate, seen, ended).await;
        gate.close(now()).await;
        ending
    };
    let keeper = Keeper { sources: tools.sources, request };
    let (ending, (logs, log_lines_lost)) = tokio::join!(talk, logs::deliver(lines, keeper));
    Held { ending, modules, logs, log_lines_lost }
}

async fn talk(
    tools: &Tools<'_>,
    request: &RunRequest,
    started: Started,
    opening: Vec<Bytes>,
    gate: &LogGate,
    modules: &mut Vec<LoadedModule>,
    ended: &OnceLock<Instant>,
) -> Ending {
    let Started { mut child, socket, output } = started;
    let deadline = Instant::now() + request.limits.timeout;
    let (reading, writing) = socket.into_split();
    let (call, calls) = mpsc::channel(WAITING);
    let (reply, replies) = mpsc::channel(WAITING);
    let mut listening = pin!(Listener::new(reading, gate, call, modules).listen().fuse());
    let say_cancel = || {
        // A child that does not read is ended all the same.
        let _full = reply.try_send(Outgoing::Cancel.to_bytes());
    };
    let watch = Watch {
        child: &mut child,
        listening: listening.as_mut(),
        deadline,
        cancel: &request.cancel,
        say_cancel: &say_cancel,
    };
    let watch = watch.watch(|| _ = ended.set(Instant::now()));
    let max_file = request.limits.max_file_kb as usize * 1024;
    let answer = Calls::new(&request.access, tools.sources, tools.analyser, max_file);
    let help = async {
        tokio::join!(write(writing, opening, replies), answer_all(answer, calls, &reply));
        std::future::pending::<std::convert::Infallible>().await
    };
    let mut reading = pin!(output::read(output, gate).fuse());
    let mut help = pin!(help);
    let mut watch = pin!(watch);
    let ending = loop {
        tokio::select! {
            biased;
            ending = &mut watch => break ending,
            read = &mut reading => complain(read),
            never = &mut help => match never {},
        }
    };
    if !futures_util::future::FusedFuture::is_terminated(&*reading) {
        match tokio::time::timeout(LAST_OUTPUT, reading).await {
            Ok(read) => complain(read),
            Err(_) => tracing::debug!("a process that escaped holds the output of its run"),
        }
    }
    ending
}

fn complain(read: std::io::Result<()>) {
    if let Err(error) = read {
        tracing::warn!(%error, "the output of a run could not be read to its end");
    }
}

/// Writes the opening and then every reply, until the child does not read any more.
async fn write(socket: OwnedWriteHalf, opening: Vec<Bytes>, mut replies: mpsc::Receiver<Bytes>) {
    let mut frames = FramedWrite::new(socket, frames::codec());
    for frame in opening {
        if frames.send(frame).await.is_err() {
            break;
        }
    }
    while let Some(frame) = replies.recv().await {
        // The child is gone: whoever watches it knows.
        let _gone = frames.send(frame).await;
    }
}

/// Answers calls in order, so that the parts of a file meet.
async fn answer_all(
    mut calls: Calls<'_>,
    mut waiting: mpsc::Receiver<Call>,
    replies: &mpsc::Sender<Bytes>,
) {
    while let Some(call) = waiting.recv().await {
        let id = call.id;
        let (result, error) = match calls.answer(call).await {
            Ok(result) => (Some(result), None),
            Err(wrong) => (None, Some(wrong)),
        };
        let _gone = replies.send(Outgoing::Reply { id, result, error }.to_bytes()).await;
    }
}
