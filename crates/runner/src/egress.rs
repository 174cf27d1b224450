//! The proxy through which one run reaches the network: its namespace has no other way out.
//!
//! The way of one connection, file by file: `serving` accepts it, bounded → `connection` reads a request
//! head → `tunnel` (CONNECT) or `forwarding` (plain HTTP) asks `reaching`, which decides, looks the
//! name up once (`resolving`), and connects to the very address it looked at → `metering` counts what
//! passes. A `refusal` is the reply's words; `reporting` carries it to the run's log and the audit.

mod connection;
mod forwarding;
mod metering;
mod metrics;
mod reaching;
mod refusal;
mod reporting;
mod resolving;
mod serving;
mod telling;
mod tunnel;

pub use metering::Traffic;
pub use metrics::describe;
pub use reporting::{MOST_AUDITED, MOST_LOGGED, Report};
pub use resolving::{Resolve, SystemResolver};
pub(crate) use telling::{Teller, WayOut};

use domain::network::{AllowedHosts, PrivateHosts};
use metering::Counters;
use reporting::Refusals;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// How far one run may go on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time; further ones wait to be accepted.
    pub connections: usize,
    /// Names looked up at the same time.
    pub lookups: usize,
    /// Time for the head of a request, which begins when the one before is answered.
    pub head: Duration,
    /// Time for looking a name up, and again for connecting.
    pub connect: Duration,
    /// How long nothing may pass before a connection is closed.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            lookups: 4,
            head: Duration::from_secs(30),
            connect: Duration::from_secs(10),
            // Longer than a slow report of somebody's API takes; the end of the run ends all.
            idle: Duration::from_secs(15 * 60),
        }
    }
}

/// What all runs of a server share on their way out. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    resolver: Arc<dyn Resolve>,
    private: Arc<PrivateHosts>,
    limits: Limits,
}

impl Egress {
    /// Names are looked up by the system; `private` is the operator's list.
    pub fn new(private: PrivateHosts) -> Self {
        Self::with(Arc::new(SystemResolver::default()), private, Limits::default())
    }

    /// With a resolver and limits of one's own.
    pub fn with(resolver: Arc<dyn Resolve>, private: PrivateHosts, limits: Limits) -> Self {
        Self { resolver, private: Arc::new(private), limits }
    }
}

/// What one run may reach.
#[derive(Clone)]
pub struct Policy {
    /// What it shares with all others.
    pub egress: Egress,
    /// `network.allowed_hosts` of its organization.
    pub allowed: AllowedHosts,
}

/// The proxy of one run. Dropped, it is closed: every connection ends, nothing is accepted any more.
pub struct Gate {
    run: Arc<Run>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

/// What the connections of one run share.
struct Run {
    policy: Policy,
    counters: Counters,
    refusals: Refusals,
    lookups: Arc<Semaphore>,
}

impl Gate {
    /// Serves what connects to `listener` from now on; must be called within a runtime, and before
    /// the run starts: what waits there already is from a run before it, and is closed. Refusals go to
    /// `reports`, at most [`MOST_LOGGED`] of them.
    pub fn open(
        listener: std::net::TcpListener,
        policy: Policy,
        reports: mpsc::Sender<Report>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        throw_away_waiting(&listener)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let lookups = Arc::new(Semaphore::new(policy.egress.limits.lookups));
        let refusals = Refusals::new(reports);
        let run = Arc::new(Run { policy, counters: Counters::default(), refusals, lookups });
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serving::serve(listener, run.clone(), stop.clone()));
        Ok(Self { run, stop, serving })
    }

    /// What has passed so far.
    pub fn traffic(&self) -> Traffic {
        self.run.counters.traffic()
    }

    /// Ends every connection and waits until their sockets are closed; what has passed.
    pub async fn close(mut self) -> Traffic {
        self.stop.cancel();
        if let Err(error) = (&mut self.serving).await {
            tracing::error!(%error, "the egress proxy of a run died");
        }
        self.traffic()
    }
}

/// What cannot be thrown away would be served as this run's: then there is no gate.
fn throw_away_waiting(listener: &std::net::TcpListener) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok(_) => {}
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(()),
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                _ => return Err(error),
            },
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        metrics::ended(self.counters.traffic());
    }
}
