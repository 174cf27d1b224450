//! One child of a zygote, from the fork to the reaping.

use super::{Zygote, events::Event};
use std::{io, sync::Arc};
use tokio::sync::mpsc;

/// Why there is no child.
#[derive(Debug, thiserror::Error)]
pub enum SpawnFailed {
    /// No zygote could be had.
    #[error(transparent)]
    Zygote(#[from] super::ZygoteFailed),
    /// The zygote could not be told.
    #[error("the runtime's channel failed: {0}; it is replaced, try again")]
    Channel(io::Error),
    /// The system refused.
    #[error("the system could not fork: {0}; free memory or processes, or run fewer at a time")]
    Fork(String),
    /// The zygote went at that moment.
    #[error("the runtime went while it was asked for a process; it is replaced, try again")]
    Lost,
}

/// How a child went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal of this number.
    Signal(i32),
    /// With its zygote; nobody saw how.
    Lost,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => f.write_str(&crate::process::signal_name(*signal)),
            Self::Lost => f.write_str("the runtime that had started it"),
        }
    }
}

/// A child. Dropped before it is reaped, its whole process group is killed.
pub(crate) struct Child {
    run: String,
    zygote: Arc<Zygote>,
    events: mpsc::UnboundedReceiver<Event>,
    exit: Option<Exit>,
    /// Seconds of processor time it has used, once it is known.
    cpu: f64,
}

impl Child {
    pub(super) fn new(
        run: String,
        zygote: Arc<Zygote>,
        events: mpsc::UnboundedReceiver<Event>,
    ) -> Self {
        Self { run, zygote, events, exit: None, cpu: 0.0 }
    }

    /// Waits until it lives.
    pub(crate) async fn forked(&mut self) -> Result<(), SpawnFailed> {
        match self.events.recv().await {
            Some(Event::Forked) => Ok(()),
            Some(Event::ForkFailed(reason)) => {
                self.exit = Some(Exit::Lost);
                Err(SpawnFailed::Fork(reason))
            }
            Some(Event::Exited { .. } | Event::Lost) | None => {
                self.exit = Some(Exit::Lost);
                Err(SpawnFailed::Lost)
            }
        }
    }

    /// Waits until it is reaped and nothing of its process group is left. May be called again.
    pub(crate) async fn exited(&mut self) -> Exit {
        loop {
            if let Some(exit) = self.exit {
                return exit;
            }
            self.exit = match self.events.recv().await {
                Some(Event::Exited { status, cpu }) => {
                    self.cpu = cpu;
                    Some(if status < 0 { Exit::Signal(-status) } else { Exit::Code(status) })
                }
                Some(Event::Lost | Event::ForkFailed(_)) | None => Some(Exit::Lost),
                Some(Event::Forked) => None,
            };
        }
    }

    /// Seconds of processor time that it and what it waited for have used, once it is reaped.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu
    }

    /// Sends a signal to its process group; `SIGKILL` ends every process that it has started.
    pub(crate) fn kill(&self, signal: rustix::process::Signal) {
        if self.exit.is_some() {
            return;
        }
        if let Err(error) = self.zygote.kill(&self.run, signal.as_raw()) {
            tracing::warn!(%error, "a zygote does not listen; it is killed with its children");
            self.zygote.kill_all();
        }
    }

    /// Kills it with the zygote, which does not answer, and so all others of it.
    pub(crate) fn kill_directly(&mut self) {
        self.zygote.kill_all();
        self.exit.get_or_insert(Exit::Lost);
        self.zygote.forget(&self.run);
    }

    pub(super) fn forget(mut self) {
        self.zygote.forget(&self.run);
        self.exit = Some(Exit::Lost);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill(rustix::process::Signal::KILL);
    }
}
