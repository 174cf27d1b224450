//! The short name of an organization in URLs, tracebacks and commands.

use serde::{Deserialize, Serialize};

/// `[a-z0-9][a-z0-9-]{1,62}`; never changes; `global` and `provider` are taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Why a text is not a slug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a slug: use 2 to 63 characters of a-z, 0-9 and `-`, not starting with `-`")]
pub struct BadSlug(String);

impl Slug {
    /// Slugs the platform keeps for itself.
    pub const RESERVED: [&'static str; 2] = ["global", "provider"];

    /// Reads a slug; reserved ones are slugs too, only creating an organization refuses them.
    pub fn parse(text: &str) -> Result<Self, BadSlug> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let well_formed = (2..=63).contains(&bytes.len())
            && good(bytes[0])
            && bytes.iter().all(|&byte| good(byte) || byte == b'-');
        if well_formed { Ok(Self(text.to_owned())) } else { Err(BadSlug(text.to_owned())) }
    }

    /// Whether the platform keeps this slug for itself.
    pub fn is_reserved(&self) -> bool {
        Self::RESERVED.contains(&self.0.as_str())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Slug {
    type Error = BadSlug;
    fn try_from(text: String) -> Result<Self, BadSlug> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl std::fmt::Display for Slug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Slug;

    #[test]
    fn slugs_are_short_lower_case_and_do_not_start_with_a_dash() {
        for good in ["acme", "a1", "0-0", &"a".repeat(63)] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "-a", "Acme", "a_b", "a b", "é1", "a/b", &"a".repeat(64)] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }
}
