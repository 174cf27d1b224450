//! CONNECT: bytes in both directions, whatever they are.

use super::{
    connection::{Line, Reply},
    metering::Metered,
    refusal::{Refused, Why},
};
use domain::network::{BadTarget, Target};
use http_body_util::{Either, Full};
use hyper::{Request, Response, body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, PoisonError};

/// A tunnel that begins when its reply is written.
pub(super) struct Tunnel {
    near: OnUpgrade,
    far: Metered,
}

/// Connects to the host and port of a CONNECT request.
pub(super) async fn open(
    line: &Arc<Line>,
    mut request: Request<Incoming>,
) -> Result<Response<Reply>, Refused> {
    let asked = request.uri().authority().map_or("", |authority| authority.as_str()).to_owned();
    let target = read(&asked).map_err(|why| Refused::new(&asked, why))?;
    let reached = line.run.reach(&target).await;
    let socket = reached.map_err(|why| Refused::new(&asked, why))?;
    let far = Metered::far(socket, line.pulse.clone(), line.run.clone());
    let near = hyper::upgrade::on(&mut request);
    *line.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(Tunnel { near, far });
    Ok(Response::new(Either::Left(Full::default())))
}

/// Reads `host:port`, both of them required.
pub(super) fn read(asked: &str) -> Result<Target, Why> {
    asked.parse().map_err(|error| match error {
        BadTarget::Host(why) => Why::Host(why),
        BadTarget::Port => Why::Request("write the host with a port from 1 to 65535"),
    })
}

impl Tunnel {
    /// Carries bytes until both sides have ended; one may end before the other.
    pub async fn carry(mut self) {
        let near = match self.near.await {
            Ok(near) => near,
            Err(error) => return tracing::debug!(%error, "a tunnel was given up"),
        };
        let mut near = TokioIo::new(near);
        if let Err(error) = tokio::io::copy_bidirectional(&mut near, &mut self.far).await {
            tracing::debug!(%error, "a tunnel broke");
        }
    }
}
