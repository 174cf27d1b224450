//! Whom a run may reach: which hosts, and which addresses nobody reaches whatever the list says.

mod address;
mod allowed;
mod host;
mod private;

#[cfg(test)]
mod tests;

pub use address::{Forbidden, forbidden};
pub use allowed::AllowedHosts;
pub use host::{BadHost, BadTarget, Host, Target};
pub use private::{BadPrivateHost, PrivateHosts};
