//! One connection of a run: requests one after the other, or a tunnel.

use super::{
    Run, forwarding,
    metering::{Metered, Pulse},
    refusal::Refused,
    tunnel::{self, Tunnel},
};
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1::Builder,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};
use tokio::{net::TcpStream, task::JoinSet};

/// Most bytes of a request's head.
const LONGEST_HEAD: usize = 32 * 1024;
/// Most lines of it.
const MOST_LINES: usize = 100;

/// A reply's body: ours, or a host's as it comes.
pub(super) type Reply = Either<Full<Bytes>, Incoming>;

/// What the requests of one connection share.
pub(super) struct Line {
    pub run: Arc<Run>,
    pub pulse: Pulse,
    /// The tunnel that follows the last reply.
    pub tunnel: Mutex<Option<Tunnel>>,
    /// The connections to hosts that are written and read; they end with this one.
    pub hosts: Mutex<JoinSet<()>>,
}

/// Serves a connection until it ends or nothing passes any more.
pub(super) async fn serve(socket: TcpStream, run: Arc<Run>) {
    let pulse = Pulse::new();
    let idle = run.policy.egress.limits.idle;
    let (tunnel, hosts) = (Mutex::default(), Mutex::default());
    let line = Arc::new(Line { run, pulse: pulse.clone(), tunnel, hosts });
    tokio::select! {
        () = talk(socket, &line) => {}
        () = pulse.stops(idle) => tracing::debug!("a connection of a run was idle for too long"),
    }
}

async fn talk(socket: TcpStream, line: &Arc<Line>) {
    let near = TokioIo::new(Metered::near(socket, line.pulse.clone()));
    let service = service_fn(|request| {
        let line = line.clone();
        async move { Ok::<_, Infallible>(answer(&line, request).await) }
    });
    let head = line.run.policy.egress.limits.head;
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_LINES)
        .preserve_header_case(true)
        .auto_date_header(false);
    if let Err(error) = http.serve_connection(near, service).with_upgrades().await {
        tracing::debug!(%error, "a connection of a run ended early");
    }
    let tunnel = line.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(tunnel) = tunnel {
        tunnel.carry().await;
    }
}

async fn answer(line: &Arc<Line>, request: Request<Incoming>) -> Response<Reply> {
    let answered = match *request.method() {
        Method::CONNECT => tunnel::open(line, request).await,
        _ => forwarding::forward(line, request).await,
    };
    answered.unwrap_or_else(|refused| refuse(&line.run, &refused))
}

fn refuse(run: &Run, refused: &Refused) -> Response<Reply> {
    if let Some(rule) = refused.why.rule() {
        run.counters.refused.fetch_add(1, Ordering::Relaxed);
        run.refusals.note(refused, rule);
    }
    refused.reply()
}

/// A reply of ours.
pub(super) fn text(status: StatusCode, words: String) -> Response<Reply> {
    let mut reply = Response::new(Either::Left(Full::from(words)));
    *reply.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(CONTENT_TYPE, plain);
    reply
}
