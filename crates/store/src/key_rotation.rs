//! A new data key for an organization, and giving up on what nobody can open any more.

use crate::{
    Reason, Scoped, Store, StoreError,
    data_keys::{Cell, DataKey},
    db::Write,
    row::FromRow,
};
use domain::{Actor, Scope, Timestamp, audit::Event};
use serde_json::json;
use uuid::Uuid;

/// A column with sealed values. A new one is one line in [`SEALED`].
struct SealedColumn {
    table: &'static str,
    field: &'static str,
    /// Up to 100 rows that are not sealed with the data key `$2`: `row`, `sealed`, `key_id`.
    others: &'static str,
    /// Puts sealed bytes `$3` and their data key `$4` into the row `$2`.
    replace: &'static str,
}

const SEALED: &[SealedColumn] = &[SealedColumn {
    table: "config_values",
    field: "sealed",
    others: "SELECT key AS row_key, sealed, key_id FROM config_values
        WHERE organization_id = $1 AND key_id IS NOT NULL AND key_id <> $2 LIMIT 100",
    replace: "UPDATE config_values SET sealed = $3, key_id = $4
        WHERE organization_id = $1 AND key = $2",
}];

/// What [`Store::discard_secrets`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscardedSecrets {
    /// Secrets that are gone.
    pub secrets: u64,
}

#[derive(FromRow)]
struct Row {
    row_key: String,
    sealed: Vec<u8>,
    key_id: Uuid,
}

#[derive(FromRow)]
struct Owner {
    id: Uuid,
}

const DELETE_OTHERS: &str = "DELETE FROM data_keys WHERE organization_id = $1 AND id <> $2";
const OWNERS: &str = "SELECT id FROM organizations ORDER BY id";
const DISCARD_CONFIG: &str = "UPDATE config_values SET deleted = TRUE, value_json = NULL,
    sealed = NULL, key_id = NULL, version = version + 1, updated_by = $2, updated_at = $3
    WHERE organization_id = $1 AND secret = TRUE AND deleted = FALSE";
const DISCARD_KEYS: &str = "DELETE FROM data_keys WHERE organization_id = $1";

impl Scoped {
    /// Gives the asking scope a new data key, seals its secrets anew and deletes the old key. How
    /// many secrets there are; `None` if it has no key because nothing was ever sealed. One
    /// transaction: a run reads either all before or all after.
    pub async fn rotate_data_key(&self, now: Timestamp) -> Result<Option<u64>, StoreError> {
        let write = self.write().await?;
        let owner = self.scope();
        if !write.has_data_key(owner).await? {
            return Ok(None);
        }
        let new = write.new_data_key(owner, now).await?;
        let mut count = 0;
        for column in SEALED {
            count += column.reseal(&write, owner, &new).await?;
        }
        write.tenant(owner).run(DELETE_OTHERS, [owner.column().into(), new.id.into()]).await?;
        let event = Event::done("secrets.rotate", new.id.to_string());
        let event = event.with(json!({ "secrets": count }));
        write.audit(owner, self.access().actor(), event, now).await?;
        write.commit().await?;
        Ok(Some(count))
    }
}

impl SealedColumn {
    async fn reseal(
        &self,
        write: &Write<'_>,
        owner: Scope,
        new: &DataKey,
    ) -> Result<u64, StoreError> {
        let gate = write.tenant(owner);
        let mut count = 0;
        loop {
            let values = [owner.column().into(), new.id.into()];
            let rows = gate.all::<Row, 2>(self.others, values).await?;
            if rows.is_empty() {
                return Ok(count);
            }
            for Row { row_key, sealed, key_id } in rows {
                let cell = Cell { table: self.table, row: &row_key, field: self.field };
                let old = write.data_key_of(owner, key_id).await?;
                let again = new.seal(cell, &old.open(cell, &sealed)?)?;
                let owner = owner.column().into();
                let values = [owner, row_key.into(), again.bytes.into(), again.key.into()];
                gate.run(self.replace, values).await?;
                count += 1;
            }
        }
    }
}

impl Store {
    /// Removes every secret and every data key, and unties the database from its master key: for
    /// when that key is lost and nothing of it can be opened ever again.
    pub async fn discard_secrets(&self, now: Timestamp) -> Result<DiscardedSecrets, StoreError> {
        let system = self.system(Reason::Keys);
        let write = system.write(Scope::Global).await?;
        let mut secrets = 0;
        for Owner { id } in write.system().all::<Owner, 0>(OWNERS, []).await? {
            let (owner, actor) = (Scope::from_column(id), Actor::Operator);
            let gate = write.tenant(owner);
            let discarded =
                gate.run(DISCARD_CONFIG, [id.into(), actor.label().into(), now.0.into()]).await?;
            let keys = gate.run(DISCARD_KEYS, [id.into()]).await?;
            if keys > 0 {
                let event = Event::done("secrets.discard", "");
                let event = event.with(json!({ "secrets": discarded }));
                write.audit(owner, &actor, event, now).await?;
            }
            secrets += discarded;
        }
        write.forget_master_key().await?;
        write.commit().await?;
        Ok(DiscardedSecrets { secrets })
    }
}
