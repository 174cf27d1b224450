//! Rotating the master key: every data key is wrapped anew, in steps that may be cut off anywhere.
//!
//! In a data directory the steps are: write the new key to `master.key.next`; wrap all data keys
//! with it in one transaction; keep the old key as `master.key.old-…`; move the new one into place.
//! A process that starts or looks again in between tries both files, and the database says which
//! fits. Elsewhere the operator puts the new key into place; only the second step is done here.

use crate::{
    MasterKey, MasterKeyError, MasterKeySource, Reason, Store, StoreError,
    data_keys::place,
    db::Write,
    master_key::{at, beside, read, sync_directory, write_new},
    row::FromRow,
    sealing::nonce,
};
use domain::{Actor, Scope, Timestamp, audit::Event};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};
use uuid::Uuid;

/// A rotation under way. Dropped between two steps it leaves what every process can start with.
pub struct MasterRotation {
    store: Store,
    place: Place,
    new: MasterKey,
    old: MasterKey,
}

/// Where the new key goes.
enum Place {
    /// Into the data directory. The lock keeps a second rotation away.
    Directory { path: PathBuf, _lock: File },
    /// Wherever the operator puts it.
    Elsewhere,
}

/// Why the master key was not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The keys themselves.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The key is not ours to make.
    #[error(
        "the master key is in {0}: write a new one with `openssl rand -base64 32` and give its \
         file with --new-master-key-file"
    )]
    NewKeyWanted(String),
    /// The same key again.
    #[error("the new master key is the present one")]
    Same,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct Row {
    organization_id: Uuid,
    id: Uuid,
    wrapped: Vec<u8>,
}

const ALL: &str = "SELECT organization_id, id, wrapped FROM data_keys";
const REWRAP: &str = "UPDATE data_keys SET wrapped = $3 WHERE organization_id = $1 AND id = $2";

impl MasterRotation {
    /// Prepares a rotation of an unlocked store, to `new` or to a fresh key.
    pub async fn begin(store: Store, new: Option<MasterKey>) -> Result<Self, RotationError> {
        let system = store.system(Reason::Keys);
        let source = system.keyring()?.source();
        let place = match source {
            MasterKeySource::DataDirectory(directory) => {
                let path = directory.join("master.key");
                Place::Directory { _lock: lock(&beside(&path, "lock"))?, path }
            }
            elsewhere if new.is_none() => {
                return Err(RotationError::NewKeyWanted(elsewhere.to_string()));
            }
            _ => Place::Elsewhere,
        };
        let old = {
            let write = system.write(Scope::Global).await?;
            write.present_master_key().await?
        };
        place.finish(&old)?;
        let left = place.next()?;
        let new = match new.or(left) {
            Some(new) => new,
            None => MasterKey::random()?,
        };
        if same(&new, &old) {
            return Err(RotationError::Same);
        }
        Ok(Self { store, place, new, old })
    }

    /// Writes the new key beside the old one.
    pub fn write_next(&self) -> Result<(), RotationError> {
        let Place::Directory { path, .. } = &self.place else { return Ok(()) };
        let next = beside(path, "next");
        match read(&next)? {
            Some(key) if same(&key, &self.new) => Ok(()),
            // Nothing was ever wrapped with it, or `begin` had put it into place.
            Some(_) => {
                fs::remove_file(&next).map_err(at(&next))?;
                Ok(write_new(&next, &self.new)?)
            }
            None => Ok(write_new(&next, &self.new)?),
        }
    }

    /// Wraps every data key with the new key, in one transaction. How many there are.
    pub async fn rewrap(&self, now: Timestamp) -> Result<usize, RotationError> {
        let system = self.store.system(Reason::Keys);
        let write = system.write(Scope::Global).await?;
        if !same(&write.present_master_key().await?, &self.old) {
            return Err(MasterKeyError::Busy.into());
        }
        let rows = write.system().all::<Row, 0>(ALL, []).await?;
        let count = rows.len();
        for row in rows {
            self.rewrap_one(&write, row).await?;
        }
        write.change_master_key(&self.new, now).await?;
        let event = Event::done("secrets.rotate_master_key", "");
        let event = event.with(json!({ "data_keys": count }));
        write.audit(Scope::Global, &Actor::Operator, event, now).await?;
        write.commit().await?;
        Ok(count)
    }

    async fn rewrap_one(&self, write: &Write<'_>, row: Row) -> Result<(), StoreError> {
        let Row { organization_id, id, wrapped } = row;
        let (owner, name) = (Scope::from_column(organization_id), id.to_string());
        let opened = self.old.0.open(place(owner, id, &name), &wrapped);
        let key = opened.map_err(|error| StoreError::unreadable("data key", error))?;
        let wrapped = self.new.0.seal(place(owner, id, &name), &key, nonce()?);
        write.system().run(REWRAP, [organization_id.into(), id.into(), wrapped.into()]).await?;
        Ok(())
    }

    /// Keeps the old key under another name, for backups of the database that need it; where.
    pub fn keep_old(&self) -> Result<Option<PathBuf>, RotationError> {
        match &self.place {
            Place::Directory { path, .. } => Ok(Some(keep(path, &self.old)?)),
            Place::Elsewhere => Ok(None),
        }
    }

    /// Moves the new key into place.
    pub fn install(&self) -> Result<(), RotationError> {
        match &self.place {
            Place::Directory { path, .. } => Ok(install(path)?),
            Place::Elsewhere => Ok(()),
        }
    }
}

impl Place {
    /// Ends what an earlier rotation was cut off in: its key fits already, but is not in place.
    fn finish(&self, present: &MasterKey) -> Result<(), MasterKeyError> {
        let Self::Directory { path, .. } = self else { return Ok(()) };
        let fits = |key: &Option<MasterKey>| key.as_ref().is_some_and(|key| same(key, present));
        if !fits(&self.next()?) {
            return Ok(());
        }
        if let Some(old) = read(path)?.filter(|key| !same(key, present)) {
            keep(path, &old)?;
        }
        install(path)
    }

    fn next(&self) -> Result<Option<MasterKey>, MasterKeyError> {
        match self {
            Self::Directory { path, .. } => read(&beside(path, "next")),
            Self::Elsewhere => Ok(None),
        }
    }
}

fn keep(path: &std::path::Path, old: &MasterKey) -> Result<PathBuf, MasterKeyError> {
    let kept = beside(path, &format!("old-{}", name(old)));
    write_new(&kept, old)?;
    Ok(kept)
}

fn install(path: &std::path::Path) -> Result<(), MasterKeyError> {
    let next = beside(path, "next");
    fs::rename(&next, path).map_err(at(&next))?;
    sync_directory(path)
}

/// Some digits that tell keys apart and tell nothing else about them.
fn name(key: &MasterKey) -> String {
    hex::encode(&Sha256::digest(key.0.bytes())[..4])
}

fn same(one: &MasterKey, other: &MasterKey) -> bool {
    one.0.bytes() == other.0.bytes()
}

fn lock(path: &std::path::Path) -> Result<File, MasterKeyError> {
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = open.map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MasterKeyError::Busy),
        Err(TryLockError::Error(error)) => Err(at(path)(io::Error::other(error))),
    }
}
