//! Opaque secrets that carry their organization openly, so that the right scope is asked; the store
//! only ever sees a hash.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{OrganizationId, Scope};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A secret somebody holds: `PREFIX_ORGANIZATION_RANDOM`.
#[derive(Clone)]
pub struct ScopedSecret {
    text: String,
    scope: Scope,
}

impl ScopedSecret {
    /// A fresh one of a kind for an organization. `prefix` ends in `_`.
    pub fn new(prefix: &str, organization: OrganizationId) -> Result<Self, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let random = BASE64_URL_SAFE_NO_PAD.encode(random);
        let text = format!("{prefix}{}_{random}", organization.0.simple());
        Ok(Self { text, scope: Scope::Organization(organization) })
    }

    /// Reads one of a kind; whether it is known only the store can tell.
    pub fn parse(prefix: &str, text: &str) -> Option<Self> {
        let (organization, random) = text.strip_prefix(prefix)?.split_once('_')?;
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
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_its_organization_and_is_never_of_global() {
        let id = OrganizationId(Uuid::from_u128(7));
        let secret = ScopedSecret::new("bfr_", id).unwrap();
        let read = ScopedSecret::parse("bfr_", secret.text()).unwrap();
        assert_eq!(read.scope(), Scope::Organization(id));
        assert_eq!(read.hash(), secret.hash());
        let text = secret.text();
        assert!(ScopedSecret::parse("bfc_", text).is_none(), "of another kind");
        let nil = text.replace(&id.0.simple().to_string(), &Uuid::nil().simple().to_string());
        for bad in ["", "bfr_", "bfr_x_y", &text[1..], &text[..text.len() - 1], &nil] {
            assert!(ScopedSecret::parse("bfr_", bad).is_none(), "{bad}");
        }
    }
}
