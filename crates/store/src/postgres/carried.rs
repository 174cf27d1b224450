//! Work that is carried to its end when nobody waits for it any more.
//!
//! A request whose client has gone is dropped wherever it stands. The driver undoes a transaction
//! that is dropped, but not one that is dropped while it begins: `BEGIN` is on its way, the
//! connection goes back to the pool inside a transaction, and the next one to use it is in it, read
//! only perhaps, or holding an organization's lock for as long as it lies there.

use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::runtime::Handle;

/// A future that goes on by itself when it is dropped before its end.
pub(super) struct Carried<T>(Option<Pin<Box<dyn Future<Output = T> + Send>>>)
where
    T: Send + 'static;

impl<T: Send + 'static> Carried<T> {
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<T: Send + 'static> Future for Carried<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let done = work.as_mut().poll(context);
        if done.is_ready() {
            self.0 = None;
        }
        done
    }
}

impl<T: Send + 'static> Drop for Carried<T> {
    fn drop(&mut self) {
        // Without a runtime the connections go as well.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move { drop(work.await) });
        }
    }
}
