//! The operator's list of private hosts that runs may reach all the same.

use super::{BadTarget, Forbidden, Host, Target};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// Exact pairs of host and port; empty unless the operator says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateHosts(BTreeSet<Target>);

impl PrivateHosts {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the operator listed this host and port.
    pub fn lists(&self, target: &Target) -> bool {
        self.0.contains(target)
    }

    /// Whether `target` may be reached although it is at such an address.
    pub fn let_through(&self, target: &Target, what: Forbidden) -> bool {
        let named = matches!(target.host, Host::Name(_));
        let may = if named { what.may_be_named() } else { what.may_be_let_through() };
        may && self.lists(target)
    }
}

impl FromStr for PrivateHosts {
    type Err = BadPrivateHost;

    /// Reads `host:port,…`.
    fn from_str(text: &str) -> Result<Self, BadPrivateHost> {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let read =
            |pair: &str| pair.parse().map_err(|why| BadPrivateHost { pair: pair.to_owned(), why });
        pairs.map(read).collect::<Result<_, _>>().map(Self)
    }
}

/// Which of the pairs cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pair}` is no private host to let through: {why}")]
pub struct BadPrivateHost {
    pair: String,
    why: BadTarget,
}

impl fmt::Display for PrivateHosts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<_> = self.0.iter().map(Target::to_string).collect();
        formatter.write_str(&pairs.join(", "))
    }
}
