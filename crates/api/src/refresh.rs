//! Refresh tokens, as clients hold them.

use crate::scoped_secret::ScopedSecret;
use domain::OrganizationId;
use std::time::Duration;

/// How long a refresh token is good for when it is not used.
pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const PREFIX: &str = "bfr_";

/// A fresh one for an organization.
pub fn new(organization: OrganizationId) -> Result<ScopedSecret, getrandom::Error> {
    ScopedSecret::new(PREFIX, organization)
}

/// Reads one.
pub fn parse(text: &str) -> Option<ScopedSecret> {
    ScopedSecret::parse(PREFIX, text)
}
