//! How a connection is opened: the driver greets the server (encryption, who we are, our password)
//! over a socket that is lent to it, and is done.

use super::errors::connecting;
use socket2::{SockRef, TcpKeepalive};
use sqlx::postgres::PgConnectOptions;
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_postgres::{
    Config, NoTls,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::either::Either;

/// How long a server may be silent to what was sent: its machine may have lost its power.
const SILENCE: Duration = Duration::from_secs(10);

/// Bytes both ways.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// Where a server is, and what it is told.
pub(super) struct Door {
    pub(super) options: Box<PgConnectOptions>,
    pub(super) config: Config,
    /// Nothing when the URL says that nothing is to be encrypted.
    pub(super) tls: Option<MakeRustlsConnect>,
}

impl Door {
    /// A connection on which the server waits for statements.
    pub(super) async fn open(&self, patience: Duration) -> Result<Box<dyn Socket>, sqlx::Error> {
        let late = io::Error::new(io::ErrorKind::TimedOut, "the server does not answer");
        timeout(patience, self.enter()).await.map_err(|_| late)?
    }

    async fn enter(&self) -> Result<Box<dyn Socket>, sqlx::Error> {
        let plain = Shared::new(self.knock().await?);
        let Some(tls) = &self.tls else {
            let greeted = self.config.connect_raw(plain.clone(), NoTls).await;
            drop(greeted.map_err(connecting)?);
            return Ok(Box::new(plain.back()?));
        };
        let connector =
            MakeTlsConnect::<Lent>::make_tls_connect(&mut tls.clone(), self.options.get_host());
        let connector = connector.map_err(|error| sqlx::Error::Tls(error.into()))?;
        let kept = Arc::new(Mutex::new(None));
        let lending = Lending { connector, kept: kept.clone() };
        drop(self.config.connect_raw(plain.clone(), lending).await.map_err(connecting)?);
        let encrypted = locked(&kept).take();
        match encrypted {
            Some(encrypted) => Ok(Box::new(encrypted.back()?)),
            // The server does not encrypt, and the URL allows that.
            None => Ok(Box::new(plain.back()?)),
        }
    }

    async fn knock(&self) -> io::Result<Plain> {
        let (host, port) = (self.options.get_host(), self.options.get_port());
        if let Some(directory) = self.options.get_socket() {
            let socket = UnixStream::connect(directory.join(format!(".s.PGSQL.{port}"))).await?;
            return Ok(Either::Right(socket));
        }
        let socket = TcpStream::connect((host, port)).await?;
        socket.set_nodelay(true)?;
        let about = SockRef::from(&socket);
        about.set_tcp_user_timeout(Some(SILENCE))?;
        about.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE))?;
        Ok(Either::Left(socket))
    }
}

/// What encrypts, over a socket that is lent.
type Connector = <MakeRustlsConnect as MakeTlsConnect<Lent>>::TlsConnect;
type Encrypted = <Connector as TlsConnect<Lent>>::Stream;
type Lent = Shared<Plain>;
type Plain = Either<TcpStream, UnixStream>;

/// Encrypts, and keeps a hand on what comes of it.
struct Lending {
    connector: Connector,
    kept: Arc<Mutex<Option<Shared<Encrypted>>>>,
}

impl TlsConnect<Lent> for Lending {
    type Stream = Shared<Encrypted>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Shared<Encrypted>>> + Send>>;

    fn connect(self, socket: Lent) -> Self::Future {
        Box::pin(async move {
            let encrypted = Shared::new(self.connector.connect(socket).await?);
            *locked(&self.kept) = Some(encrypted.clone());
            Ok(encrypted)
        })
    }
}

/// What two hold, of whom one uses it: the driver while it greets, then we.
struct Shared<S>(Arc<Mutex<S>>);

impl<S> Shared<S> {
    fn new(socket: S) -> Self {
        Self(Arc::new(Mutex::new(socket)))
    }

    /// What was lent, once nobody else holds it.
    fn back(self) -> Result<S, sqlx::Error> {
        let socket = Arc::into_inner(self.0).map(Mutex::into_inner);
        let socket = socket.ok_or_else(|| sqlx::Error::Protocol(KEPT.to_owned()))?;
        Ok(socket.unwrap_or_else(PoisonError::into_inner))
    }
}

const KEPT: &str = "the driver has not given the socket back";

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: TlsStream + Unpin> TlsStream for Shared<S> {
    fn channel_binding(&self) -> ChannelBinding {
        locked(&self.0).channel_binding()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Shared<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        packet: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *locked(&self.0)).poll_read(context, packet)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Shared<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *locked(&self.0)).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *locked(&self.0)).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *locked(&self.0)).poll_shutdown(context)
    }
}
