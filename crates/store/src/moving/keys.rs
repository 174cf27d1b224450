//! The master key of an import: the one that sealed what is in the file, or another one that what is
//! in it is wrapped with anew.

use super::{
    MoveError,
    cells::{Cell, Row},
    format::Header,
    tables::Table,
};
use crate::{
    MasterKey, MasterKeySource, Reason, Store, StoreError, UnlockError,
    data_keys::place,
    db::{Snapshot, System, Write},
    keyring,
    sealing::nonce,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::Scope;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What opens the data keys of a file, where that is not the key of this instance.
pub(super) type OldKey = Option<MasterKey>;

impl Snapshot<'_> {
    /// What tells the right master key, as of this snapshot.
    pub(super) async fn master_key_check(&self) -> Result<Option<Vec<u8>>, StoreError> {
        keyring::read_check(&self.system()).await
    }
}

impl Store {
    /// Finds out with which key the file's data keys open, and changes nothing. None: with the one
    /// this instance has, or there are none.
    pub(super) async fn key_of(
        &self,
        header: &Header,
        source: &MasterKeySource,
        old: Option<MasterKey>,
    ) -> Result<OldKey, MoveError> {
        let Some(check) = &header.master_key else { return Ok(None) };
        let check = BASE64_STANDARD.decode(check).map_err(|_| MoveError::Damaged(0))?;
        let opens = |key: &MasterKey| keyring::opens(key, &check);
        if old.as_ref().is_some_and(|old| !opens(old)) {
            return Err(MoveError::WrongOldKey);
        }
        let mine = self.system(Reason::Move).key_here(source).await?;
        match (mine, old) {
            (Some(mine), _) if opens(&mine) => Ok(None),
            (_, Some(old)) => Ok(Some(old)),
            (Some(_), None) => Err(MoveError::AnotherKey(source.to_string())),
            (None, None) => Err(MoveError::NoKey(source.to_string())),
        }
    }
}

impl System {
    /// The master key that this database has, or will have when it is unlocked; none if a new one
    /// will be made.
    async fn key_here(&self, source: &MasterKeySource) -> Result<Option<MasterKey>, UnlockError> {
        if keyring::read_check(&self.gate()).await?.is_some() {
            return Ok(Some(self.fitting(source).await?));
        }
        let first = source.candidates()?.into_iter().next();
        match (&first, source) {
            (None, MasterKeySource::DataDirectory(_)) | (Some(_), _) => Ok(first),
            (None, elsewhere) => Err(UnlockError::NotProvided(elsewhere.to_string())),
        }
    }

    /// What a data key of this database is, without saying it.
    pub(super) fn fingerprint_here(
        &self,
        table: &Table,
        owner: Scope,
        row: &mut Row,
    ) -> Result<(), MoveError> {
        let keyring = self.keyring()?;
        let (at, id, wrapped) = data_key(table, row)?;
        let name = id.to_string();
        let opened = keyring.open(place(owner, id, &name), &wrapped)?;
        row[at] = fingerprint(&opened);
        Ok(())
    }
}

impl Write<'_> {
    /// Wraps a data key of the file with this instance's master key.
    pub(super) async fn rewrap(
        &self,
        old: &MasterKey,
        (table, owner): (&Table, Scope),
        row: &mut Row,
    ) -> Result<(), MoveError> {
        let (at, id, wrapped) = data_key(table, row)?;
        let opened = open(old, owner, id, &wrapped)?;
        let name = id.to_string();
        let mine = self.present_master_key().await?;
        let again =
            mine.0.seal(place(owner, id, &name), &opened, nonce().map_err(StoreError::from)?);
        row[at] = Cell::Bytes(again);
        Ok(())
    }
}

/// What a data key of the file is, without saying it.
pub(super) fn fingerprint_there(
    old: &MasterKey,
    (table, owner): (&Table, Scope),
    row: &mut Row,
) -> Result<(), MoveError> {
    let (at, id, wrapped) = data_key(table, row)?;
    row[at] = fingerprint(&open(old, owner, id, &wrapped)?);
    Ok(())
}

fn fingerprint(key: &[u8]) -> Cell {
    Cell::Bytes(Sha256::digest(key).to_vec())
}

fn open(
    key: &MasterKey,
    owner: Scope,
    id: uuid::Uuid,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, MoveError> {
    let name = id.to_string();
    let opened = key.0.open(place(owner, id, &name), wrapped);
    Ok(opened.map_err(|error| StoreError::unreadable("data key", error))?)
}

/// Where the wrapped key is in its row, its id, and it.
fn data_key(table: &Table, row: &Row) -> Result<(usize, uuid::Uuid, Vec<u8>), MoveError> {
    let at = table.at("wrapped");
    match (at, table.at("id").map(|id| &row[id]), at.map(|at| &row[at])) {
        (Some(at), Some(Cell::Uuid(id)), Some(Cell::Bytes(wrapped))) => {
            Ok((at, *id, wrapped.clone()))
        }
        _ => Err(StoreError::unreadable("data key", "no id or no bytes").into()),
    }
}
