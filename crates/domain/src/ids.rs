//! Identifiers, one type each, so that an execution cannot be passed for an organization.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// An organization: a tenant. Never nil; the nil id is Global's and lives in [`crate::Scope`].
    OrganizationId
);
id!(
    /// A person who signs in, inside one organization.
    UserId
);
id!(
    /// One run of one workflow. A UUIDv7, so that ids sort by creation.
    ExecutionId
);
id!(
    /// A key with which a program signs in, inside one organization.
    ApiKeyId
);

impl OrganizationId {
    /// The organization of the people who run the platform; it exists from the first migration.
    pub const PROVIDER: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
}
