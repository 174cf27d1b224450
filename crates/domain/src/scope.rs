//! Whose something is: one organization's, or Global's.

use crate::ids::OrganizationId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The owner of a file, a workflow or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Visible to every organization, written by the provider acting in Global.
    Global,
    /// One organization and nobody else.
    Organization(OrganizationId),
}

impl Scope {
    /// The value of an `organization_id` column: Global is the reserved row with the nil id.
    ///
    /// With [`Scope::from_column`] this is the one place that translates between the two.
    pub fn column(self) -> Uuid {
        match self {
            Self::Global => Uuid::nil(),
            Self::Organization(id) => id.0,
        }
    }

    /// The scope an `organization_id` column speaks of.
    pub fn from_column(id: Uuid) -> Self {
        if id.is_nil() { Self::Global } else { Self::Organization(OrganizationId(id)) }
    }

    /// The organization, as replies show it: `null` for Global.
    pub fn organization(self) -> Option<OrganizationId> {
        match self {
            Self::Global => None,
            Self::Organization(id) => Some(id),
        }
    }
}

/// Which side of the cascade something came from, as one organization sees it.
///
/// On the wire `"org"` or `"global"`. A provider acting in Global sees everything as `global`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[schema(as = Scope)]
pub enum Side {
    /// The asking organization's own.
    #[serde(rename = "org")]
    Own,
    /// Global's.
    #[serde(rename = "global")]
    Global,
}

impl Side {
    /// The side `owner` is on.
    pub fn of(owner: Scope) -> Self {
        match owner {
            Scope::Global => Self::Global,
            Scope::Organization(_) => Self::Own,
        }
    }
}
