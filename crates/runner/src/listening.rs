//! Listens to a child: log lines, calls, modules, and at last its end.

use crate::{
    frames::{self, BadFrame, Call, Incoming, Joining, Large, Log, Modules, Told},
    logs::{Dropped, LogGate},
    media_type,
    sources::now,
};
use domain::{
    Timestamp,
    execution::{Failure, LogLevel},
};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::{
    net::unix::OwnedReadHalf,
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec, LengthDelimitedCodecError};

/// Most modules of one run that are kept as its provenance.
const MAX_MODULES: usize = 20_000;
/// Most packages of one run that are learned from.
const MAX_PACKAGES: usize = 64;
/// A child's clock is believed if it is this near to ours; it is the same machine.
const CLOCK: Duration = Duration::from_secs(3600);

/// How a child's talk ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It returned this JSON text, with a content type of its own or not.
    Result(String, Option<String>),
    /// It raised.
    Error(Failure),
    /// It broke the protocol.
    Broken(BadFrame),
    /// It closed its socket, or went, without an end.
    Silence,
    /// It closed its socket and stayed.
    HungUp,
}

/// Listens to one child.
pub(crate) struct Listener<'a> {
    frames: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    gate: &'a LogGate,
    calls: mpsc::Sender<Call>,
    modules: &'a mut Modules,
    progress: watch::Sender<Option<Told>>,
}

impl<'a> Listener<'a> {
    pub(crate) fn new(
        socket: OwnedReadHalf,
        gate: &'a LogGate,
        calls: mpsc::Sender<Call>,
        modules: &'a mut Modules,
        progress: watch::Sender<Option<Told>>,
    ) -> Self {
        Self { frames: FramedRead::new(socket, frames::codec()), gate, calls, modules, progress }
    }

    /// Until the end.
    pub(crate) async fn listen(mut self) -> End {
        loop {
            match self.next().await {
                Ok(None) => return End::Silence,
                Ok(Some(frame)) => match self.take(frame).await {
                    Ok(None) => {}
                    Ok(Some(end)) => return end,
                    Err(broken) => return End::Broken(broken),
                },
                Err(broken) => return End::Broken(broken),
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Incoming>, BadFrame> {
        match self.frames.next().await {
            None => Ok(None),
            Some(Ok(frame)) => Incoming::parse(&frame).map(Some),
            Some(Err(error)) => {
                let inner = error.get_ref();
                if inner.is_some_and(|inner| inner.is::<LengthDelimitedCodecError>()) {
                    return Err(BadFrame::TooLarge);
                }
                // A child that goes in the middle of a frame, or with something unread.
                tracing::debug!(%error, "the socket of a child ended early");
                Ok(None)
            }
        }
    }

    async fn take(&mut self, frame: Incoming) -> Result<Option<End>, BadFrame> {
        match frame {
            Incoming::Log(log) => self.log(log).await,
            Incoming::Dropped(dropped) => {
                self.gate.drop_more(Dropped { lines: dropped.lines, bytes: dropped.bytes });
            }
            Incoming::Call(call) => {
                // The answering side lives as long as this one.
                let _closed = self.calls.send(call).await;
            }
            Incoming::Modules(modules) => {
                self.modules.told_at.get_or_insert_with(Instant::now);
                let room = MAX_MODULES.saturating_sub(self.modules.modules.len());
                self.modules.modules.extend(modules.modules.into_iter().take(room));
                let room = MAX_PACKAGES.saturating_sub(self.modules.packages.len());
                self.modules.packages.extend(modules.packages.into_iter().take(room));
            }
            Incoming::Progress(told) => {
                self.progress.send_replace(Some(told));
            }
            Incoming::Result(Large::Inline(text), kind) => {
                return Ok(Some(End::Result(text, kind.filter(|kind| media_type::is(kind)))));
            }
            Incoming::Result(Large::Parts(parts), kind) => {
                let end = self.join(parts, kind.filter(|kind| media_type::is(kind)));
                return end.await.map(Some);
            }
            Incoming::Part(_) => return Err(BadFrame::PartOutOfPlace),
            Incoming::Error(failure) => return Ok(Some(End::Error(failure))),
        }
        Ok(None)
    }

    async fn join(&mut self, parts: usize, kind: Option<String>) -> Result<End, BadFrame> {
        let mut joining = Joining::new(parts);
        loop {
            match self.next().await? {
                Some(Incoming::Part(part)) => {
                    if let Some(text) = joining.push(&part)? {
                        return Ok(End::Result(text, kind));
                    }
                }
                Some(_) => return Err(BadFrame::PartOutOfPlace),
                None => return Ok(End::Silence),
            }
        }
    }

    async fn log(&self, log: Log) {
        let level = LogLevel::from_word(&log.level);
        self.gate.push(level, &log.message, time(log.time)).await;
    }
}

/// The child's time if it can be true, else ours.
fn time(seconds: f64) -> Timestamp {
    let now = now();
    // Saturates, and NaN is 0: both are far from now.
    #[expect(clippy::cast_possible_truncation, reason = "see above")]
    let micros = (seconds * 1e6) as i64;
    let near = u128::from(micros.abs_diff(now.0)) <= CLOCK.as_micros();
    if near { Timestamp(micros) } else { now }
}
