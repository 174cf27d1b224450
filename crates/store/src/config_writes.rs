//! Writing and deleting configuration values, in the open or sealed, with their audit.

use crate::{
    ConfigEntry, ConfigValue, Precondition, Scoped, StoreError, config::cell, data_keys::Sealed,
    db::Write, files::count, row::FromRow,
};
use domain::{ConfigKey, Timestamp, audit::Event, config, config::BadConfigValue, scope::Side};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// A write of one value into the asking scope.
pub struct PutConfig {
    /// Its name.
    pub key: ConfigKey,
    /// The value.
    pub value: Value,
    /// Whether it is sealed and never shown.
    pub secret: bool,
    /// What the writer believes is there.
    pub precondition: Precondition,
    /// The present.
    pub now: Timestamp,
}

/// What a write did.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigWritten {
    /// The value as it is now.
    pub entry: ConfigEntry,
    /// Whether it was not there before.
    pub created: bool,
}

/// Why a value was not written.
#[derive(Debug, thiserror::Error)]
pub enum PutConfigError {
    /// It is there and the writer did not say which version they know.
    #[error("the value exists; say which version you know")]
    PreconditionRequired,
    /// Somebody else was faster, or it is gone.
    #[error("the value has changed")]
    Stale,
    /// It cannot be kept.
    #[error(transparent)]
    Refused(#[from] BadConfigValue),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a value was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteConfigError {
    /// There is none in the asking scope.
    #[error("no such value")]
    NotThere,
    /// The writer did not say which version they know.
    #[error("say which version you know")]
    PreconditionRequired,
    /// Somebody else was faster.
    #[error("the value has changed")]
    Stale,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct Present {
    version: i64,
    deleted: bool,
    secret: bool,
}

const PRESENT: &str = "SELECT version, deleted, secret FROM config_values
    WHERE organization_id = $1 AND key = $2";
const UPSERT: &str = "INSERT INTO config_values (organization_id, key, version, deleted, secret,
    value_json, sealed, key_id, updated_by, updated_at)
    VALUES ($1, $2, $3, FALSE, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (organization_id, key) DO UPDATE SET
        version = excluded.version, deleted = FALSE, secret = excluded.secret,
        value_json = excluded.value_json, sealed = excluded.sealed, key_id = excluded.key_id,
        updated_by = excluded.updated_by, updated_at = excluded.updated_at";
const DELETE: &str = "UPDATE config_values SET deleted = TRUE, value_json = NULL, sealed = NULL,
    key_id = NULL, version = version + 1, updated_by = $3, updated_at = $4
    WHERE organization_id = $1 AND key = $2";

impl std::fmt::Debug for PutConfig {
    /// Without the value, which may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, secret, .. } = self;
        f.debug_struct("PutConfig")
            .field("key", key)
            .field("secret", secret)
            .finish_non_exhaustive()
    }
}

impl Scoped {
    /// Writes a value into the asking scope. Every write is a new version, also of the same value.
    pub async fn put_config(&self, put: PutConfig) -> Result<ConfigWritten, PutConfigError> {
        let json = Zeroizing::new(config::admit(&put.value, put.secret)?);
        let write = self.write().await?;
        let before = self.present_config(&write, &put.key).await?;
        let last = before.as_ref().map_or(0, |row| row.version);
        let there = before.filter(|row| !row.deleted);
        match (put.precondition, &there) {
            (Precondition::None, Some(_)) => return Err(PutConfigError::PreconditionRequired),
            (Precondition::Version(known), there)
                if there.as_ref().map(|row| row.version) != Some(i64::from(known)) =>
            {
                return Err(PutConfigError::Stale);
            }
            _ => {}
        }
        let sealed = match put.secret {
            true => {
                let key = write.data_key(self.scope(), put.now).await?;
                Some(key.seal(cell(put.key.as_str()), json.as_bytes())?)
            }
            false => None,
        };
        self.upsert_config(&write, &put, last + 1, &json, sealed).await?;
        let event = Event::done("config.write", put.key.as_str());
        let event = event.with(json!({ "secret": put.secret, "version": last + 1 }));
        write.audit(self.scope(), self.access().actor(), event, put.now).await?;
        write.commit().await?;
        let overrides = self.hides_config(put.key.as_str()).await?;
        let entry = ConfigEntry {
            key: put.key.as_str().to_owned(),
            side: Side::of(self.scope()),
            value: if put.secret { ConfigValue::Secret } else { ConfigValue::Plain(put.value) },
            overrides,
            version: count(last + 1)?,
            updated_at: put.now,
            updated_by: self.access().actor().label(),
        };
        Ok(ConfigWritten { entry, created: there.is_none() })
    }

    /// Deletes a value of the asking scope; what is sealed is gone, its versions go on.
    pub async fn delete_config(
        &self,
        key: &ConfigKey,
        precondition: Precondition,
        now: Timestamp,
    ) -> Result<(), DeleteConfigError> {
        let write = self.write().await?;
        let present = self.present_config(&write, key).await?;
        let present = present.filter(|row| !row.deleted).ok_or(DeleteConfigError::NotThere)?;
        match precondition {
            Precondition::None => return Err(DeleteConfigError::PreconditionRequired),
            Precondition::Version(known) if i64::from(known) != present.version => {
                return Err(DeleteConfigError::Stale);
            }
            _ => {}
        }
        let by = self.access().actor().label();
        let values = [self.scope().column().into(), key.as_str().into(), by.into(), now.0.into()];
        write.tenant(self.scope()).run(DELETE, values).await?;
        let event = Event::done("config.delete", key.as_str());
        let event = event.with(json!({ "secret": present.secret, "version": present.version }));
        write.audit(self.scope(), self.access().actor(), event, now).await?;
        write.commit().await?;
        Ok(())
    }

    async fn present_config(
        &self,
        write: &Write<'_>,
        key: &ConfigKey,
    ) -> Result<Option<Present>, StoreError> {
        let values = [self.scope().column().into(), key.as_str().into()];
        write.tenant(self.scope()).one(PRESENT, values).await
    }

    async fn upsert_config(
        &self,
        write: &Write<'_>,
        put: &PutConfig,
        version: i64,
        json: &str,
        sealed: Option<Sealed>,
    ) -> Result<(), StoreError> {
        let plain = (!put.secret).then(|| json.to_owned());
        let (sealed, key) = sealed.map(|sealed| (sealed.bytes, sealed.key)).unzip();
        let values = [
            self.scope().column().into(),
            put.key.as_str().into(),
            version.into(),
            put.secret.into(),
            plain.into(),
            sealed.into(),
            key.into(),
            self.access().actor().label().into(),
            put.now.0.into(),
        ];
        write.tenant(self.scope()).run(UPSERT, values).await?;
        Ok(())
    }
}
