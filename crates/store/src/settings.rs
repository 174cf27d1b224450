//! An organization's settings, and every version of them there was.

use crate::{
    Precondition, Scoped, StoreError, files::count, queue::lanes, row::FromRow, schedule_checks,
};
use domain::{
    Settings, Timestamp,
    audit::Event,
    settings::{Fault, Stored},
};
use serde_json::{Value, json};

/// Settings and their version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedSettings {
    /// Counts from 1, with every change.
    pub version: u32,
    /// As they count.
    pub settings: Settings,
}

/// A change of settings that somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct UpdateSettings<'a> {
    /// A JSON Merge Patch.
    pub patch: &'a Value,
    /// What the caller believes is there.
    pub precondition: Precondition,
    /// Whether the caller may change the organization's share under contention.
    pub may_set_weight: bool,
    /// The present.
    pub now: Timestamp,
}

/// Why settings were not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateSettingsError {
    /// The caller did not say what it believes is there.
    #[error("the settings are there already; say which version is meant")]
    PreconditionRequired,
    /// They are at another version.
    #[error("the settings have changed since")]
    Stale,
    /// They would not be valid afterwards.
    #[error("the settings are not valid")]
    Invalid(Vec<Fault>),
    /// Only the provider changes a share.
    #[error("only an admin of the provider changes `executions.weight`")]
    ProviderOnly,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One change of the past.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingsChange {
    /// The version it made.
    pub version: u32,
    /// When.
    pub at: Timestamp,
    /// Who, for people.
    pub changed_by: String,
    /// The whole document as it was.
    pub before: Value,
    /// The whole document as it became.
    pub after: Value,
}

#[derive(FromRow)]
struct Row {
    settings_json: String,
    settings_version: i64,
}

#[derive(FromRow)]
struct ChangeRow {
    version: i64,
    at: i64,
    changed_by: String,
    before_json: String,
    after_json: String,
}

impl TryFrom<ChangeRow> for SettingsChange {
    type Error = StoreError;

    fn try_from(row: ChangeRow) -> Result<Self, StoreError> {
        let document = |text: &str| serde_json::from_str(text).map_err(unreadable);
        Ok(Self {
            version: count(row.version)?,
            at: Timestamp(row.at),
            changed_by: row.changed_by,
            before: document(&row.before_json)?,
            after: document(&row.after_json)?,
        })
    }
}

const CURRENT: &str = "SELECT settings_json, settings_version FROM organizations WHERE id = $1";
const UPDATE: &str = "UPDATE organizations
    SET settings_json = $2, settings_version = $3 + 1
    WHERE id = $1 AND settings_version = $3";
const REMEMBER: &str = "INSERT INTO settings_history
    (organization_id, version, at, changed_by, before_json, after_json)
    VALUES ($1, $2, $3, $4, $5, $6)";
const HISTORY: &str = "SELECT version, at, changed_by, before_json, after_json
    FROM settings_history WHERE organization_id = $1 AND version < $2
    ORDER BY version DESC LIMIT $3";

impl Scoped {
    /// The settings as they are.
    pub async fn settings(&self) -> Result<VersionedSettings, StoreError> {
        let row = self.gate().one::<Row, 1>(CURRENT, [self.scope().column().into()]).await?;
        let row = row.ok_or_else(gone)?;
        let stored = read(&row.settings_json);
        for fault in &stored.faults {
            let (pointer, detail) = (&fault.pointer, &fault.detail);
            tracing::warn!(organization = %self.scope().column(), pointer, detail,
                "a setting cannot be read by this version and is passed over");
        }
        Ok(VersionedSettings { version: count(row.settings_version)?, settings: stored.settings })
    }

    /// Changes settings: all that is asked for, or nothing. What changes nothing makes no version.
    pub async fn update_settings(
        &self,
        update: UpdateSettings<'_>,
    ) -> Result<VersionedSettings, UpdateSettingsError> {
        let owner = self.scope().column();
        let write = self.write().await?;
        let gate = write.tenant(self.scope());
        let row = gate.one::<Row, 1>(CURRENT, [owner.into()]).await?.ok_or_else(gone)?;
        let version = count(row.settings_version)?;
        match update.precondition {
            Precondition::None => return Err(UpdateSettingsError::PreconditionRequired),
            Precondition::Version(expected) if expected != version => {
                return Err(UpdateSettingsError::Stale);
            }
            Precondition::Version(_) | Precondition::Any => {}
        }
        let before = read(&row.settings_json);
        let after = before.patched(update.patch).map_err(UpdateSettingsError::Invalid)?;
        let weight = |stored: &Stored| stored.settings.executions.weight;
        if weight(&before) != weight(&after) && !update.may_set_weight {
            return Err(UpdateSettingsError::ProviderOnly);
        }
        if before.settings == after.settings {
            return Ok(VersionedSettings { version, settings: before.settings });
        }
        let values = [owner.into(), after.text().into(), row.settings_version.into()];
        if gate.run(UPDATE, values).await? == 0 {
            return Err(UpdateSettingsError::Stale);
        }
        schedule_checks::again(&gate, self.scope(), update.now).await?;
        let version = version + 1;
        let (before, settings) = (before.settings, after.settings);
        let documents = [&before, &settings].map(serde_json::to_value);
        let [old, new] = documents.map(|document| document.map_err(unreadable));
        let (old, new) = (old?, new?);
        let values = [
            owner.into(),
            i64::from(version).into(),
            update.now.0.into(),
            self.access().actor().label().into(),
            old.to_string().into(),
            new.to_string().into(),
        ];
        gate.run(REMEMBER, values).await?;
        lanes::allow(&gate, self.scope(), &settings).await?;
        let event = Event::done("settings.update", "settings")
            .with(json!({ "version": version, "changes": changes(&old, &new) }));
        write.audit(self.scope(), self.access().actor(), event, update.now).await?;
        write.commit().await?;
        Ok(VersionedSettings { version, settings })
    }

    /// Changes of the past, newest first.
    pub async fn settings_history(
        &self,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<SettingsChange>, StoreError> {
        let before = before.map_or(i64::MAX, i64::from);
        let values = [self.scope().column().into(), before.into(), i64::from(limit).into()];
        let rows = self.gate().all::<ChangeRow, 3>(HISTORY, values).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

/// The settings in a column, whoever wrote them.
pub(crate) fn read(settings_json: &str) -> Stored {
    Stored::read(settings_json)
}

/// What differs between two documents, by `section.key`.
fn changes(old: &Value, new: &Value) -> Value {
    let sections = new.as_object().into_iter().flatten();
    let keys = sections.flat_map(|(section, fields)| {
        let fields = fields.as_object().into_iter().flatten();
        fields.map(move |(key, value)| (section, key, value))
    });
    let changed = keys.filter_map(|(section, key, value)| {
        let was = &old[section][key];
        (was != value).then(|| (format!("{section}.{key}"), json!({ "from": was, "to": value })))
    });
    Value::Object(changed.collect())
}

fn gone() -> StoreError {
    StoreError::unreadable("organization", "an access without its organization")
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::unreadable("settings", error)
}
