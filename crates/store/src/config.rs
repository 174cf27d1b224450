//! Reading configuration values through the cascade.
//!
//! [`ConfigEntry`] is what people see and never has a secret's value. [`Revealed`] is for a run: the
//! only way in which a sealed value is opened for use.

use crate::{Scoped, StoreError, View, data_keys::Cell, files::count, row::FromRow, sides};
use domain::{ConfigKey, Scope, Timestamp, cascade::resolve, scope::Side};
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

/// A configuration value as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigEntry {
    /// Its name.
    pub key: String,
    /// Whose.
    pub side: Side,
    /// The value, or that it is secret.
    pub value: ConfigValue,
    /// Whether this is the organization's and Global has the same key.
    pub overrides: bool,
    /// Counts from 1 per scope and key, and goes on after a deletion.
    pub version: u32,
    /// When.
    pub updated_at: Timestamp,
    /// By whom, for people.
    pub updated_by: String,
}

/// What may be shown of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigValue {
    /// All of it.
    Plain(Value),
    /// Nothing.
    Secret,
}

/// A value for a run to use.
#[derive(Clone, Debug)]
pub enum Revealed {
    /// JSON text.
    Plain(String),
    /// JSON text that must not be shown.
    Secret(SecretString),
}

/// A page of configuration values.
#[derive(Clone, Debug)]
pub struct ListConfig {
    /// Which.
    pub view: View,
    /// Keys after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// What a value says about itself.
#[derive(FromRow)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) version: i64,
    pub(crate) secret: bool,
    pub(crate) value_json: Option<String>,
    pub(crate) updated_by: String,
    pub(crate) updated_at: i64,
}

#[derive(FromRow)]
struct SealedRow {
    organization_id: Uuid,
    value_json: Option<String>,
    sealed: Option<Vec<u8>>,
    key_id: Option<Uuid>,
    wrapped: Option<Vec<u8>>,
}

const ONE: &str = "SELECT key, version, secret, value_json, updated_by, updated_at
    FROM config_values WHERE organization_id = $1 AND key = $2 AND deleted = FALSE";
const PAGE: &str = "SELECT key, version, secret, value_json, updated_by, updated_at
    FROM config_values WHERE organization_id = $1 AND key > $2 AND deleted = FALSE
    ORDER BY key LIMIT $3";
const REVEAL: &str = "SELECT v.organization_id, v.value_json, v.sealed, v.key_id, k.wrapped
    FROM config_values v
    LEFT JOIN data_keys k ON k.organization_id = v.organization_id AND k.id = v.key_id
    WHERE v.organization_id IN ($1, $2) AND v.key = $3 AND v.deleted = FALSE";

/// Where the sealed value of a key is.
pub(crate) fn cell(key: &str) -> Cell<'_> {
    Cell { table: "config_values", row: key, field: "sealed" }
}

impl Row {
    pub(crate) fn entry(self, side: Side, overrides: bool) -> Result<ConfigEntry, StoreError> {
        let value = match (self.secret, self.value_json) {
            (false, Some(json)) => ConfigValue::Plain(parse(&json)?),
            _ => ConfigValue::Secret,
        };
        Ok(ConfigEntry {
            key: self.key,
            side,
            value,
            overrides,
            version: count(self.version)?,
            updated_at: Timestamp(self.updated_at),
            updated_by: self.updated_by,
        })
    }
}

fn parse(json: &str) -> Result<Value, StoreError> {
    // The parser's words could quote the value.
    serde_json::from_str(json).map_err(|_| StoreError::unreadable("config value", "no JSON"))
}

impl Scoped {
    /// Configuration values by key. An effective list merges both scopes by the cascade.
    pub async fn config_values(&self, list: ListConfig) -> Result<Vec<ConfigEntry>, StoreError> {
        let scopes = self.scopes(list.view);
        let own = self.config_page(scopes.own, &list).await?;
        let global = self.config_page(scopes.global, &list).await?;
        let page = sides::pair(own, global, |row| &row.key).into_values();
        let mut entries = Vec::new();
        for (own, global) in page.take(list.limit as usize) {
            let mut overrides = own.is_some() && global.is_some();
            if let (View::Own, Some(own)) = (list.view, &own) {
                overrides = self.hides_config(&own.key).await?;
            }
            if let Some((side, row)) = resolve(own, global) {
                entries.push(row.entry(side, overrides)?);
            }
        }
        Ok(entries)
    }

    /// The value of a key as `view` shows it.
    pub async fn config_value(
        &self,
        key: &ConfigKey,
        view: View,
    ) -> Result<Option<ConfigEntry>, StoreError> {
        let scopes = self.scopes(view);
        let own = self.config_row(scopes.own, key.as_str()).await?;
        let global = self.config_row(scopes.global, key.as_str()).await?;
        let Some((side, row)) = resolve(own, global) else { return Ok(None) };
        let overrides = side == Side::Own && self.hides_config(key.as_str()).await?;
        row.entry(side, overrides).map(Some)
    }

    /// The value of a key for use in a run: the organization's, else Global's, opened if sealed.
    pub async fn reveal_config(&self, key: &ConfigKey) -> Result<Option<Revealed>, StoreError> {
        let scopes =
            [self.scope().column().into(), Scope::Global.column().into(), key.as_str().into()];
        let (mut own, mut global) = (None, None);
        for row in self.gate().all::<SealedRow, 3>(REVEAL, scopes).await? {
            match Scope::from_column(row.organization_id) {
                Scope::Global => global = Some(row),
                Scope::Organization(_) => own = Some(row),
            }
        }
        let Some((_, row)) = resolve(own, global) else { return Ok(None) };
        self.reveal(key, row).map(Some)
    }

    fn reveal(&self, key: &ConfigKey, row: SealedRow) -> Result<Revealed, StoreError> {
        match (row.value_json, row.sealed, row.key_id, row.wrapped) {
            (Some(json), None, _, _) => Ok(Revealed::Plain(json)),
            (None, Some(sealed), Some(id), Some(wrapped)) => {
                let owner = Scope::from_column(row.organization_id);
                let opened = self.unwrap_key(owner, id, &wrapped)?;
                let opened = opened.open(cell(key.as_str()), &sealed)?;
                let text = std::str::from_utf8(&opened);
                let text = text.map_err(|_| StoreError::unreadable("secret", "not UTF-8"))?;
                Ok(Revealed::Secret(text.into()))
            }
            _ => Err(StoreError::unreadable("config value", "its data key is not there")),
        }
    }

    /// Whether a value of this organization hides one of Global.
    pub(crate) async fn hides_config(&self, key: &str) -> Result<bool, StoreError> {
        match self.scope() {
            Scope::Global => Ok(false),
            Scope::Organization(_) => {
                Ok(self.config_row(Some(Scope::Global), key).await?.is_some())
            }
        }
    }

    async fn config_page(
        &self,
        owner: Option<Scope>,
        list: &ListConfig,
    ) -> Result<Vec<Row>, StoreError> {
        let Some(owner) = owner else { return Ok(Vec::new()) };
        let after = list.after.clone().unwrap_or_default();
        let values = [owner.column().into(), after.into(), i64::from(list.limit).into()];
        self.gate().all(PAGE, values).await
    }

    async fn config_row(&self, owner: Option<Scope>, key: &str) -> Result<Option<Row>, StoreError> {
        match owner {
            Some(owner) => self.gate().one(ONE, [owner.column().into(), key.into()]).await,
            None => Ok(None),
        }
    }
}
