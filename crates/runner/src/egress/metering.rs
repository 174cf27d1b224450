//! Counts what passes, and notices when nothing does.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

/// What one run did on the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections to hosts.
    pub connections: u64,
    /// Bytes sent to hosts.
    pub sent: u64,
    /// Bytes received from hosts.
    pub received: u64,
    /// Requests that a rule refused.
    pub refused: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    pub connections: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    pub refused: AtomicU64,
}

impl Counters {
    pub fn traffic(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            connections: read(&self.connections),
            sent: read(&self.sent),
            received: read(&self.received),
            refused: read(&self.refused),
        }
    }
}

/// When something last passed, on either side of a connection.
#[derive(Clone)]
pub(super) struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when nothing has passed for this long.
    pub async fn stops(&self, limit: Duration) {
        loop {
            let due = self.last() + limit;
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

/// A socket that is watched; what passes counts if it is the one to a host.
pub(super) struct Metered {
    socket: TcpStream,
    pulse: Pulse,
    run: Option<Arc<super::Run>>,
}

impl Metered {
    /// The side of the run, whose bytes count on the other side.
    pub fn near(socket: TcpStream, pulse: Pulse) -> Self {
        Self { socket, pulse, run: None }
    }

    /// The side of the host.
    pub fn far(socket: TcpStream, pulse: Pulse, run: Arc<super::Run>) -> Self {
        run.counters.connections.fetch_add(1, Ordering::Relaxed);
        Self { socket, pulse, run: Some(run) }
    }

    fn passed(&self, bytes: usize, which: impl Fn(&Counters) -> &AtomicU64) {
        if bytes > 0 {
            self.pulse.beat();
            if let Some(run) = &self.run {
                which(&run.counters).fetch_add(bytes as u64, Ordering::Relaxed);
            }
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        self.passed(buffer.filled().len() - before, |counters| &counters.received);
        read
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.passed(*count, |counters| &counters.sent);
        }
        written
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
