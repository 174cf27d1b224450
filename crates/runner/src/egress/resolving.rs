//! Looks names up: outside of the run's reach, a bounded number at a time.

use futures_util::{FutureExt, future::BoxFuture};
use std::{
    io,
    net::{IpAddr, ToSocketAddrs},
    sync::Arc,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lookups of all runs at the same time. Each holds a thread, of which the rest of the server needs
/// some as well.
const AT_ONCE: usize = 128;

/// Whoever knows the addresses of names.
pub trait Resolve: Send + Sync {
    /// All addresses of a name. `slot` is let go when the lookup is really over, also when nobody
    /// waits for it any more.
    fn resolve(
        &self,
        name: &str,
        slot: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's own resolver, with its hosts file and search list.
pub struct SystemResolver(Arc<Semaphore>);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Resolve for SystemResolver {
    fn resolve(
        &self,
        name: &str,
        slot: OwnedSemaphorePermit,
    ) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let (name, places) = (name.to_owned(), self.0.clone());
        async move {
            let place = places.acquire_owned().await.map_err(io::Error::other)?;
            let lookup = move || {
                let found = (name.as_str(), 0).to_socket_addrs();
                let found = found.map(|found| found.map(|address| address.ip()).collect());
                drop((place, slot));
                found
            };
            tokio::task::spawn_blocking(lookup).await.map_err(io::Error::other)?
        }
        .boxed()
    }
}
