//! Accepts the connections of a run, so many at a time, and ends them all with it.

use super::{Run, connection};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// How long to wait when the system has no descriptor for a connection: another one has to end, and
/// nobody tells.
const AFTER_TROUBLE: Duration = Duration::from_millis(50);

/// Serves until `stop`, then closes everything. Dropping the future does the same.
pub(super) async fn serve(listener: TcpListener, run: Arc<Run>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    let most = run.policy.egress.limits.connections;
    loop {
        let room = connections.len() < most;
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => complain(ended),
            accepted = listener.accept(), if room => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(connection::serve(socket, run.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection of a run cannot be accepted");
                    tokio::time::sleep(AFTER_TROUBLE).await;
                }
            },
        }
    }
    connections.shutdown().await;
}

fn complain(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection of a run ended by a fault of ours");
    }
}
