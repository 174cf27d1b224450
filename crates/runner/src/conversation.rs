//! The talk with one child: everything that goes on at the same time while it lives.

use crate::{
    RunRequest,
    calls::Calls,
    egress::{Teller, Traffic, WayOut},
    execution::{Started, Tools},
    frames::{self, Call, Modules, Told, Wrong},
    listening::Listener,
    logs::{self, Keep, LogGate},
    masking::Masking,
    outcome::Ending,
    output, progress,
    sources::{Sources, now},
    watching::Watch,
};
use bytes::Bytes;
use domain::{
    Access, ExecutionId,
    execution::{LogLevel, LogLine},
};
use futures_util::{FutureExt, SinkExt, future::FusedFuture};
use std::{pin::pin, sync::Arc, time::Duration};
use store::StoreError;
use tokio::{
    net::unix::OwnedWriteHalf,
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::codec::FramedWrite;

/// Frames and calls that wait before whoever makes them has to wait too.
const WAITING: usize = 16;
/// How long the output of a run is read after it is gone; only a process that escaped from its
/// group can still write there.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// What is left when a child is gone.
pub(crate) struct Held {
    pub ending: Ending,
    pub modules: Modules,
    pub logs: Vec<LogLine>,
    pub log_lines_lost: u64,
    pub traffic: Traffic,
}

/// Talks with the child until it is gone and its log is kept.
pub(crate) async fn converse(
    tools: &Tools<'_>,
    request: &RunRequest,
    (started, way_out): (Started, WayOut),
    opening: Vec<Bytes>,
) -> Held {
    let masking = Arc::new(Masking::default());
    let (gate, lines) = logs::gate(masking.clone());
    let mut modules = Modules::default();
    let seen = &mut modules;
    let (tell, told) = watch::channel(None);
    let masks = masking.clone();
    let talk = async move {
        let kept = Kept { gate: &gate, masking: &masking, modules: seen, progress: tell };
        let (log, masking, sources) = (&gate, &*masking, tools.sources);
        let teller = Teller { log, masking, sources, access: &request.access };
        let talk = Box::pin(talk(tools, request, started, opening, kept));
        let (ending, traffic) = way_out.during(&teller, talk).await;
        gate.close(now()).await;
        (Ending { end: masking.end(ending.end).await, ..ending }, traffic)
    };
    let (sources, access, execution) = (tools.sources, &request.access, request.execution);
    let keeper = Keeper { sources, access, execution };
    let ring =
        || request.place.bells().into_iter().for_each(|bells| bells.ring_execution(execution));
    let progress = progress::keep(told, sources, (access, execution), (&masks, ring));
    let ((ending, traffic), (logs, log_lines_lost), ()) =
        tokio::join!(talk, logs::deliver(lines, keeper), progress);
    Held { ending, modules, logs, log_lines_lost, traffic }
}

/// Keeps the log of one run in the store.
struct Keeper<'a> {
    sources: &'a Sources,
    access: &'a Access,
    execution: ExecutionId,
}

impl Keep for Keeper<'_> {
    type Error = StoreError;

    async fn keep(&mut self, lines: &[LogLine]) -> Result<(), StoreError> {
        self.sources.append_logs(self.access, self.execution, lines).await
    }
}

/// What is kept of a run, and what must not be.
struct Kept<'a> {
    gate: &'a LogGate,
    masking: &'a Arc<Masking>,
    modules: &'a mut Modules,
    progress: watch::Sender<Option<Told>>,
}

/// Talks with the child until it is gone.
async fn talk(
    tools: &Tools<'_>,
    request: &RunRequest,
    started: Started,
    opening: Vec<Bytes>,
    kept: Kept<'_>,
) -> Ending {
    let Kept { gate, masking, modules, progress } = kept;
    let Started { mut child, socket, output, warning, .. } = started;
    if let Some(warning) = warning {
        gate.push(LogLevel::Warning, &warning, now()).await;
    }
    let deadline = Instant::now() + request.limits.timeout;
    let (reading, writing) = socket.into_split();
    let (call, calls) = mpsc::channel(WAITING);
    let (reply, replies) = mpsc::channel(WAITING);
    let mut listening = pin!(Listener::new(reading, gate, call, modules, progress).listen().fuse());
    let watch = Watch {
        child: &mut child,
        listening: listening.as_mut(),
        deadline,
        cancel: &request.cancel,
        cpu_seconds: crate::execution::cpu_seconds(request),
        replies: &reply,
    };
    let answer = Calls::new(request, tools.sources, tools.analyser, masking);
    let help = async {
        tokio::join!(write(writing, opening, replies), answer_all(answer, calls, &reply));
        std::future::pending::<std::convert::Infallible>().await
    };
    let mut reading = pin!(output::read(output, gate).fuse());
    let mut help = pin!(help);
    let mut watch = pin!(watch.watch());
    let ending = loop {
        tokio::select! {
            biased;
            ending = &mut watch => break ending,
            read = &mut reading => complain(read),
            never = &mut help => match never {},
        }
    };
    if !reading.is_terminated() {
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
async fn write(
    socket: OwnedWriteHalf,
    opening: Vec<Bytes>,
    mut replies: mpsc::Receiver<Vec<Bytes>>,
) {
    let mut frames = FramedWrite::new(socket, frames::codec());
    for frame in opening {
        if frames.send(frame).await.is_err() {
            break;
        }
    }
    while let Some(reply) = replies.recv().await {
        for frame in reply {
            // The child is gone: whoever watches it knows.
            let _gone = frames.send(frame).await;
        }
    }
}

/// Calls of one run that wait for other runs at the same time.
const MOST_WAITS: usize = 1_000;

/// Answers calls in order, so that the parts of a file meet; those that wait for other runs apart.
async fn answer_all(
    mut calls: Calls<'_>,
    mut waiting: mpsc::Receiver<Call>,
    replies: &mpsc::Sender<Vec<Bytes>>,
) {
    let mut waits = JoinSet::new();
    while let Some(call) = waiting.recv().await {
        while waits.try_join_next().is_some() {}
        let id = call.id;
        let answer = match calls.waiting(&call) {
            Some(wait) if waits.len() < MOST_WAITS => {
                let replies = replies.clone();
                waits.spawn(async move {
                    let answer = wait.wait().await;
                    let _gone = replies.send(frames::reply(id, answer)).await;
                });
                continue;
            }
            Some(_) => Err(Wrong {
                kind: "bifrost.BifrostError",
                message: format!("a run waits for at most {MOST_WAITS} executions at a time"),
            }),
            None => calls.answer(call).await,
        };
        let _gone = replies.send(frames::reply(id, answer)).await;
    }
    // As long as the child lives they go on.
    while waits.join_next().await.is_some() {}
}
