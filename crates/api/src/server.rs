//! The HTTP server: connections with limits in front of the router.
//!
//! Every limit is against a client that costs more than it brings: heads that do not end, heads
//! that are huge, connections without number. Bodies have theirs in [`crate::slow_bodies`].

use crate::slow_bodies;
use axum::{Router, body::Body, extract::ConnectInfo, middleware::from_fn_with_state};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{ServiceExt, service_fn};

/// What one client may cost.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at a time; more wait to be accepted. Below the usual limit of 1024 descriptors.
    pub connections: usize,
    /// How long a connection may take for the head of a request, and lie idle before it.
    pub head: Duration,
    /// How long a body may take, beyond what its size needs at a slow pace.
    pub body: Duration,
    /// Lines of a head.
    pub header_lines: usize,
    /// Bytes of a head.
    pub header_bytes: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        let (head, body) = (Duration::from_secs(30), Duration::from_secs(15));
        Self { connections: 768, head, body, header_lines: 64, header_bytes: 32 * 1024 }
    }
}

/// How long to wait when the system has no connection to give, for want of descriptors.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(200);

/// Serves until `stop`, then lets requests that are being answered end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let router = router.layer(from_fn_with_state(limits.body, slow_bodies::hold));
    let places = Arc::new(Semaphore::new(limits.connections));
    let open = TaskTracker::new();
    while let Some((place, stream, peer)) = next(&listener, &places, &stop).await {
        let connection = Connection { router: router.clone(), limits, stop: stop.clone(), peer };
        open.spawn(async move {
            connection.serve(stream).await;
            drop(place);
        });
    }
    // Whoever connects from now on is refused by the system.
    drop(listener);
    open.close();
    open.wait().await;
}

/// The next connection once there is a place for it; `None` when it is time to stop.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let accepted = async {
        let place = places.clone().acquire_owned().await.ok()?;
        let (stream, peer) = accept(listener).await;
        Some((place, stream, peer))
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = accepted => accepted,
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted; trying again");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            }
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Connection {
    router: Router,
    limits: ServerLimits,
    stop: CancellationToken,
    peer: SocketAddr,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "small replies may be late");
        }
        let (router, peer) = (self.router, self.peer);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request.map(Body::new))
        });
        let io = TokioIo::new(stream);
        let connection =
            builder(self.limits).serve_connection(io, TowerToHyperService::new(service));
        let mut connection = pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

fn builder(limits: ServerLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head);
    builder.max_headers(limits.header_lines).max_header_size(limits.header_bytes);
    builder
}
