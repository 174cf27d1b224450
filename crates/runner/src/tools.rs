//! Questions to a short-lived child of the tools zygote: one start frame, one result.

use crate::{
    frames::{self, BadFrame, ChildLimits, Incoming, Joining, Large, Outgoing},
    sandbox::Room,
    zygote::{Exit, Order, Pool, SpawnFailed},
};
use bytes::Bytes;
use domain::execution::Failure;
use futures_util::{SinkExt, StreamExt};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::{
    fs::OpenOptions,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::Duration,
};
use tokio::net::UnixStream;
use tokio_util::codec::Framed;

/// A source that makes the compiler eat all memory must not take the server with it. This is far
/// more than the largest allowed file takes.
pub(crate) const LIMITS: ChildLimits =
    ChildLimits { memory_mb: 512, cpu_seconds: 60, file_mb: 512, open_files: 64, processes: 16 };

const ROOM: Room = Room { memory_mb: LIMITS.memory_mb, processes: LIMITS.processes };

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error(transparent)]
    Spawn(#[from] SpawnFailed),
    #[error("the system refused a descriptor: {0}; raise the limit of open files")]
    System(#[from] io::Error),
    /// The child went, or said something else, or took too long: the question was too much.
    #[error("the child {0}")]
    Died(String),
    /// The child says that it cannot.
    #[error("{}: {}", .0.kind, .0.message)]
    Failed(Failure),
}

/// Both ends of a socket for frames: ours for this runtime, theirs as a plain descriptor.
pub(crate) fn socket_pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let ours = std::os::unix::net::UnixStream::from(ours);
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs))
}

/// Asks a new child, which holds `with` besides its socket; the result's JSON text.
pub(crate) async fn ask(
    pool: &Pool,
    with: BorrowedFd<'_>,
    more: Option<BorrowedFd<'_>>,
    question: &[Bytes],
    limit: Duration,
) -> Result<String, NoAnswer> {
    let (ours, theirs) = socket_pair()?;
    // Nobody reads what such a child prints, and a full pipe would stop it.
    let silence = OpenOptions::new().write(true).open("/dev/null")?;
    // Nothing of the source is run, but what reads it was not written to be attacked.
    let seat = Arc::new(pool.sandbox().seat(ROOM).await?);
    let mut child = {
        let own = [theirs.as_fd(), silence.as_fd(), with];
        let descriptors: Vec<_> = own.into_iter().chain(more).collect();
        let pass = pool.sandbox().pass(&seat, None)?;
        pool.spawn(&Order { descriptors: &descriptors, seat: &seat, pass }).await?
    };
    // Nobody serves its way out.
    seat.over();
    drop((theirs, seat));
    let talk = converse(ours, question);
    match tokio::time::timeout(limit, talk).await {
        Err(_) => Err(NoAnswer::Died(format!("took longer than {} seconds", limit.as_secs()))),
        Ok(Ok(Some(answer))) => Ok(answer),
        Ok(Ok(None)) => {
            let exit = tokio::time::timeout(Duration::from_secs(2), child.exited()).await;
            Err(NoAnswer::Died(format!("went with {}", exit.unwrap_or(Exit::Lost))))
        }
        Ok(Err(error)) => Err(error),
    }
}

async fn converse(socket: UnixStream, question: &[Bytes]) -> Result<Option<String>, NoAnswer> {
    let mut frames = Framed::new(socket, frames::codec());
    for frame in question {
        // A child that is gone already says so by what is read.
        if frames.send(frame.clone()).await.is_err() {
            break;
        }
    }
    let mut joining: Option<Joining> = None;
    while let Some(Ok(frame)) = frames.next().await {
        match (Incoming::parse(&frame).map_err(broken)?, &mut joining) {
            (Incoming::Result(Large::Inline(text), _), None) => return Ok(Some(text)),
            (Incoming::Result(Large::Parts(parts), _), None) => joining = Some(Joining::new(parts)),
            (Incoming::Part(part), Some(joining)) => {
                if let Some(text) = joining.push(&part).map_err(broken)? {
                    return Ok(Some(text));
                }
            }
            (Incoming::Error(failure), None) => return Err(NoAnswer::Failed(failure)),
            _ => return Err(broken(BadFrame::PartOutOfPlace)),
        }
    }
    Ok(None)
}

fn broken(frame: BadFrame) -> NoAnswer {
    NoAnswer::Died(format!("sent {frame}"))
}

/// The frame that starts a child, with the parts that follow it.
pub(crate) fn compile_question(entries: &[u32]) -> Result<Vec<Bytes>, BadFrame> {
    let list = serde_json::to_string(entries).unwrap_or_default();
    let large = frames::large_frames(&list)?;
    let start = frames::Start::Compile { limits: LIMITS, value: large.value, parts: large.parts };
    let mut all = vec![Outgoing::Start(start).to_bytes()];
    all.extend(large.frames);
    Ok(all)
}
