//! Plain HTTP: a request with a whole URL goes to its host, the reply comes back as it arrives.
//!
//! Each request has a connection of its own to the host and is written anew from what was read, so
//! that two readers of one stream can never disagree about where a request ends.

use super::{
    connection::{Line, Reply},
    metering::Metered,
    refusal::{Refused, Why},
    tunnel,
};
use domain::network::Target;
use http_body_util::Either;
use hyper::{
    HeaderMap, Request, Response, StatusCode, Uri, Version,
    body::Incoming,
    client::conn::http1::Builder,
    header::{
        CONNECTION, EXPECT, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
    http::uri::{Authority, Parts, PathAndQuery},
};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, PoisonError};
use tokio::net::TcpStream;

/// Most bytes and lines of a reply's head.
const LONGEST_HEAD: usize = 128 * 1024;
const MOST_LINES: usize = 200;
/// What is between two neighbours and not for who comes after them, besides `Connection` itself.
const NEIGHBOURS: [HeaderName; 9] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-authenticate"),
    TE,
    TRAILER,
    UPGRADE,
    // This proxy has answered it.
    EXPECT,
    CONNECTION,
];
const HOW: &str =
    "send `GET http://host/path` for plain HTTP, `CONNECT host:port` for anything else";

/// Sends a request on to the host of its URL.
pub(super) async fn forward(
    line: &Arc<Line>,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Refused> {
    let authority =
        authority(request.uri()).map_err(|hint| Refused::new("", Why::Request(hint)))?;
    let asked = with_port(authority.as_str());
    let refused = |why| Refused::new(&asked, why);
    let target: Target = tunnel::read(&asked).map_err(refused)?;
    let onwards = rewritten(request, &authority).map_err(refused)?;
    let reached = line.run.reach(&target).await;
    let socket = reached.map_err(refused)?;
    let reply = send(line, socket, onwards).await.map_err(|error| {
        tracing::debug!(%error, "a host gave a run no reply");
        refused(Why::NoReply)
    })?;
    if reply.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(Why::NoReply));
    }
    let (mut head, body) = reply.into_parts();
    strip(&mut head.headers);
    head.headers.remove(TRANSFER_ENCODING);
    head.version = Version::HTTP_11;
    Ok(Response::from_parts(head, Either::Right(body)))
}

fn authority(uri: &Uri) -> Result<Authority, &'static str> {
    match (uri.scheme_str(), uri.authority()) {
        (Some("http"), Some(authority)) if authority.as_str().contains('@') => {
            Err("leave user and password out of the URL")
        }
        (Some("http"), Some(authority)) => Ok(authority.clone()),
        (Some("https"), _) => Err("use `CONNECT host:443` for HTTPS"),
        _ => Err(HOW),
    }
}

fn with_port(authority: &str) -> String {
    let bare = authority.ends_with(']') || !authority.contains(':');
    if bare { format!("{authority}:80") } else { authority.to_owned() }
}

/// The request as the host shall read it: its path, and the host of the URL, whatever `Host` said.
fn rewritten(request: Request<Incoming>, authority: &Authority) -> Result<Request<Incoming>, Why> {
    let (mut head, body) = request.into_parts();
    let chunked = head.headers.contains_key(TRANSFER_ENCODING);
    strip(&mut head.headers);
    head.headers.remove(TRANSFER_ENCODING);
    if chunked {
        head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Why::Request(HOW))?;
    head.headers.insert(HOST, host);
    let mut uri = Parts::default();
    let path = head.uri.path_and_query().cloned();
    uri.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    head.uri = Uri::from_parts(uri).map_err(|_| Why::Request(HOW))?;
    head.version = Version::HTTP_11;
    Ok(Request::from_parts(head, body))
}

/// Removes what is between neighbours, and what `Connection` names.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // How long a body is, is not between neighbours, whoever says so.
        .filter(|name| *name != hyper::header::CONTENT_LENGTH && *name != HOST)
        .collect();
    for name in named.iter().chain(&NEIGHBOURS) {
        headers.remove(name);
    }
}

/// Writes the request and waits for the head of the reply.
async fn send(
    line: &Arc<Line>,
    socket: TcpStream,
    request: Request<Incoming>,
) -> hyper::Result<Response<Incoming>> {
    let far = TokioIo::new(Metered::far(socket, line.pulse.clone(), line.run.clone()));
    let mut http = Builder::new();
    http.max_buf_size(LONGEST_HEAD).max_headers(MOST_LINES).preserve_header_case(true);
    let (mut sender, connection) = http.handshake(far).await?;
    {
        let mut hosts = line.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        while hosts.try_join_next().is_some() {}
        hosts.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a host ended early");
            }
        });
    }
    sender.send_request(request).await
}
