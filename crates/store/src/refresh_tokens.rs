//! Refresh tokens: kept as hashes, used once, and void as a family when one is used twice.

use crate::{StoreError, System, User, row::FromRow, users};
use domain::{Actor, Scope, Timestamp, UserId, audit::Event};
use uuid::Uuid;

/// What a new token needs. The store never sees the token, only its SHA-256.
#[derive(Clone, Debug)]
pub struct NewRefreshToken {
    /// SHA-256 of the token's text.
    pub hash: [u8; 32],
    /// All tokens that descend from one sign-in.
    pub family: Uuid,
    /// Whose.
    pub user: UserId,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
    /// The present.
    pub now: Timestamp,
}

/// A token that was exchanged for its successor.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Whose.
    pub user: User,
    /// All tokens that descend from one sign-in.
    pub family: Uuid,
}

/// Why a token was not exchanged.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// No such token, or it was revoked.
    #[error("unknown refresh token")]
    Unknown,
    /// It was used before: somebody holds a copy, so the whole family is revoked now.
    #[error("refresh token used twice")]
    Reused,
    /// Too old.
    #[error("expired refresh token")]
    Expired,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct Row {
    family: Uuid,
    user_id: Uuid,
    expires_at: i64,
    used_at: Option<i64>,
    revoked_at: Option<i64>,
}

const INSERT: &str = "INSERT INTO refresh_tokens
    (organization_id, hash, family, user_id, expires_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)";
const FIND: &str = "SELECT family, user_id, expires_at, used_at, revoked_at
    FROM refresh_tokens WHERE organization_id = $1 AND hash = $2";
const USE: &str = "UPDATE refresh_tokens SET used_at = $3
    WHERE organization_id = $1 AND hash = $2 AND used_at IS NULL";
const LASTS: &str = "SELECT family, user_id, expires_at, used_at, revoked_at FROM refresh_tokens
    WHERE organization_id = $1 AND family = $2 AND revoked_at IS NULL LIMIT 1";
const REVOKE: &str = "UPDATE refresh_tokens SET revoked_at = $3
    WHERE organization_id = $1 AND family = $2 AND revoked_at IS NULL";

impl System {
    /// Keeps the first token of somebody who has just signed in to `scope`.
    pub async fn create_refresh_token(
        &self,
        scope: Scope,
        new: NewRefreshToken,
        person: &Actor,
    ) -> Result<(), StoreError> {
        let write = self.write(scope).await?;
        write.tenant(scope).run(INSERT, insert_values(scope, &new)).await?;
        let event = Event::done("auth.sign_in", person.label());
        write.audit(scope, person, event, new.now).await?;
        write.commit().await
    }

    /// Whether a sign-in has not ended: by signing out, by a token used twice, by a change of the
    /// person.
    pub async fn sign_in_lasts(&self, scope: Scope, family: Uuid) -> Result<bool, StoreError> {
        let values = [scope.column().into(), family.into()];
        Ok(self.tenant(scope).one::<Row, 2>(LASTS, values).await?.is_some())
    }

    /// Exchanges a token for its successor, in one step.
    pub async fn rotate_refresh_token(
        &self,
        scope: Scope,
        hash: [u8; 32],
        successor: [u8; 32],
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Rotation, RotateError> {
        let write = self.write(scope).await?;
        let gate = write.tenant(scope);
        let key = || [scope.column().into(), hex::encode(hash).into()];
        let found = gate.one::<Row, 2>(FIND, key()).await?;
        let row = found.filter(|row| row.revoked_at.is_none()).ok_or(RotateError::Unknown)?;
        if row.used_at.is_some() {
            let values = [scope.column().into(), row.family.into(), now.0.into()];
            gate.run(REVOKE, values).await?;
            if let Some(person) = users::find(&gate, scope, UserId(row.user_id)).await? {
                let event = Event::denied("auth.refresh_reused", &person.email);
                write.audit(scope, &person.actor(), event, now).await?;
            }
            write.commit().await?;
            return Err(RotateError::Reused);
        }
        if row.expires_at <= now.0 {
            return Err(RotateError::Expired);
        }
        let user_id = UserId(row.user_id);
        let user = users::find(&gate, scope, user_id).await?.ok_or(RotateError::Unknown)?;
        let [organization, hash] = key();
        gate.run(USE, [organization, hash, now.0.into()]).await?;
        let family = row.family;
        let new = NewRefreshToken { hash: successor, family, user: user_id, expires_at, now };
        gate.run(INSERT, insert_values(scope, &new)).await?;
        write.commit().await?;
        Ok(Rotation { user, family })
    }

    /// Revokes a token with its whole family; whether it was known.
    pub async fn revoke_refresh_family(
        &self,
        scope: Scope,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let write = self.write(scope).await?;
        let gate = write.tenant(scope);
        let key = [scope.column().into(), hex::encode(hash).into()];
        let Some(row) = gate.one::<Row, 2>(FIND, key).await? else { return Ok(false) };
        gate.run(REVOKE, [scope.column().into(), row.family.into(), now.0.into()]).await?;
        if let Some(person) = users::find(&gate, scope, UserId(row.user_id)).await? {
            let event = Event::done("auth.sign_out", &person.email);
            write.audit(scope, &person.actor(), event, now).await?;
        }
        write.commit().await?;
        Ok(true)
    }
}

fn insert_values(scope: Scope, new: &NewRefreshToken) -> [sea_orm::Value; 6] {
    [
        scope.column().into(),
        hex::encode(new.hash).into(),
        new.family.into(),
        new.user.0.into(),
        new.expires_at.0.into(),
        new.now.0.into(),
    ]
}
