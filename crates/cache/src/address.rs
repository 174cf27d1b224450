//! Where Redis is, without ever saying how to get in.

use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use std::fmt;

/// One server or the first nodes of a cluster. Shown without user and password.
#[derive(Clone)]
pub struct Address {
    pub(crate) nodes: Vec<ConnectionInfo>,
    pub(crate) cluster: bool,
}

/// The text is no address. It may hold a password, so it is not in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Redis URL cannot be understood; write redis://[user:password@]host[:port][/number], \
     rediss://… for TLS, redis+unix:///path/to/socket, or redis+cluster://host:port,host:port \
     (rediss+cluster://…) for a cluster, with special characters of a password as %40"
)]
pub struct BadAddress;

impl Address {
    /// Whether somebody could read along: it wants no password, or the way to another machine is
    /// not encrypted. Workflows reach what the server reaches, so this machine is no exception.
    pub fn is_open(&self) -> bool {
        self.nodes.iter().any(|node| {
            let plain = matches!(node.addr(), ConnectionAddr::Tcp(host, _) if !is_local(host));
            plain || node.redis_settings().password().is_none()
        })
    }

    fn scheme(&self) -> &'static str {
        let tls = |node: &ConnectionInfo| matches!(node.addr(), ConnectionAddr::TcpTls { .. });
        match (self.nodes.iter().any(tls), self.cluster) {
            (false, false) => "redis://",
            (true, false) => "rediss://",
            (false, true) => "redis+cluster://",
            (true, true) => "rediss+cluster://",
        }
    }
}

fn is_local(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

impl std::str::FromStr for Address {
    type Err = BadAddress;

    fn from_str(url: &str) -> Result<Self, BadAddress> {
        let (scheme, rest) = url.split_once("://").ok_or(BadAddress)?;
        let Some(scheme) = scheme.strip_suffix("+cluster") else {
            return Ok(Self { nodes: vec![node(url)?], cluster: false });
        };
        if !matches!(scheme, "redis" | "rediss" | "valkey" | "valkeys") {
            return Err(BadAddress);
        }
        let rest = rest.trim_end_matches('/');
        let (login, hosts) = match rest.rsplit_once('@') {
            Some((login, hosts)) => (format!("{login}@"), hosts),
            None => (String::new(), rest),
        };
        let nodes = hosts.split(',').map(|host| match host {
            "" => Err(BadAddress),
            host => node(&format!("{scheme}://{login}{host}")),
        });
        Ok(Self { nodes: nodes.collect::<Result<_, _>>()?, cluster: true })
    }
}

fn node(url: &str) -> Result<ConnectionInfo, BadAddress> {
    url.into_connection_info().map_err(|_| BadAddress)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [node] = self.nodes.as_slice()
            && let ConnectionAddr::Unix(path) = node.addr()
        {
            return write!(f, "redis+unix://{}", path.display());
        }
        let nodes: Vec<_> = self.nodes.iter().map(|node| node.addr().to_string()).collect();
        write!(f, "{}{}", self.scheme(), nodes.join(","))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_user_and_password() {
        for (url, shown) in [
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://someone:s3cret@10.0.0.1:7000/2", "redis://10.0.0.1:7000"),
            ("rediss://:s3%40cret@cache.example", "rediss://cache.example:6379"),
            ("redis+unix:///run/redis.sock?pass=s3cret", "redis+unix:///run/redis.sock"),
            ("redis+cluster://u:s3cret@a:1,b:2/", "redis+cluster://a:1,b:2"),
            ("rediss+cluster://:s3cret@a,b:2", "rediss+cluster://a:6379,b:2"),
        ] {
            let address: Address = url.parse().unwrap();
            assert_eq!((address.to_string(), format!("{address:?}")), (shown.into(), shown.into()));
            let password =
                address.nodes.iter().all(|node| node.redis_settings().password().is_some());
            assert_eq!(password, url.contains("cret"), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for url in [
            "",
            "localhost:6379",
            "http://:s3cret@host",
            "redis://:s3cret@",
            "redis://h:s3cret",
            "redis+cluster://:s3cret@",
            "redis+cluster://a,,b",
            "http+cluster://a",
            "redis://h/s3cret",
        ] {
            let refused = url.parse::<Address>();
            let error = refused.err().map(|error| format!("{error} {error:?}"));
            assert!(error.is_some_and(|text| !text.contains("s3cret")), "{url}");
        }
    }

    #[test]
    fn an_address_that_anybody_could_listen_to_is_known() {
        let open = |url: &str| url.parse::<Address>().unwrap().is_open();
        for url in ["redis://localhost", "redis+unix:///s", "rediss://cache", "redis://:p@cache"] {
            assert!(open(url), "{url}");
        }
        assert!(open("redis+cluster://:p@a,127.0.0.1"));
        for url in ["redis://:p@localhost", "redis://:p@[::1]:1", "rediss+cluster://:p@a,b"] {
            assert!(!open(url), "{url}");
        }
    }
}
