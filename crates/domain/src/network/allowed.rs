//! `network.allowed_hosts`: which hosts an organization's runs may ask for.

use super::{
    Host, Target,
    host::{self, BadHost},
};

/// The patterns of an organization, read once for a run.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(Vec<Pattern>);

#[derive(Clone, Debug)]
struct Pattern {
    whom: Whom,
    /// `None` is any.
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Whom {
    Everybody,
    /// Every name that ends so; it starts with a dot.
    Below(String),
    One(Host),
}

impl AllowedHosts {
    /// Reads patterns as [`Network::allowed_hosts`](crate::settings::Network) has them. What is no
    /// pattern allows nobody.
    pub fn new(patterns: &[String]) -> Self {
        Self(patterns.iter().filter_map(|pattern| Pattern::read(pattern)).collect())
    }

    /// Whether one of the patterns covers this host and port.
    pub fn allows(&self, target: &Target) -> bool {
        self.0.iter().any(|pattern| pattern.covers(target))
    }
}

impl Pattern {
    fn read(text: &str) -> Option<Self> {
        let (whom, port) = match text.rsplit_once(':') {
            Some((whom, number)) => (whom, Some(host::port(number)?)),
            None => (text, None),
        };
        Whom::read(whom).ok().map(|whom| Self { whom, port })
    }

    fn covers(&self, target: &Target) -> bool {
        let port = self.port.is_none_or(|port| port == target.port);
        port && match (&self.whom, &target.host) {
            (Whom::Everybody, _) => true,
            (Whom::Below(end), Host::Name(name)) => {
                name.len() > end.len() && name.ends_with(end.as_str())
            }
            (Whom::Below(_), Host::Address(_)) => false,
            (Whom::One(one), host) => one == host,
        }
    }
}

impl Whom {
    fn read(text: &str) -> Result<Self, BadHost> {
        match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::Everybody),
            None => Host::parse(text).map(Self::One),
            Some(rest) => match Host::parse(rest)? {
                Host::Name(name) => Ok(Self::Below(format!(".{name}"))),
                Host::Address(_) => Err(BadHost::Malformed),
            },
        }
    }
}
