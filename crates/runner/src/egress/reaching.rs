//! Decides whether a run may reach a host, and connects to the address that was decided upon.

use super::{Run, refusal::Why};
use domain::network::{Host, Target, forbidden};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

/// Most addresses of a name that are tried.
const MOST_TRIED: usize = 8;

impl Run {
    /// A connection to `target`. The name is looked up once: what was decided upon is what is
    /// connected to, whatever the name stands for a moment later.
    pub async fn reach(&self, target: &Target) -> Result<TcpStream, Why> {
        let addresses = self.addresses(target).await?;
        self.connect(target.port, addresses).await
    }

    /// The addresses of a target, every one of them allowed.
    async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, Why> {
        // Before the lookup: a name can carry data to whoever answers for it in DNS.
        if !self.policy.allowed.allows(target) {
            return Err(Why::NotAllowed { host: target.host.to_string() });
        }
        let mut addresses = match &target.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.look_up(name).await?,
        };
        for address in &mut addresses {
            *address = address.to_canonical();
            self.check(target, *address)?;
        }
        Ok(addresses)
    }

    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, Why> {
        let egress = &self.policy.egress;
        let lookup = async {
            let slot = self.lookups.clone().acquire_owned().await.map_err(io::Error::other)?;
            egress.resolver.resolve(name, slot).await
        };
        match timeout(egress.limits.connect, lookup).await {
            Err(_) => Err(Why::SlowName),
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Ok(found) => {
                tracing::debug!(?found, "a run asked for a name that is not known");
                Err(Why::NoName)
            }
        }
    }

    fn check(&self, target: &Target, address: IpAddr) -> Result<(), Why> {
        let private = &self.policy.egress.private;
        let literal = matches!(target.host, Host::Address(_));
        match forbidden(address) {
            Some(what) if private.let_through(target, what) => Ok(()),
            Some(what) => {
                let may = if literal { what.may_be_let_through() } else { what.may_be_named() };
                Err(Why::Forbidden { what, literal, may })
            }
            None if is_this_machine(address) && !private.lists(target) => Err(Why::ThisMachine),
            None => Ok(()),
        }
    }

    /// Tries one address after the other; each gets its share of the time that is left.
    async fn connect(&self, port: u16, addresses: Vec<IpAddr>) -> Result<TcpStream, Why> {
        let limit = self.policy.egress.limits.connect;
        let end = Instant::now() + limit;
        let count = addresses.len().min(MOST_TRIED);
        let mut why = Why::SlowHost;
        for (tried, address) in addresses.into_iter().take(count).enumerate() {
            let share = (end - Instant::now()) / (count - tried) as u32;
            match try_one(SocketAddr::new(address, port), share).await {
                Ok(socket) => return Ok(socket),
                Err(failed) => why = failed,
            }
        }
        Err(why)
    }
}

async fn try_one(address: SocketAddr, limit: Duration) -> Result<TcpStream, Why> {
    match timeout_at(Instant::now() + limit, TcpStream::connect(address)).await {
        Err(_) => Err(Why::SlowHost),
        Ok(Ok(socket)) => {
            // Small messages of a conversation are not held back; a socket that cannot be told so
            // is slower and nothing else.
            let _slower = socket.set_nodelay(true);
            Ok(socket)
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Why::NotListening)
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "a host that a run asked for cannot be reached");
            Err(Why::Unreachable)
        }
    }
}

/// Whether this machine has the address itself: what listens on all its addresses, the database
/// perhaps, would be reached past every firewall. The route is asked for; nothing is sent.
fn is_this_machine(address: IpAddr) -> bool {
    let any = match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    // Without a route the connection will not come about either.
    source.is_ok_and(|source| source.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_s_addresses_are_known_from_others() {
        assert!(is_this_machine(Ipv4Addr::LOCALHOST.into()));
        assert!(
            is_this_machine(Ipv6Addr::LOCALHOST.into())
                || !std::path::Path::new("/proc/net/if_inet6").exists()
        );
        // Whatever address this machine has on the way to the world.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("1.1.1.1:9").is_ok() {
            assert!(is_this_machine(socket.local_addr().unwrap().ip()));
        }
        assert!(!is_this_machine("1.1.1.1".parse().unwrap()));
        assert!(!is_this_machine("2606:4700::1111".parse().unwrap()));
    }
}
