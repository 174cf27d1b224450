//! Data keys: one per organization and one for Global, wrapped by the master key.
//!
//! Everything that is sealed in a tenant's row is sealed here, with the data key of the row's owner.
//! Without its data key nobody opens it, so deleting the key shreds the organization's secrets.

use crate::{
    Scoped, StoreError,
    db::Write,
    row::FromRow,
    sealing::{Key, Place, nonce},
};
use domain::{Scope, Timestamp};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A sealed value as its row keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The data key it is sealed with.
    pub key: Uuid,
    /// The sealed bytes.
    pub bytes: Vec<u8>,
}

/// The row and column of a sealed value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<'a> {
    pub table: &'static str,
    pub row: &'a str,
    pub field: &'static str,
}

/// A data key with its id.
pub(crate) struct DataKey {
    pub id: Uuid,
    owner: Scope,
    key: Key,
}

#[derive(FromRow)]
pub(crate) struct Wrapped {
    pub(crate) id: Uuid,
    pub(crate) wrapped: Vec<u8>,
}

/// The newest one seals; others are there only within a rotation.
const NEWEST: &str = "SELECT id, wrapped FROM data_keys WHERE organization_id = $1
    ORDER BY created_at DESC, id DESC LIMIT 1";
const ONE: &str = "SELECT id, wrapped FROM data_keys WHERE organization_id = $1 AND id = $2";
const INSERT: &str = "INSERT INTO data_keys (organization_id, id, wrapped, created_at)
    VALUES ($1, $2, $3, $4)";

/// Where a wrapped data key belongs.
pub(crate) fn place<'a>(owner: Scope, id: Uuid, row: &'a str) -> Place<'a> {
    Place { owner, table: "data_keys", row, field: "wrapped", key: id }
}

impl DataKey {
    /// Seals `plain` for a cell of the key's owner.
    pub(crate) fn seal(&self, cell: Cell<'_>, plain: &[u8]) -> Result<Sealed, StoreError> {
        let bytes = self.key.seal(self.place(cell), plain, nonce()?);
        Ok(Sealed { key: self.id, bytes })
    }

    /// What was sealed for a cell of the key's owner.
    pub(crate) fn open(
        &self,
        cell: Cell<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let opened = self.key.open(self.place(cell), sealed);
        opened.map_err(|error| StoreError::unreadable("sealed value", error))
    }

    fn place<'a>(&self, cell: Cell<'a>) -> Place<'a> {
        let Cell { table, row, field } = cell;
        Place { owner: self.owner, table, row, field, key: self.id }
    }
}

impl Scoped {
    /// The data key of a row of `owner`, from what the row's query has read of it.
    pub(crate) fn unwrap_key(
        &self,
        owner: Scope,
        id: Uuid,
        wrapped: &[u8],
    ) -> Result<DataKey, StoreError> {
        unwrap(self.keyring()?, owner, id, wrapped)
    }
}

impl Write<'_> {
    /// The data key that seals for `owner`; made when the first value is sealed.
    pub(crate) async fn data_key(
        &self,
        owner: Scope,
        now: Timestamp,
    ) -> Result<DataKey, StoreError> {
        let newest = self.tenant(owner).one::<Wrapped, 1>(NEWEST, [owner.column().into()]).await?;
        match newest {
            Some(Wrapped { id, wrapped }) => unwrap(self.keyring()?, owner, id, &wrapped),
            None => self.new_data_key(owner, now).await,
        }
    }

    /// Whether anything was ever sealed for `owner`.
    pub(crate) async fn has_data_key(&self, owner: Scope) -> Result<bool, StoreError> {
        let values = [owner.column().into()];
        Ok(self.tenant(owner).one::<Wrapped, 1>(NEWEST, values).await?.is_some())
    }

    /// A certain data key of `owner`.
    pub(crate) async fn data_key_of(&self, owner: Scope, id: Uuid) -> Result<DataKey, StoreError> {
        let values = [owner.column().into(), id.into()];
        let found = self.tenant(owner).one::<Wrapped, 2>(ONE, values).await?;
        let missing = || StoreError::unreadable("data key", "it is not there");
        unwrap(self.keyring()?, owner, id, &found.ok_or_else(missing)?.wrapped)
    }

    /// A new data key for `owner`, which seals from now on.
    pub(crate) async fn new_data_key(
        &self,
        owner: Scope,
        now: Timestamp,
    ) -> Result<DataKey, StoreError> {
        let master = self.present_master_key().await?;
        let (id, key) = (Uuid::now_v7(), Key::random()?);
        let row = id.to_string();
        let wrapped = master.0.seal(place(owner, id, &row), key.bytes(), nonce()?);
        let values = [owner.column().into(), id.into(), wrapped.into(), now.0.into()];
        self.tenant(owner).run(INSERT, values).await?;
        Ok(DataKey { id, owner, key })
    }
}

fn unwrap(
    keyring: &crate::keyring::Keyring,
    owner: Scope,
    id: Uuid,
    wrapped: &[u8],
) -> Result<DataKey, StoreError> {
    let row = id.to_string();
    let bytes = keyring.open(place(owner, id, &row), wrapped)?;
    let malformed = || StoreError::unreadable("data key", "wrong length");
    let key = Key::from_slice(&bytes).ok_or_else(malformed)?;
    Ok(DataKey { id, owner, key })
}
