//! Who is asking, in which organization, with which role.

use crate::{ids::UserId, scope::Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may do inside one organization. Ordered: a later one may do all an earlier may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read.
    Viewer,
    /// Read, run and edit files.
    Ops,
    /// Everything inside the organization.
    Admin,
}

impl Role {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Ops => "ops",
            Self::Admin => "admin",
        }
    }
}

/// Why a text is not a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: use `admin`, `ops` or `viewer`")]
pub struct BadRole(String);

impl std::str::FromStr for Role {
    type Err = BadRole;
    fn from_str(text: &str) -> Result<Self, BadRole> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "ops" => Ok(Self::Ops),
            "admin" => Ok(Self::Admin),
            _ => Err(BadRole(text.to_owned())),
        }
    }
}

/// The hand that acts; its [`Actor::label`] is what versions and executions remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person of the organization, or a provider's person acting in it.
    User {
        /// The person.
        id: UserId,
        /// The address they sign in with.
        email: String,
        /// Where they come from and why, when this is not their own organization.
        acting: Option<Acting>,
    },
    /// A program with a key of the organization.
    ApiKey {
        /// The key.
        id: crate::ids::ApiKeyId,
        /// What people call it.
        name: String,
    },
    /// A running workflow, through the SDK.
    Execution(crate::ids::ExecutionId),
    /// Whoever runs the `bifrost` command on the machine itself.
    Operator,
    /// A workflow's own schedule, whose time had come.
    Schedule,
    /// The platform itself: caretakers, and refusals before anybody is known.
    Platform,
}

/// Why a provider's person is in an organization that is not theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acting {
    /// The organization they belong to.
    pub home: crate::ids::OrganizationId,
    /// What they gave as the reason.
    pub reason: String,
}

impl Actor {
    /// Text kept with what this actor wrote, for people to read.
    pub fn label(&self) -> String {
        match self {
            Self::User { email, .. } => email.clone(),
            Self::ApiKey { name, .. } => format!("key {name}"),
            Self::Execution(id) => format!("execution {id}"),
            Self::Operator => "operator".to_owned(),
            Self::Schedule => "schedule".to_owned(),
            Self::Platform => "platform".to_owned(),
        }
    }

    /// The person, if one acts directly.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Where a provider's person comes from, and why.
    pub fn acting(&self) -> Option<&Acting> {
        match self {
            Self::User { acting, .. } => acting.as_ref(),
            _ => None,
        }
    }
}

/// The right to ask, bound to one scope. Every tenant query needs one.
///
/// There are three ways to get one, each called in one place of the project (`xtask tidy` holds
/// that): from a verified token, from a claimed queue row, and as the operator.
#[derive(Clone, Debug)]
pub struct Access {
    scope: Scope,
    role: Role,
    actor: Actor,
}

impl Access {
    /// From a token whose signature, organization, user and role have been checked.
    pub fn from_verified_token(scope: Scope, role: Role, actor: Actor) -> Self {
        Self { scope, role, actor }
    }

    /// From a queue row this process holds the lease of.
    pub fn from_claimed_job(scope: Scope, execution: crate::ids::ExecutionId) -> Self {
        Self { scope, role: Role::Ops, actor: Actor::Execution(execution) }
    }

    /// For the person at the command line of the machine that holds the database.
    pub fn for_operator(scope: Scope) -> Self {
        Self { scope, role: Role::Admin, actor: Actor::Operator }
    }

    /// The one scope this may write in and read of (Global may be read by all).
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The role in that scope.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ApiKeyId, ExecutionId};
    use uuid::Uuid;

    #[test]
    fn roles_are_words_in_both_directions_and_in_order() {
        for (role, word) in [(Role::Viewer, "viewer"), (Role::Ops, "ops"), (Role::Admin, "admin")] {
            assert_eq!((role.as_str(), word.parse()), (word, Ok(role)));
        }
        assert!("Admin".parse::<Role>().is_err() && "".parse::<Role>().is_err());
        assert!(Role::Viewer < Role::Ops && Role::Ops < Role::Admin);
    }

    #[test]
    fn each_hand_has_its_label_and_only_people_are_people() {
        let (id, email) = (UserId(Uuid::from_u128(1)), "a@acme.test".to_owned());
        let home = crate::ids::OrganizationId(Uuid::from_u128(6));
        let acting = Acting { home, reason: "ticket 12".to_owned() };
        let guest = Actor::User { id, email: email.clone(), acting: Some(acting.clone()) };
        assert_eq!((guest.acting(), Actor::Operator.acting()), (Some(&acting), None));
        let person = Actor::User { id, email, acting: None };
        assert_eq!(person.acting(), None);
        let key = Actor::ApiKey { id: ApiKeyId(Uuid::from_u128(2)), name: "ci".to_owned() };
        let run = Actor::Execution(ExecutionId(Uuid::from_u128(3)));
        assert_eq!((person.label().as_str(), person.user()), ("a@acme.test", Some(id)));
        assert_eq!((key.label().as_str(), key.user()), ("key ci", None));
        let label = "execution 00000000-0000-0000-0000-000000000003";
        assert_eq!((run.label().as_str(), run.user()), (label, None));
        assert_eq!((Actor::Operator.label().as_str(), Actor::Operator.user()), ("operator", None));
        assert_eq!((Actor::Platform.label().as_str(), Actor::Platform.user()), ("platform", None));
        assert_eq!((Actor::Schedule.label().as_str(), Actor::Schedule.user()), ("schedule", None));
    }

    #[test]
    fn an_access_is_what_it_was_made_for() {
        let scope = Scope::Organization(crate::ids::OrganizationId(Uuid::from_u128(4)));
        let job = Access::from_claimed_job(scope, ExecutionId(Uuid::from_u128(5)));
        assert_eq!((job.scope(), job.role()), (scope, Role::Ops));
        assert_eq!(job.actor(), &Actor::Execution(ExecutionId(Uuid::from_u128(5))));
        let operator = Access::for_operator(Scope::Global);
        assert_eq!((operator.scope(), operator.role()), (Scope::Global, Role::Admin));
        assert_eq!(operator.actor(), &Actor::Operator);
    }
}
