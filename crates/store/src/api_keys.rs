//! Keys that programs sign in with: kept as hashes, of one organization, with one role.

use crate::{Holder, Scoped, Session, StoreError, System, row::FromRow};
use domain::{ApiKeyId, Role, Scope, Timestamp, audit::Event};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// How old `last_used_at` gets while a key is in use.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Which.
    pub id: ApiKeyId,
    /// Name for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The beginning of its text, so that people can tell which one they hold.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// From when on it is worth nothing.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, exact to a minute.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it is worth something at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether its use at `now` is worth writing down.
    pub fn is_unseen(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|last| last.after(TOUCH_EVERY) <= now)
    }
}

/// What a new key needs. The store never sees the key, only its SHA-256.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// A fresh id.
    pub id: ApiKeyId,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// The beginning of its text.
    pub prefix: String,
    /// Name for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// From when on it is worth nothing.
    pub expires_at: Option<Timestamp>,
    /// The present.
    pub now: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    name: String,
    role: String,
    prefix: String,
    created_at: i64,
    created_by: String,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl TryFrom<Row> for ApiKey {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: ApiKeyId(row.id),
            name: row.name,
            role: row.role.parse().map_err(|e| StoreError::unreadable("role", e))?,
            prefix: row.prefix,
            created_at: Timestamp(row.created_at),
            created_by: row.created_by,
            expires_at: row.expires_at.map(Timestamp),
            last_used_at: row.last_used_at.map(Timestamp),
        })
    }
}

const PAGE: &str = "SELECT id, name, role, prefix, created_at, created_by, expires_at, last_used_at
    FROM api_keys WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const BY_ID: &str =
    "SELECT id, name, role, prefix, created_at, created_by, expires_at, last_used_at
    FROM api_keys WHERE organization_id = $1 AND id = $2";
const BY_HASH: &str = "SELECT id, name, role, prefix, created_at, created_by, expires_at,
    last_used_at FROM api_keys WHERE organization_id = $1 AND hash = $2";
const INSERT: &str = "INSERT INTO api_keys
    (organization_id, id, hash, prefix, name, role, created_at, created_by, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const DELETE: &str = "DELETE FROM api_keys WHERE organization_id = $1 AND id = $2";
const TOUCH: &str = "UPDATE api_keys SET last_used_at = $3
    WHERE organization_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)";

impl Scoped {
    /// Keys by id.
    pub async fn api_keys(
        &self,
        after: Option<ApiKeyId>,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let after = after.map_or_else(Uuid::nil, |id| id.0);
        let values = [self.scope().column().into(), after.into(), i64::from(limit).into()];
        let rows = self.gate().all::<Row, 3>(PAGE, values).await?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    /// Keeps a new key.
    pub async fn create_api_key(&self, new: NewApiKey) -> Result<ApiKey, StoreError> {
        let created_by = self.access().actor().label();
        let values = [
            self.scope().column().into(),
            new.id.0.into(),
            hex::encode(new.hash).into(),
            new.prefix.clone().into(),
            new.name.clone().into(),
            new.role.as_str().into(),
            new.now.0.into(),
            created_by.clone().into(),
            new.expires_at.map(|end| end.0).into(),
        ];
        let detail = json!({ "id": new.id, "role": new.role, "expires_at": new.expires_at });
        let event = Event::done("api_key.create", &new.name).with(detail);
        let write = self.write().await?;
        write.tenant(self.scope()).run(INSERT, values).await?;
        write.audit(self.scope(), self.access().actor(), event, new.now).await?;
        write.commit().await?;
        Ok(ApiKey {
            id: new.id,
            name: new.name,
            role: new.role,
            prefix: new.prefix,
            created_at: new.now,
            created_by,
            expires_at: new.expires_at,
            last_used_at: None,
        })
    }

    /// Removes a key, which is void from then on; whether there was one.
    pub async fn delete_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        let key = || [self.scope().column().into(), id.0.into()];
        let write = self.write().await?;
        let gate = write.tenant(self.scope());
        let Some(found) = gate.one::<Row, 2>(BY_ID, key()).await? else { return Ok(false) };
        gate.run(DELETE, key()).await?;
        let event = Event::done("api_key.delete", found.name).with(json!({ "id": id }));
        write.audit(self.scope(), self.access().actor(), event, now).await?;
        write.commit().await?;
        Ok(true)
    }
}

impl System {
    /// What a key stands for now: it and its organization must exist.
    pub async fn key_session(
        &self,
        scope: Scope,
        hash: [u8; 32],
    ) -> Result<Option<Session>, StoreError> {
        let values = [scope.column().into(), hex::encode(hash).into()];
        let Some(row) = self.tenant(scope).one::<Row, 2>(BY_HASH, values).await? else {
            return Ok(None);
        };
        let Some(organization) = self.organization(scope).await? else { return Ok(None) };
        let holder = Holder::Key(row.try_into()?);
        Ok(Some(Session { home: organization.clone(), organization, holder }))
    }

    /// Notes that a key was used. No audit: what was done with it has its own.
    pub async fn touch_api_key(
        &self,
        scope: Scope,
        id: ApiKeyId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let write = self.write(scope).await?;
        let values = [scope.column().into(), id.0.into(), now.0.into()];
        write.tenant(scope).run(TOUCH, values).await?;
        write.commit().await
    }
}
