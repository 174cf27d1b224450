//! What a credential stands for at this moment.

use crate::{ApiKey, Organization, StoreError, System, User, users};
use domain::{Scope, UserId};

/// What a token, a key or a cookie stands for at this moment.
#[derive(Clone, Debug)]
pub struct Session {
    /// The organization it is for.
    pub organization: Organization,
    /// The organization its holder is of: another one when a provider's admin acts.
    pub home: Organization,
    /// Who holds it.
    pub holder: Holder,
}

/// Who holds a credential.
#[derive(Clone, Debug)]
pub enum Holder {
    /// A person.
    Person(User),
    /// A program.
    Key(ApiKey),
}

impl Session {
    /// The person, if one holds it.
    pub fn person(&self) -> Option<&User> {
        match &self.holder {
            Holder::Person(user) => Some(user),
            Holder::Key(_) => None,
        }
    }
}

impl System {
    /// What a person's credential stands for now: both organizations and the person must exist.
    ///
    /// `home` is the person's own organization; it differs from `scope` when a provider acts.
    pub async fn session(
        &self,
        scope: Scope,
        home: Scope,
        user: UserId,
    ) -> Result<Option<Session>, StoreError> {
        let Some(organization) = self.organization(scope).await? else { return Ok(None) };
        let home_organization = match scope == home {
            true => Some(organization.clone()),
            false => self.organization(home).await?,
        };
        let Some(home_organization) = home_organization else { return Ok(None) };
        let Some(user) = users::find(&self.tenant(home), home, user).await? else {
            return Ok(None);
        };
        Ok(Some(Session { organization, home: home_organization, holder: Holder::Person(user) }))
    }
}
