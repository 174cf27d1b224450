//! The Ed25519 keys that sign access tokens: files in the data directory that every process on it
//! watches, so that a key can be added and another one retired while all of them run.

mod files;
mod pem;
mod set;

#[cfg(test)]
mod tests;

pub use set::{Key, KeySet};

use crate::tokens::LIFETIME_SECONDS;
use domain::Timestamp;
use files::{Directory, Seen};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How old what a process knows of the directory may be.
const LOOK: Duration = Duration::from_millis(500);
/// How soon an unknown key id makes it look again.
const LOOK_FOR_UNKNOWN: Duration = Duration::from_millis(50);
/// How long a new key only verifies, so that every process knows it before a token needs it.
pub const OVERLAP: Duration = Duration::from_secs(5);
/// How long a key goes on verifying once its successor signs, when keys are retired by age.
const RETIRE_AFTER: Duration = Duration::from_secs(2 * LIFETIME_SECONDS);

/// The keys of this installation.
///
/// They are `signing-keys/NNNN.pem` (PKCS#8) under the data directory. The last in order of name
/// that has been there for [`OVERLAP`] signs; every one verifies.
pub struct SigningKeys {
    directory: Directory,
    known: Mutex<Known>,
}

struct Known {
    set: Arc<KeySet>,
    seen: Seen,
    looked: Instant,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The directory or a file cannot be read or made.
    #[error("`{path}`: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a PKCS#8 Ed25519 key.
    #[error("`{path}` is not an Ed25519 private key in PEM", path = .0.display())]
    Malformed(PathBuf),
    /// Somebody besides the owner could read it.
    #[error("`{path}` can be read by others: chmod 600 it", path = .0.display())]
    Exposed(PathBuf),
    /// The machine has no randomness to give.
    #[error("no randomness: {0}")]
    Randomness(getrandom::Error),
    /// No key has this id.
    #[error("there is no signing key `{0}`")]
    Unknown(String),
    /// It is the one that signs.
    #[error("`{0}` is the key that signs: rotate first, then retire it when the new one signs")]
    Signs(String),
}

impl SigningKeys {
    /// Reads the keys under the data directory `data`, and makes the first one if there is none.
    pub fn load_or_create(data: &Path) -> Result<Self, KeysError> {
        let directory = Directory::open(data)?;
        if directory.seen()?.is_empty() {
            directory.create(1)?;
        }
        let seen = directory.seen()?;
        let set = Arc::new(directory.load(system_now())?);
        let known = Mutex::new(Known { set, seen, looked: Instant::now() });
        Ok(Self { directory, known })
    }

    /// Adds a key that signs [`OVERLAP`] from now on; its id. Running servers find it themselves.
    pub fn rotate(data: &Path) -> Result<String, KeysError> {
        let keys = Self::load_or_create(data)?;
        let mut number = keys.directory.last_number()? + 1;
        while !keys.directory.create(number)? {
            number += 1;
        }
        let set = keys.directory.load(system_now())?;
        Ok(set.newest().map(|key| key.id().to_owned()).unwrap_or_default())
    }

    /// Removes the key `id`, or all that have not signed for twice the life of a token; the ids of
    /// what was removed. Tokens of a removed key are void at once.
    pub fn retire(data: &Path, id: Option<&str>) -> Result<Vec<String>, KeysError> {
        let directory = Directory::open(data)?;
        let now = system_now();
        let set = directory.load(now)?;
        let retired: Vec<&Key> = match id {
            Some(id) => vec![set.retirable(id)?],
            None => set.out_of_use(now),
        };
        for key in &retired {
            directory.remove(key.path())?;
        }
        Ok(retired.iter().map(|key| key.id().to_owned()).collect())
    }

    /// The keys as they are now, or were half a second ago.
    pub fn current(&self) -> Arc<KeySet> {
        self.looked_within(LOOK)
    }

    /// The keys, looked up again when `id` is none of them: another process may have rotated.
    pub(crate) fn with(&self, id: &str) -> Arc<KeySet> {
        let set = self.current();
        if set.verifying(id).is_some() { set } else { self.looked_within(LOOK_FOR_UNKNOWN) }
    }

    fn looked_within(&self, age: Duration) -> Arc<KeySet> {
        let mut known = self.known();
        if known.looked.elapsed() >= age {
            known.looked = Instant::now();
            if let Err(error) = self.look(&mut known) {
                tracing::error!(%error, "signing keys could not be read again; using those known");
            }
        }
        known.set.clone()
    }

    fn look(&self, known: &mut Known) -> Result<(), KeysError> {
        let seen = self.directory.seen()?;
        let now = system_now();
        if seen == known.seen {
            if known.set.is_due(now) {
                known.set = Arc::new(known.set.at(now));
            }
            return Ok(());
        }
        // Also when it cannot be read: what is wrong is told once, not twice a second.
        known.seen = seen;
        let set = self.directory.load(now)?;
        // Without any key nobody could sign in; whoever emptied the directory puts one back.
        if set.newest().is_some() {
            known.set = Arc::new(set);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.known().set.fmt(f)
    }
}

/// The times of files are the system's own, so keys are compared with that clock and no other.
fn system_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(0).after(since)
}
