//! One zygote: a small Python process that forks a child for everything that is to be run.

mod child;
mod events;
mod memory;
mod pool;
mod pools;

pub use child::SpawnFailed;
pub(crate) use child::{Child, Exit};
pub(crate) use pool::{Kind, Launch, Order, Pool, Warm};
pub(crate) use pools::{Pools, Wants};

use crate::{control::Control, runtime_files, sandbox::Seat};
use events::{Event, Notice, Ready};
use memory::Processes;
use serde_json::json;
use std::{
    collections::HashMap,
    io,
    os::fd::{BorrowedFd, OwnedFd},
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

/// How long a zygote may take to say that it is ready.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long one may take to leave after its channel is closed.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// Why there is no zygote.
#[derive(Debug, thiserror::Error)]
pub enum ZygoteFailed {
    /// The interpreter could not be started.
    #[error("`{0}` could not be started: {1}; check the configured Python")]
    Start(std::path::PathBuf, io::Error),
    /// It left, or said nothing, before it was ready; its own words are on standard error.
    #[error("the Python runtime did not get ready ({0}); its own complaint is in the server's log")]
    NotReady(String),
}

/// A handle on one zygote. When the last one is dropped the zygote leaves.
pub(crate) struct Zygote {
    shared: Arc<Shared>,
}

/// What the handles and the reading task share.
struct Shared {
    control: Control,
    /// The children that have not been reaped, by run.
    children: Mutex<HashMap<String, Entry>>,
    gone: AtomicBool,
    forks: AtomicU64,
    /// The process itself.
    pid: Option<i32>,
    /// Names at the top of the installed packages it has imported.
    packages: Vec<String>,
}

struct Entry {
    events: mpsc::UnboundedSender<Event>,
    /// Stays with the entry until the child is reaped, whoever still waits for it.
    seat: Arc<Seat>,
}

impl Zygote {
    /// Starts one and waits until it is ready.
    pub(crate) async fn start(
        launch: &Launch,
        kind: Kind,
        ahead: &[String],
    ) -> Result<Arc<Self>, ZygoteFailed> {
        let failed = |error| ZygoteFailed::Start(launch.python.clone(), error);
        let (control, theirs) = Control::pair().map_err(failed)?;
        let mut command = launch.command(kind, theirs, ahead).map_err(failed)?;
        let process = command.spawn().map_err(failed)?;
        drop(command);
        let ready = tokio::time::timeout(START_LIMIT, events::ready(&control)).await;
        let ready = ready.unwrap_or_else(|_| Err("nothing within 30 seconds".to_owned()));
        let Ready { python, tag, packages } = ready.map_err(ZygoteFailed::NotReady)?;
        tracing::debug!(kind = kind.as_str(), python, tag, ?packages, "zygote ready");
        let shared = Arc::new(Shared {
            control,
            children: Mutex::default(),
            gone: AtomicBool::new(false),
            forks: AtomicU64::new(0),
            pid: process.id().and_then(|pid| i32::try_from(pid).ok()),
            packages,
        });
        tokio::spawn(shared.clone().read(process));
        Ok(Arc::new(Self { shared }))
    }

    /// Whether nothing can be forked here any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.shared.gone.load(Ordering::Acquire)
    }

    /// How many children it was asked for.
    pub(crate) fn forks(&self) -> u64 {
        self.shared.forks.load(Ordering::Relaxed)
    }

    /// Names at the top of the installed packages it has imported.
    pub(crate) fn packages(&self) -> &[String] {
        &self.shared.packages
    }

    /// Itself and its children.
    pub(crate) fn processes(&self) -> Processes {
        self.shared.pid.map(Processes::below).unwrap_or_default()
    }

    /// Asks for a child.
    pub(crate) async fn spawn(
        self: &Arc<Self>,
        run: String,
        order: &Order<'_>,
    ) -> Result<Child, SpawnFailed> {
        let (sender, events) = mpsc::unbounded_channel();
        let entry = Entry { events: sender, seat: order.seat.clone() };
        self.shared.children().insert(run.clone(), entry);
        self.shared.forks.fetch_add(1, Ordering::Relaxed);
        let packet = json!({"op": "spawn", "run": run, "cell": order.pass.packet()}).to_string();
        let descriptors: Vec<_> =
            order.descriptors.iter().copied().chain(order.pass.descriptors()).collect();
        let child = Child::new(run, self.clone(), events);
        match self.shared.control.send(packet.as_bytes(), &descriptors).await {
            Ok(()) if !self.is_gone() => Ok(child),
            Ok(()) => {
                child.forget();
                Err(SpawnFailed::Lost)
            }
            Err(error) => {
                child.forget();
                Err(SpawnFailed::Channel(error))
            }
        }
    }

    /// Has the zygote hold the code objects of these entries of a bundle.
    pub(crate) async fn warm(&self, entries: &[u32], files: [BorrowedFd<'_>; 2]) -> io::Result<()> {
        let packet = json!({"op": "warm", "entries": entries}).to_string();
        self.shared.control.send(packet.as_bytes(), &files).await
    }

    /// Ends it although it may not know: one that does not answer is of no use to anybody.
    pub(crate) fn give_up(&self) {
        tracing::error!("a zygote does not answer; it is replaced");
        self.shared.gone.store(true, Ordering::Release);
        self.shared.control.close();
    }

    fn kill_all(&self) {
        self.shared.kill_all();
    }

    fn kill(&self, run: &str, signal: i32) -> io::Result<()> {
        let packet = json!({"op": "kill", "run": run, "signal": signal}).to_string();
        self.shared.control.try_send(packet.as_bytes())
    }

    fn forget(&self, run: &str) {
        self.shared.children().remove(run);
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.shared.control.close();
    }
}

impl Shared {
    fn children(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on what the zygote says until it is gone, then cleans up after it.
    async fn read(self: Arc<Self>, mut process: tokio::process::Child) {
        loop {
            match self.control.receive().await {
                Ok(Some(packet)) => match Notice::parse(&packet) {
                    Ok(notice) => self.pass_on(notice),
                    Err(error) => tracing::error!(%error, "a zygote sent what is no event"),
                },
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "the channel to a zygote failed");
                    break;
                }
            }
        }
        self.gone.store(true, Ordering::Release);
        self.control.close();
        if tokio::time::timeout(LEAVE_LIMIT, process.wait()).await.is_err() {
            // Killed by dropping it below as well; this one is waited for.
            let _gone = process.kill().await;
        }
        self.lose_children();
    }

    fn pass_on(&self, notice: Notice) {
        let run = notice.run;
        match notice.event {
            Event::Exited { .. } | Event::ForkFailed(_) => {
                let entry = self.children().remove(&run);
                if let Some(Entry { events, seat }) = entry {
                    seat.reaped();
                    drop(seat);
                    // A run that was given up has nobody to tell.
                    let _given_up = events.send(notice.event);
                }
            }
            Event::Forked => {
                if let Some(entry) = self.children().get(&run) {
                    let _given_up = entry.events.send(notice.event);
                }
            }
            Event::Lost => {}
        }
    }

    /// Kills the zygote, and with it every process below: it is the first of their namespace.
    fn kill_all(&self) {
        self.gone.store(true, Ordering::Release);
        self.pid.into_iter().for_each(crate::process::kill_group);
    }

    /// The zygote is gone, and what it forked with it. Nobody saw how: their cells are not used again.
    fn lose_children(&self) {
        self.kill_all();
        for (_, entry) in self.children().drain() {
            let _given_up = entry.events.send(Event::Lost);
        }
    }
}

impl Launch {
    fn command(
        &self,
        kind: Kind,
        channel: OwnedFd,
        ahead: &[String],
    ) -> io::Result<tokio::process::Command> {
        let script = runtime_files::script(&self.runtime, "zygote");
        let mut command = tokio::process::Command::new(&self.python);
        let walls = self.sandbox.walls();
        command.args(["-I", "-S", "-c", &script, kind.as_str(), "--walls", walls.argument()]);
        if let Some(environment) = &self.environment {
            command.arg("--packages").arg(&environment.packages).args(ahead);
        }
        command
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(channel))
            .stdout(walls.output()?)
            .stderr(Stdio::inherit())
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }
}
