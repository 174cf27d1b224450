//! State: small JSON values that the runs of a workflow leave for those after them.

use crate::{Scoped, StoreError, row::FromRow};
use domain::Timestamp;
use serde_json::value::RawValue;

/// Keys one workflow may have in one organization.
pub const MAX_STATE_KEYS: i64 = 1_000;
/// Characters of a key.
pub const MAX_STATE_KEY: usize = 200;
/// Bytes of a value's JSON.
pub const MAX_STATE_VALUE: usize = 64 * 1024;

/// A value with its version.
#[derive(Clone, Debug)]
pub struct StateEntry {
    /// Its key.
    pub key: String,
    /// The value.
    pub value: Box<RawValue>,
    /// Counts its writes from 1.
    pub version: i64,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// A value to be kept.
#[derive(Clone, Copy, Debug)]
pub struct SetState<'a> {
    /// Whose state.
    pub workflow: &'a str,
    /// Which value.
    pub key: &'a str,
    /// As JSON text.
    pub value: &'a str,
    /// Only if this is its version; 0 if there must be none.
    pub expected: Option<i64>,
    /// The present.
    pub now: Timestamp,
}

/// Why a value was not kept.
#[derive(Debug, thiserror::Error)]
pub enum SetStateError {
    /// It has another version.
    #[error("the value has the version {0} by now")]
    Conflict(i64),
    /// There are as many as there may be.
    #[error("a workflow keeps at most {MAX_STATE_KEYS} values")]
    TooMany,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct Row {
    key: String,
    value_json: String,
    version: i64,
    updated_at: i64,
}

#[derive(FromRow)]
struct Version {
    version: i64,
}

#[derive(FromRow)]
struct Count {
    found: i64,
}

#[derive(FromRow)]
struct Key {
    key: String,
}

const ONE: &str = "SELECT key, value_json, version, updated_at FROM workflow_state
    WHERE organization_id = $1 AND workflow = $2 AND key = $3";
const PAGE: &str = "SELECT key, value_json, version, updated_at FROM workflow_state
    WHERE organization_id = $1 AND workflow = $2 AND key > $3 ORDER BY key LIMIT $4";
const KEYS: &str = "SELECT key FROM workflow_state
    WHERE organization_id = $1 AND workflow = $2 ORDER BY key";
const VERSION: &str = "SELECT version FROM workflow_state
    WHERE organization_id = $1 AND workflow = $2 AND key = $3";
const COUNT: &str = "SELECT COUNT(*) AS found FROM workflow_state
    WHERE organization_id = $1 AND workflow = $2";
const SET: &str = "INSERT INTO workflow_state
    (organization_id, workflow, key, value_json, version, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (organization_id, workflow, key) DO UPDATE
    SET value_json = $4, version = $5, updated_at = $6";
const DELETE: &str = "DELETE FROM workflow_state
    WHERE organization_id = $1 AND workflow = $2 AND key = $3";

impl Scoped {
    /// One value.
    pub async fn state(&self, workflow: &str, key: &str) -> Result<Option<StateEntry>, StoreError> {
        let values = [self.scope().column().into(), workflow.into(), key.into()];
        self.gate().one::<Row, 3>(ONE, values).await?.map(TryInto::try_into).transpose()
    }

    /// Values of a workflow by key, after `after`.
    pub async fn states(
        &self,
        workflow: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StateEntry>, StoreError> {
        let owner = self.scope().column().into();
        let values = [owner, workflow.into(), after.into(), i64::from(limit).into()];
        let rows = self.gate().all::<Row, 4>(PAGE, values).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// The keys of a workflow, in order.
    pub async fn state_keys(&self, workflow: &str) -> Result<Vec<String>, StoreError> {
        let values = [self.scope().column().into(), workflow.into()];
        let rows = self.gate().all::<Key, 2>(KEYS, values).await?;
        Ok(rows.into_iter().map(|row| row.key).collect())
    }

    /// Keeps a value; its new version. One after the other in an organization, so that both the
    /// version and the number of keys are exact.
    pub async fn set_state(&self, set: SetState<'_>) -> Result<i64, SetStateError> {
        let SetState { workflow, key, value, expected, now } = set;
        let owner = self.scope().column();
        let write = self.write().await?;
        let gate = write.tenant(self.scope());
        let version = [owner.into(), workflow.into(), key.into()];
        let version = gate.one::<Version, 3>(VERSION, version).await?;
        let version = version.map_or(0, |row| row.version);
        if expected.is_some_and(|expected| expected != version) {
            return Err(SetStateError::Conflict(version));
        }
        if version == 0 {
            let count = gate.one::<Count, 2>(COUNT, [owner.into(), workflow.into()]).await?;
            if count.is_some_and(|count| count.found >= MAX_STATE_KEYS) {
                return Err(SetStateError::TooMany);
            }
        }
        let next = version + 1;
        let values =
            [owner.into(), workflow.into(), key.into(), value.into(), next.into(), now.0.into()];
        gate.run(SET, values).await?;
        write.commit().await?;
        Ok(next)
    }

    /// Forgets a value; whether there was one.
    pub async fn delete_state(&self, workflow: &str, key: &str) -> Result<bool, StoreError> {
        let write = self.write().await?;
        let values = [self.scope().column().into(), workflow.into(), key.into()];
        let gone = write.tenant(self.scope()).run(DELETE, values).await? > 0;
        write.commit().await?;
        Ok(gone)
    }
}

impl TryFrom<Row> for StateEntry {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let value = RawValue::from_string(row.value_json);
        Ok(Self {
            key: row.key,
            value: value.map_err(|e| StoreError::unreadable("state", e))?,
            version: row.version,
            updated_at: Timestamp(row.updated_at),
        })
    }
}
