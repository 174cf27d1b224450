//! Keys for programs, as programs hold them: `bfk_`, 256 random bits, the organization, a checksum.
//!
//! All in digits and letters, 75 in all, so that a scanner can find a leaked one and tell a real one
//! from a typo without asking anybody.

use crate::base62;
use domain::{OrganizationId, Scope};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const PREFIX: &str = "bfk_";
/// Digits of 32 bytes, of 16, and of 4.
const RANDOM: usize = 43;
const ORGANIZATION: usize = 22;
const CHECKSUM: usize = 6;
/// How much of a key people see in lists: 47 bits of the random ones.
const SHOWN: usize = 12;

/// A key somebody holds.
#[derive(Clone)]
pub struct ApiKeyText {
    text: String,
    scope: Scope,
}

impl ApiKeyText {
    /// A fresh one for an organization.
    pub fn new(organization: OrganizationId) -> Result<Self, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let random = base62::encode(&random, RANDOM);
        let id = base62::encode(organization.0.as_bytes(), ORGANIZATION);
        let body = format!("{PREFIX}{random}{id}");
        let text = format!("{body}{}", checksum(&body));
        Ok(Self { text, scope: Scope::Organization(organization) })
    }

    /// Whether a text claims to be a key at all.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Reads one whose checksum is right; whether it is known only the store can tell.
    pub fn parse(text: &str) -> Option<Self> {
        let whole = PREFIX.len() + RANDOM + ORGANIZATION + CHECKSUM;
        if text.len() != whole || !text.is_ascii() || !Self::is_one(text) {
            return None;
        }
        let (body, check) = text.split_at(whole - CHECKSUM);
        if check != checksum(body) {
            return None;
        }
        let id = Uuid::from_bytes(base62::decode(&body[PREFIX.len() + RANDOM..])?);
        let scope = Scope::Organization(OrganizationId(id));
        (!id.is_nil()).then(|| Self { text: text.to_owned(), scope })
    }

    /// The organization it says it is of.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// What the store keeps. The key is random enough that a plain hash cannot be undone.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.text).into()
    }

    /// What people see in lists.
    pub fn prefix(&self) -> &str {
        &self.text[..SHOWN]
    }

    /// What the client keeps.
    pub fn into_text(self) -> String {
        self.text
    }
}

fn checksum(body: &str) -> String {
    base62::encode(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECKSUM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_its_organization_and_every_typo_is_noticed() {
        let id = OrganizationId(Uuid::now_v7());
        let key = ApiKeyText::new(id).unwrap();
        let (hash, prefix) = (key.hash(), key.prefix().to_owned());
        let text = key.into_text();
        assert!(text.len() == 75 && text.starts_with(&prefix));
        let read = ApiKeyText::parse(&text).unwrap();
        assert_eq!((read.scope(), read.hash()), (Scope::Organization(id), hash));
        for at in 0..text.len() {
            let other = if &text[at..=at] == "x" { "y" } else { "x" };
            let typo = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert!(ApiKeyText::parse(&typo).is_none(), "{at}");
        }
        for bad in ["", "bfk_", &text[1..], &text[..74], &format!("{text}0"), "bfk_é"] {
            assert!(ApiKeyText::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn global_has_no_keys() {
        let key = ApiKeyText::new(OrganizationId(Uuid::nil())).unwrap();
        assert!(ApiKeyText::parse(&key.into_text()).is_none());
    }
}
