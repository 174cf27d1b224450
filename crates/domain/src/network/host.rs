//! A host and a port as a run asks for them: one notation each, so that nobody reads it otherwise.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Longest name of DNS, without a dot at its end.
const LONGEST_NAME: usize = 253;
/// Longest part of a name.
const LONGEST_LABEL: usize = 63;

/// Whom to reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name of DNS: lower case, no dot at its end.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Whom.
    pub host: Host,
    /// Never 0.
    pub port: u16,
}

/// Why a text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// `127.1`, `0x7f000001`, `017700000001`, `2130706433`, …: which address that is depends on
    /// who reads it.
    #[error(
        "is a number in another notation than `203.0.113.7`; write all four numbers in decimal"
    )]
    Notation,
    /// Neither a name nor an address.
    #[error("is neither a name, an IPv4 address nor an IPv6 address in brackets")]
    Malformed,
    /// Not ASCII.
    #[error("is not written as in DNS; write other scripts as `xn--…`")]
    NotAscii,
}

/// Why a text is no `host:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// The host is none.
    #[error("the host {0}")]
    Host(#[from] BadHost),
    /// The port is missing or none.
    #[error("write `host:port` with a port from 1 to 65535")]
    Port,
}

impl Host {
    /// Reads a host as it stands in a URL: an IPv6 address has brackets.
    pub fn parse(text: &str) -> Result<Self, BadHost> {
        if !text.is_ascii() {
            return Err(BadHost::NotAscii);
        }
        if let Some(inside) = text.strip_prefix('[') {
            let inside = inside.strip_suffix(']').ok_or(BadHost::Malformed)?;
            let address = Ipv6Addr::from_str(inside).map_err(|_| BadHost::Malformed)?;
            // A mapped IPv4 address is that address, also for who compares.
            return Ok(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        if let Ok(address) = Ipv4Addr::from_str(text) {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        let name = text.to_ascii_lowercase();
        if name.len() > LONGEST_NAME || !name.split('.').all(is_label) {
            return Err(BadHost::Malformed);
        }
        // A resolver takes for an address what ends in a number, whatever stands before it.
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) || is_hexadecimal(last) {
            return Err(BadHost::Notation);
        }
        Ok(Self::Name(name))
    }
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_hexadecimal(label: &str) -> bool {
    let digits = label.strip_prefix("0x");
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A port from 1 to 65535, digits only.
pub(super) fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|port| *port != 0)
}

impl FromStr for Target {
    type Err = BadTarget;

    /// Reads `host:port`.
    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let (host, number) = text.rsplit_once(':').ok_or(BadTarget::Port)?;
        let host = Host::parse(host)?;
        Ok(Self { host, port: port(number).ok_or(BadTarget::Port)? })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(formatter, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}
