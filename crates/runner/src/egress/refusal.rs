//! Why a request does not go through, in the words and statuses that the run is told.

use super::connection::{Reply, text};
use domain::network::{BadHost, Forbidden};
use hyper::{Response, StatusCode, ext::ReasonPhrase, header::HeaderValue};

/// Longest part of a status line; clients show it where they do not show the body.
const LONGEST_REASON: usize = 300;

/// Longest host and port that is shown; a name has 253 bytes.
const LONGEST_TARGET: usize = 300;

/// A request that does not go through.
#[derive(Debug)]
pub(super) struct Refused {
    /// As it was asked for.
    pub target: String,
    pub why: Why,
}

/// Why not.
#[derive(Debug)]
pub(super) enum Why {
    /// The request itself is wrong; what to send instead.
    Request(&'static str),
    /// The host is not written in the one way.
    Host(BadHost),
    /// No pattern of the organization covers it.
    NotAllowed { host: String },
    /// It is, or stands for, an address that nobody reaches; whether the operator may let it
    /// through.
    Forbidden { what: Forbidden, literal: bool, may: bool },
    /// It is an address of the server.
    ThisMachine,
    /// The name is not known.
    NoName,
    /// The name is not found in time.
    SlowName,
    /// Nobody listens there.
    NotListening,
    /// There is no way there.
    Unreachable,
    /// It does not answer in time.
    SlowHost,
    /// It answered, but not in HTTP.
    NoReply,
}

impl Why {
    fn status(&self) -> StatusCode {
        match self {
            Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Host(_)
            | Self::NotAllowed { .. }
            | Self::Forbidden { .. }
            | Self::ThisMachine => StatusCode::FORBIDDEN,
            Self::NoName | Self::NotListening | Self::Unreachable | Self::NoReply => {
                StatusCode::BAD_GATEWAY
            }
            Self::SlowName | Self::SlowHost => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The rule that refuses, for whoever counts and audits; `None` if there is none.
    pub fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Host(_) => Some("notation"),
            Self::NotAllowed { .. } => Some("allowed_hosts"),
            Self::Forbidden { .. } => Some("address"),
            Self::ThisMachine => Some("server"),
            _ => None,
        }
    }

    /// The error of RFC 9209, for programs.
    fn proxy_error(&self) -> &'static str {
        match self {
            Self::Request(_) => "http_request_error",
            Self::Host(_) | Self::NotAllowed { .. } => "http_request_denied",
            Self::Forbidden { .. } | Self::ThisMachine => "destination_ip_prohibited",
            Self::NoName => "dns_error",
            Self::SlowName => "dns_timeout",
            Self::NotListening => "connection_refused",
            Self::Unreachable => "destination_ip_unroutable",
            Self::SlowHost => "connection_timeout",
            Self::NoReply => "http_protocol_error",
        }
    }
}

impl Refused {
    /// Of a request for `asked`. What is too long for any host is not repeated.
    pub fn new(asked: &str, why: Why) -> Self {
        let target = match asked.len() {
            0..=LONGEST_TARGET => asked.to_owned(),
            bytes => format!("a host of {bytes} bytes"),
        };
        Self { target, why }
    }

    /// What the run is told, and what its log says.
    pub fn text(&self) -> String {
        let target = &self.target;
        match &self.why {
            Why::Request(what) => format!("this proxy does not understand the request: {what}"),
            Why::Host(why) => format!("`{target}` is refused: the host {why}"),
            Why::NotAllowed { host } => format!(
                "`{target}` is refused: no pattern of `network.allowed_hosts` covers it; ask an \
                 admin of the organization to add `{host}`"
            ),
            Why::Forbidden { what, literal, may } => {
                let is = if *literal { "it is" } else { "it stands for" };
                let hint = match may {
                    true => format!("with BIFROST_EGRESS_ALLOW_PRIVATE={target}"),
                    false => "by its address only, if at all".to_owned(),
                };
                format!(
                    "`{target}` is refused: {is} {}; the operator of the server can let it \
                     through {hint}",
                    what.words()
                )
            }
            Why::ThisMachine => format!(
                "`{target}` is refused: it is an address of the server itself; the operator can let \
                 it through with BIFROST_EGRESS_ALLOW_PRIVATE={target}"
            ),
            Why::NoName => format!("`{target}`: the name is not known; check its spelling"),
            Why::SlowName => format!("`{target}`: looking the name up takes too long; try again"),
            Why::NotListening => format!("`{target}`: nobody listens on this port"),
            Why::Unreachable => format!("`{target}`: there is no way to this host"),
            Why::SlowHost => format!("`{target}`: the host does not answer in time; try again"),
            Why::NoReply => format!("`{target}`: the host ended without a reply in HTTP"),
        }
    }

    /// The reply to the run.
    pub fn reply(&self) -> Response<Reply> {
        let mut words = self.text();
        let mut reply = text(self.why.status(), format!("{words}\n"));
        let status = format!("bifrost; error={}", self.why.proxy_error());
        if let Ok(value) = HeaderValue::from_str(&status) {
            reply.headers_mut().insert("proxy-status", value);
        }
        words.truncate(words.floor_char_boundary(LONGEST_REASON));
        if let Ok(reason) = ReasonPhrase::try_from(words.as_bytes()) {
            reply.extensions_mut().insert(reason);
        }
        reply
    }
}
