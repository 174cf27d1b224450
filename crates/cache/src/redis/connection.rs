//! One connection: to a server, or to a cluster.

use crate::Address;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cmd, pipe,
};
use futures_util::{StreamExt, stream};
use std::time::Duration;
use tokio::time::timeout;

/// Longest time for coming to a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(1);
/// A single reply is not waited for longer than this; what is asked for at once has its own bound.
const REPLY: Duration = Duration::from_secs(1);
/// Commands on their way to a cluster at a time.
const AT_ONCE: usize = 64;

/// Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Connects, signs in and hears one answer.
    pub(super) async fn open(address: &Address) -> Result<Self, RedisError> {
        let opened = async {
            let mut connection = Self::connect(address).await?;
            connection.ping().await?;
            Ok(connection)
        };
        timeout(CONNECT, opened).await.unwrap_or_else(|_| Err(no_answer()))
    }

    async fn connect(address: &Address) -> Result<Self, RedisError> {
        // Another part of the program may have chosen already.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        if address.cluster {
            let client = ClusterClient::builder(address.nodes.iter().cloned());
            let client = client.connection_timeout(CONNECT).response_timeout(REPLY).retries(1);
            return Ok(Self::Cluster(client.build()?.get_async_connection().await?));
        }
        let node = address.nodes.first().cloned().ok_or_else(no_answer)?;
        let config = AsyncConnectionConfig::new();
        let config = config.set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(REPLY));
        let client = Client::open(node)?;
        Ok(Self::One(client.get_multiplexed_async_connection_with_config(&config).await?))
    }

    pub(super) async fn ping(&mut self) -> Result<(), RedisError> {
        let ping = cmd("PING");
        match self {
            Self::One(one) => ping.query_async(one).await,
            Self::Cluster(cluster) => ping.query_async(cluster).await,
        }
    }

    /// One reply for each command. The outer error is that of the connection.
    pub(super) async fn run(
        &mut self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Result<Value, RedisError>>, RedisError> {
        match self {
            Self::One(one) => {
                let mut pipeline = pipe();
                pipeline.ignore_errors();
                for command in commands {
                    pipeline.add_command(command);
                }
                pipeline.query_async(one).await
            }
            Self::Cluster(cluster) => {
                // The keys lie in different slots, so each goes its own way.
                let replies = stream::iter(commands).map(|command| {
                    let mut cluster = cluster.clone();
                    async move { cluster.req_packed_command(&command).await }
                });
                let replies: Vec<_> = replies.buffered(AT_ONCE).collect().await;
                let broken = |error: &&RedisError| error.is_io_error() || error.is_timeout();
                match replies.iter().filter_map(|reply| reply.as_ref().err()).find(broken) {
                    Some(error) => Err(error.clone()),
                    None => Ok(replies),
                }
            }
        }
    }
}

pub(super) fn no_answer() -> RedisError {
    (ErrorKind::Io, "no answer in time").into()
}

/// Looks whether a Redis can be used; what is wrong, and what to do about it.
pub async fn check(address: &Address) -> Result<(), String> {
    let error = match Connection::open(address).await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let mend = match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => {
            "put the right user and password into --redis-url-file"
        }
        _ => {
            "start it, correct --redis-url, or leave that out: runs go on without, from the database"
        }
    };
    Err(format!("{address} does not answer ({error}); {mend}"))
}
