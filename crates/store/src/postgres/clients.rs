//! The pool of connections that statements run on.
//!
//! What happens once in a while (migrations, listening) has connections of its own, from the driver
//! that the migrations bring.

use super::{errors::is_broken, greeting::Door, tls, wire::Wire};
use deadpool::managed::{self, Metrics, PoolError, RecycleError, RecycleResult};
use percent_encoding::percent_decode_str;
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::{io::ErrorKind, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::{Config, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connections of one process. PostgreSQL forks a process for each, so not many.
pub(super) const CONNECTIONS: usize = 16;

/// How long a statement waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(10);

/// The first pause before a server that does not let us in yet is asked again; the next are longer.
const PAUSE: Duration = Duration::from_millis(10);

/// A connection, taken from the pool; it goes back when it is dropped.
pub(super) type Pooled = managed::Object<Door>;

/// Open connections, and those that may yet be opened. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(managed::Pool<Door>);

impl Pool {
    /// A pool that has opened nothing yet.
    pub(super) fn new(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        let tls = match options.get_ssl_mode() {
            PgSslMode::Disable => None,
            _ => Some(MakeRustlsConnect::new(tls::config(options)?)),
        };
        let door = Door { options: Box::new(options.clone()), config: config(options), tls };
        let pool = managed::Pool::builder(door).max_size(CONNECTIONS).build();
        pool.map(Self).map_err(|error| sqlx::Error::Configuration(error.into()))
    }

    /// A connection, as soon as one is free. A server that is just starting is waited for.
    pub(super) async fn take(&self) -> Result<Pooled, sqlx::Error> {
        let deadline = Instant::now() + ACQUIRE;
        let mut pause = PAUSE;
        loop {
            match self.take_by(deadline).await {
                Err(error) if is_starting(&error) && Instant::now() + pause < deadline => {
                    sleep(pause).await;
                    pause *= 2;
                }
                taken => return taken,
            }
        }
    }

    /// Whether the server lets us in at all; if not, why, at once.
    pub(super) async fn try_out(&self) -> Result<(), sqlx::Error> {
        self.take_by(Instant::now() + ACQUIRE).await.map(drop)
    }

    async fn take_by(&self, deadline: Instant) -> Result<Pooled, sqlx::Error> {
        match timeout_at(deadline, self.0.get()).await {
            Ok(Err(PoolError::Backend(error))) => Err(error),
            Ok(Ok(client)) => Ok(client),
            Ok(Err(_)) | Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }
}

/// Whether the server is not there at the moment, or does not let anybody in.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}

impl managed::Manager for Door {
    type Type = Wire;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Wire, sqlx::Error> {
        self.open(ACQUIRE).await.map(Wire::new)
    }

    async fn recycle(&self, wire: &mut Wire, _: &Metrics) -> RecycleResult<sqlx::Error> {
        match wire.is_closed() {
            true => Err(RecycleError::message("the server has closed the connection")),
            false => Ok(()),
        }
    }
}

/// Takes a connection out of the pool for good if `error` says that nothing more comes from it.
pub(super) fn discard(wire: Pooled, error: &sqlx::Error) {
    if is_broken(error) {
        drop(managed::Object::take(wire));
    }
}

/// Who we are. One reader for URLs, variables and password files, and one for TLS: what the
/// migrations' driver makes of them is what statements run with.
fn config(options: &PgConnectOptions) -> Config {
    let mut config = Config::new();
    config.user(options.get_username()).application_name("bifrost");
    config.dbname(options.get_database().unwrap_or_else(|| options.get_username()));
    if let Some(more) = options.get_options() {
        config.options(more);
    }
    let url = options.to_url_lossy();
    if let Some(password) = url.password() {
        config.password(percent_decode_str(password).collect::<Vec<u8>>());
    }
    config.ssl_mode(match options.get_ssl_mode() {
        PgSslMode::Disable => SslMode::Disable,
        PgSslMode::Allow | PgSslMode::Prefer => SslMode::Prefer,
        PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => SslMode::Require,
    });
    config
}
