//! Refresh tokens: opaque texts that carry their organization openly, so that the right scope is
//! asked; the store only ever sees a hash.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{OrganizationId, Scope};
use sha2::{Digest, Sha256};
use std::time::Duration;
use uuid::Uuid;

/// How long a refresh token is good for when it is not used.
pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A token somebody holds: `bfr_ORGANIZATION_RANDOM`.
pub struct RefreshToken {
    text: String,
    scope: Scope,
}

impl RefreshToken {
    /// A fresh one for an organization.
    pub fn new(organization: OrganizationId) -> Result<Self, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let random = BASE64_URL_SAFE_NO_PAD.encode(random);
        let text = format!("bfr_{}_{random}", organization.0.simple());
        Ok(Self { text, scope: Scope::Organization(organization) })
    }

    /// Reads one; whether it is known only the store can tell.
    pub fn parse(text: &str) -> Option<Self> {
        let (organization, random) = text.strip_prefix("bfr_")?.split_once('_')?;
        let id = Uuid::try_parse(organization).ok().filter(|id| !id.is_nil())?;
        let scope = Scope::Organization(OrganizationId(id));
        (random.len() == 43).then(|| Self { text: text.to_owned(), scope })
    }

    /// The organization it says it is of.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// What the store keeps.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.text).into()
    }

    /// What the client keeps.
    pub fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_its_organization_and_is_never_of_global() {
        let id = OrganizationId(Uuid::from_u128(7));
        let token = RefreshToken::new(id).unwrap();
        let (hash, text) = (token.hash(), token.into_text());
        let read = RefreshToken::parse(&text).unwrap();
        assert_eq!(read.scope(), Scope::Organization(id));
        assert_eq!(read.hash(), hash);
        let nil = text.replace(&id.0.simple().to_string(), &Uuid::nil().simple().to_string());
        for bad in ["", "bfr_", "bfr_x_y", &text[1..], &text[..text.len() - 1], &nil] {
            assert!(RefreshToken::parse(bad).is_none(), "{bad}");
        }
    }
}
