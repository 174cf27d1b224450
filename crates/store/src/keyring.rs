//! The keyring: the master key of a running process, held against the database at its start.

use crate::{
    Reason, Store, StoreError, System,
    db::Write,
    gate::Gate,
    master_key::{MasterKey, MasterKeyError, MasterKeySource},
    row::FromRow,
    sealing::{DoesNotOpen, Place, nonce},
};
use domain::{Scope, Timestamp};
use std::sync::{PoisonError, RwLock};
use uuid::Uuid;
use zeroize::Zeroizing;

/// The master key in memory, and where to look for it again after a rotation.
pub(crate) struct Keyring {
    source: MasterKeySource,
    current: RwLock<MasterKey>,
}

/// Why the secrets of a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// The key itself.
    #[error("the master key cannot be used: {0}")]
    Key(#[from] MasterKeyError),
    /// The database has been used with a key that is not there any more.
    #[error(
        "the master key is missing: this database was set up with one, and there is none in {0}; \
         put it back from its backup. If it is lost, so are all secrets: \
         `bifrost admin discard-secrets --yes` removes them, and the next start makes a new key"
    )]
    Missing(String),
    /// A new database, and the key that somebody was to provide is not there.
    #[error("there is no master key in {0}; write one with `openssl rand -base64 32`")]
    NotProvided(String),
    /// Another key.
    #[error(
        "the master key in {0} is not the one this database was set up with; put the right one \
         there, or say where it is with BIFROST_MASTER_KEY_FILE. If it is lost, so are all \
         secrets: `bifrost admin discard-secrets --yes` removes them"
    )]
    Mismatch(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the master key of a database was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MasterKeyState {
    /// It fits, and is there.
    Fits(String),
    /// The database has not been served yet.
    Unused,
}

#[derive(FromRow)]
struct Check {
    sealed: Vec<u8>,
}

/// What is sealed to tell the right key from others.
const KNOWN: &[u8] = b"bifrost master key";
const READ: &str = "SELECT sealed FROM master_key_check WHERE id = 1";
/// Nobody rotates the key between this and the end of the transaction.
const HOLD: &str = "SELECT sealed FROM master_key_check WHERE id = 1 FOR UPDATE";
const INSERT: &str = "INSERT INTO master_key_check (id, sealed, updated_at) VALUES (1, $1, $2)
    ON CONFLICT (id) DO NOTHING";
const UPDATE: &str = "UPDATE master_key_check SET sealed = $1, updated_at = $2 WHERE id = 1";
const DELETE: &str = "DELETE FROM master_key_check WHERE id = 1";

fn place() -> Place<'static> {
    Place {
        owner: Scope::Global,
        table: "master_key_check",
        row: "1",
        field: "sealed",
        key: Uuid::nil(),
    }
}

/// Whether `key` is the one that a check was sealed with.
pub(crate) fn opens(key: &MasterKey, check: &[u8]) -> bool {
    key.0.open(place(), check).is_ok_and(|known| *known == KNOWN)
}

impl Store {
    /// Finds the master key and holds it against the database; afterwards secrets can be used.
    /// A new database gets a new key, if the key is for us to make.
    pub async fn unlock(&self, source: MasterKeySource, now: Timestamp) -> Result<(), UnlockError> {
        let system = self.system(Reason::Keys);
        if system.master_key_check().await?.is_none() {
            if source.candidates()?.is_empty() {
                source.make()?;
            }
            let first = source.candidates()?.into_iter().next();
            let key = first.ok_or_else(|| UnlockError::NotProvided(source.to_string()))?;
            system.begin_master_key(&key, now).await?;
        }
        let key = system.fitting(&source).await?;
        self.install(Keyring { source, current: RwLock::new(key) });
        Ok(())
    }

    /// Holds the master key against the database and changes nothing.
    pub async fn check_master_key(
        &self,
        source: &MasterKeySource,
    ) -> Result<MasterKeyState, UnlockError> {
        let system = self.system(Reason::Keys);
        if system.master_key_check().await?.is_none() {
            source.candidates()?;
            return Ok(MasterKeyState::Unused);
        }
        system.fitting(source).await?;
        Ok(MasterKeyState::Fits(source.to_string()))
    }
}

/// What tells the right key from others.
pub(crate) async fn read_check(gate: &Gate<'_>) -> Result<Option<Vec<u8>>, StoreError> {
    let check = gate.one::<Check, 0>(READ, []).await?;
    Ok(check.map(|check| check.sealed))
}

impl System {
    async fn master_key_check(&self) -> Result<Option<Vec<u8>>, StoreError> {
        read_check(&self.gate()).await
    }

    /// Ties a database to its first key; another process may have been faster with another one.
    async fn begin_master_key(&self, key: &MasterKey, now: Timestamp) -> Result<(), UnlockError> {
        let sealed = seal_check(key)?;
        let write = self.write(Scope::Global).await?;
        write.system().run(INSERT, [sealed.into(), now.0.into()]).await?;
        write.commit().await?;
        Ok(())
    }

    /// The key of `source` that fits the database.
    pub(crate) async fn fitting(&self, source: &MasterKeySource) -> Result<MasterKey, UnlockError> {
        let candidates = source.candidates()?;
        if candidates.is_empty() {
            return Err(UnlockError::Missing(source.to_string()));
        }
        let check = self.master_key_check().await?.unwrap_or_default();
        let fits = candidates.into_iter().find(|key| opens(key, &check));
        fits.ok_or_else(|| UnlockError::Mismatch(source.to_string()))
    }
}

impl Write<'_> {
    /// Ties the database to another key.
    pub(crate) async fn change_master_key(
        &self,
        key: &MasterKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sealed = seal_check(key)?;
        self.system().run(UPDATE, [sealed.into(), now.0.into()]).await?;
        Ok(())
    }

    /// Unties the database from its key.
    pub(crate) async fn forget_master_key(&self) -> Result<(), StoreError> {
        self.system().run(DELETE, []).await?;
        Ok(())
    }

    /// The master key as of this transaction: what wraps a new data key must be what opens it
    /// later, also when a rotation has just ended.
    pub(crate) async fn present_master_key(&self) -> Result<MasterKey, StoreError> {
        let check = self.system().one::<Check, 0>(HOLD, []).await?;
        let check = check.ok_or(StoreError::NoMasterKey)?.sealed;
        self.keyring()?.fitting(|key| opens(key, &check).then(|| key.clone()))
    }
}

fn seal_check(key: &MasterKey) -> Result<Vec<u8>, StoreError> {
    Ok(key.0.seal(place(), KNOWN, nonce()?))
}

impl Keyring {
    /// Where the key comes from.
    pub(crate) fn source(&self) -> &MasterKeySource {
        &self.source
    }

    /// Opens what the master key has sealed.
    pub(crate) fn open(
        &self,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.fitting(|key| key.0.open(place, sealed).ok())
    }

    /// What `attempt` makes of the first key with which it succeeds: the one in memory, else those
    /// that are in the file by now, because a rotation may have ended since.
    fn fitting<T>(&self, attempt: impl Fn(&MasterKey) -> Option<T>) -> Result<T, StoreError> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(done) = attempt(&current) {
            return Ok(done);
        }
        let candidates = self.source.candidates();
        for key in candidates.map_err(|error| StoreError::MasterKey(error.to_string()))? {
            if let Some(done) = attempt(&key) {
                tracing::info!("the master key has been rotated; using the new one");
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = key;
                return Ok(done);
            }
        }
        let source = &self.source;
        Err(StoreError::MasterKey(format!(
            "what is in {source} does not fit any more: {DoesNotOpen}"
        )))
    }
}
