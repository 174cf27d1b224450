//! The one-time word of the link that makes the provider's first admin.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long a link is good for.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The word; it travels behind the `#` of the link, which browsers keep to themselves.
pub struct SetupToken(String);

impl SetupToken {
    /// A fresh one.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(random)))
    }

    /// One that somebody sent.
    pub fn of(text: String) -> Self {
        Self(text)
    }

    /// What the store keeps.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// The link to open in a browser. `base` is the server's address without a slash at its end.
    pub fn link(&self, base: &str) -> String {
        format!("{base}/setup#token={}", self.0)
    }
}
