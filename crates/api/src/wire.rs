//! Words that several replies share.

use domain::scope::Side;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose something is, as the asking organization sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Scope)]
pub enum ScopeWord {
    /// The organization's own.
    Org,
    /// Global's.
    Global,
}

impl From<Side> for ScopeWord {
    fn from(side: Side) -> Self {
        match side {
            Side::Own => Self::Org,
            Side::Global => Self::Global,
        }
    }
}

/// What somebody may do inside an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Role)]
pub enum RoleWord {
    /// Read.
    Viewer,
    /// Read, run and edit files.
    Ops,
    /// Everything inside the organization.
    Admin,
}

impl From<domain::Role> for RoleWord {
    fn from(role: domain::Role) -> Self {
        match role {
            domain::Role::Viewer => Self::Viewer,
            domain::Role::Ops => Self::Ops,
            domain::Role::Admin => Self::Admin,
        }
    }
}

impl From<RoleWord> for domain::Role {
    fn from(role: RoleWord) -> Self {
        match role {
            RoleWord::Viewer => Self::Viewer,
            RoleWord::Ops => Self::Ops,
            RoleWord::Admin => Self::Admin,
        }
    }
}

/// A name for people: 1 to 200 characters without control characters.
pub fn is_display_name(name: &str) -> bool {
    (1..=200).contains(&name.chars().count())
        && name.trim() == name
        && !name.chars().any(char::is_control)
}

/// An address to sign in with, in the form it is kept and compared in.
pub fn normal_email(email: &str) -> Option<String> {
    let (local, host) = email.rsplit_once('@')?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let good = !local.is_empty() && !host.is_empty() && email.chars().all(plain);
    (good && email.len() <= 254).then(|| email.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::normal_email;

    #[test]
    fn addresses_are_lower_case_and_have_two_halves() {
        assert_eq!(normal_email("A@Acme.Test").as_deref(), Some("a@acme.test"));
        for bad in ["", "a", "@b", "a@", "a b@c", "a\n@b"] {
            assert_eq!(normal_email(bad), None, "{bad}");
        }
    }
}
