//! The link that makes the provider's first admin: one at a time, used once, void as soon as the
//! provider has a user.

use crate::{NewUser, StoreError, System, User, row::FromRow, users};
use domain::{OrganizationId, Scope, Timestamp, audit::Event};
use serde_json::json;

/// Why a link made nobody.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Unknown, used, too old, replaced by a newer one, or somebody is there already.
    #[error("the set-up link is not valid; start the server again for a new one")]
    Void,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct Row {
    hash: String,
    expires_at: i64,
}

impl Row {
    fn is_good(&self, hash: [u8; 32], now: Timestamp) -> bool {
        self.hash == hex::encode(hash) && now.0 < self.expires_at
    }
}

const PROVIDER: Scope = Scope::Organization(OrganizationId::PROVIDER);

const PUT: &str = "INSERT INTO setup_links (organization_id, hash, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (organization_id) DO UPDATE SET hash = $2, expires_at = $3";
const FIND: &str = "SELECT hash, expires_at FROM setup_links WHERE organization_id = $1";
const DELETE: &str = "DELETE FROM setup_links WHERE organization_id = $1";

impl System {
    /// Keeps the hash of a new link in place of any older one, if the provider has no user.
    /// Whether it is good for anything.
    pub async fn renew_setup_link(
        &self,
        hash: [u8; 32],
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let write = self.write(PROVIDER).await?;
        let gate = write.tenant(PROVIDER);
        let owner = || PROVIDER.column().into();
        let needed = !users::any(&gate, PROVIDER).await?;
        match needed {
            true => gate.run(PUT, [owner(), hex::encode(hash).into(), expires_at.0.into()]).await?,
            false => gate.run(DELETE, [owner()]).await?,
        };
        write.commit().await?;
        Ok(needed)
    }

    /// Whether a link would make somebody at `now`.
    pub async fn setup_link_is_good(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let link = self.tenant(PROVIDER).one::<Row, 1>(FIND, [PROVIDER.column().into()]).await?;
        let good = link.is_some_and(|link| link.is_good(hash, now));
        Ok(good && !self.has_users(PROVIDER).await?)
    }

    /// Makes `new` the provider's first user, once.
    pub async fn use_setup_link(&self, hash: [u8; 32], new: NewUser) -> Result<User, SetupError> {
        let write = self.write(PROVIDER).await?;
        let gate = write.tenant(PROVIDER);
        let owner = || PROVIDER.column().into();
        let link = gate.one::<Row, 1>(FIND, [owner()]).await?.ok_or(SetupError::Void)?;
        if !link.is_good(hash, new.now) || users::any(&gate, PROVIDER).await? {
            return Err(SetupError::Void);
        }
        gate.run(DELETE, [owner()]).await?;
        let now = new.now;
        let user = users::insert(&gate, PROVIDER, new).await?.ok_or(SetupError::Void)?;
        let event = Event::done("user.create", &user.email)
            .with(json!({ "id": user.id, "role": user.role, "by": "set-up link" }));
        write.audit(PROVIDER, &user.actor(), event, now).await?;
        write.commit().await?;
        Ok(user)
    }
}
