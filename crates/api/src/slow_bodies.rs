//! Bodies that do not come: a client that announces one and sends nothing, or drips, is cut; one
//! that sends more than was wanted still gets its reply.

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::Response,
};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, timeout};

/// Bytes a second that a body must bring on average, beyond the grace.
const PACE: u64 = 8 * 1024;
/// What is thrown away of a body that nobody wants, so that the client reads the reply instead of
/// being cut off while it writes.
const DISCARD_BYTES: u64 = 64 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// The body of one request as others see it. In the request's extensions.
#[derive(Clone, Default)]
pub struct Pace(Arc<Shared>);

#[derive(Default)]
struct Shared {
    too_slow: AtomicBool,
    begun: AtomicBool,
    /// What was left when the handler had enough.
    rest: Mutex<Option<Body>>,
}

impl Pace {
    /// Whether the body was cut because it did not come.
    pub fn was_too_slow(&self) -> bool {
        self.0.too_slow.load(Ordering::Relaxed)
    }

    fn rest(&self) -> Option<Body> {
        self.0.rest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Holds the body to its pace, and throws away what nobody read before the reply goes out.
pub async fn hold(State(grace): State<Duration>, request: Request, next: Next) -> Response {
    let waits = request.headers().contains_key(header::EXPECT);
    let pace = Pace::default();
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(pace.clone());
    let body = Body::new(PacedBody { inner: Some(body), pace: pace.clone(), grace, clock: None });
    let response = next.run(Request::from_parts(parts, body)).await;
    // Who waits for `100 Continue` has not sent anything yet and need not.
    let unsent = waits && !pace.0.begun.load(Ordering::Relaxed);
    if let Some(rest) = pace.rest().filter(|_| !unsent) {
        let _in_time = timeout(DISCARD_TIME, discard(rest)).await;
    }
    response
}

async fn discard(mut body: Body) {
    let mut left = DISCARD_BYTES;
    while left > 0 {
        match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            Some(Ok(frame)) => {
                left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            }
            Some(Err(_)) | None => return,
        }
    }
}

/// A body that has to come at a pace.
struct PacedBody {
    inner: Option<Body>,
    pace: Pace,
    /// What it may take however small it is.
    grace: Duration,
    clock: Option<Clock>,
}

struct Clock {
    /// When it is too late for a body that brings nothing.
    first: Instant,
    received: u64,
    alarm: Pin<Box<Sleep>>,
}

impl Clock {
    fn new(grace: Duration) -> Self {
        let first = Instant::now() + grace;
        Self { first, received: 0, alarm: Box::pin(tokio::time::sleep_until(first)) }
    }

    fn received(&mut self, bytes: u64) {
        self.received += bytes;
        let earned = Duration::from_millis(self.received.saturating_mul(1000) / PACE);
        self.alarm.as_mut().reset(self.first + earned);
    }
}

impl HttpBody for PacedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        this.pace.0.begun.store(true, Ordering::Relaxed);
        let clock = this.clock.get_or_insert_with(|| Clock::new(this.grace));
        if let Poll::Ready(frame) = Pin::new(inner).poll_frame(context) {
            match &frame {
                Some(Ok(frame)) => {
                    clock.received(frame.data_ref().map_or(0, |data| data.len() as u64));
                }
                Some(Err(_)) | None => this.inner = None,
            }
            return Poll::Ready(frame);
        }
        ready!(clock.alarm.as_mut().poll(context));
        this.pace.0.too_slow.store(true, Ordering::Relaxed);
        this.inner = None;
        Poll::Ready(Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for PacedBody {
    fn drop(&mut self) {
        if let Some(rest) = self.inner.take().filter(|body| !body.is_end_stream()) {
            *self.pace.0.rest.lock().unwrap_or_else(PoisonError::into_inner) = Some(rest);
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the body did not come in time")]
struct TooSlow;
