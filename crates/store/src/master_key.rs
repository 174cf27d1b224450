//! The master key: where it is found, how the first one is made, and what its file must look like.

use crate::sealing::{KEY_BYTES, Key};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The key that wraps the data keys of all organizations. Never shown, gone from memory with it.
#[derive(Clone, Debug)]
pub struct MasterKey(pub(crate) Key);

/// Where the master key is.
#[derive(Clone, Debug)]
pub enum MasterKeySource {
    /// `master.key` in the data directory, made at the first start.
    DataDirectory(PathBuf),
    /// A file that somebody else keeps, from `BIFROST_MASTER_KEY_FILE`.
    File(PathBuf),
    /// The text of `BIFROST_MASTER_KEY`.
    Variable(SecretString),
}

/// Why a master key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or made.
    #[error("`{path}`: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not 32 bytes in base64.
    #[error(
        "{0} is not a master key: it must be 32 random bytes in base64, as `openssl rand -base64 \
         32` prints them"
    )]
    Malformed(String),
    /// Somebody besides the owner could read it.
    #[error("`{path}` can be read by others: chmod 600 it", path = .0.display())]
    Exposed(PathBuf),
    /// The machine has no randomness to give.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// Another rotation holds the lock.
    #[error("the master key is being rotated by another process; wait for it")]
    Busy,
}

impl MasterKey {
    /// A fresh one.
    pub fn random() -> Result<Self, MasterKeyError> {
        Ok(Self(Key::random()?))
    }

    /// Reads a key's file.
    pub fn read(path: &Path) -> Result<Self, MasterKeyError> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        read(path)?.ok_or_else(|| at(path)(missing()))
    }

    fn parse(text: &str, place: impl FnOnce() -> String) -> Result<Self, MasterKeyError> {
        let bytes = BASE64_STANDARD.decode(text.trim()).map(Zeroizing::new);
        let key = bytes.ok().and_then(|bytes| Key::from_slice(&bytes));
        key.map(Self).ok_or_else(|| MasterKeyError::Malformed(place()))
    }

    /// The line that its file holds.
    pub(crate) fn line(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(BASE64_STANDARD.encode(self.0.bytes()));
        Zeroizing::new(format!("{}\n", text.as_str()))
    }
}

impl MasterKeySource {
    /// The file it is in, unless it is in a variable.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::DataDirectory(directory) => Some(directory.join("master.key")),
            Self::File(path) => Some(path.clone()),
            Self::Variable(_) => None,
        }
    }

    /// The keys that are there: the present one, and the one a rotation is about to install.
    pub(crate) fn candidates(&self) -> Result<Vec<MasterKey>, MasterKeyError> {
        if let Self::Variable(text) = self {
            let key = MasterKey::parse(text.expose_secret(), || self.to_string())?;
            return Ok(vec![key]);
        }
        let Some(path) = self.path() else { return Ok(Vec::new()) };
        Ok(read(&path)?.into_iter().chain(read(&beside(&path, "next"))?).collect())
    }

    /// Makes the first key, where it is for us to make. Another process may have been faster.
    pub(crate) fn make(&self) -> Result<(), MasterKeyError> {
        match self {
            Self::DataDirectory(directory) => {
                let key = MasterKey::random()?;
                write_new(&directory.join("master.key"), &key)
            }
            Self::File(_) | Self::Variable(_) => Ok(()),
        }
    }
}

impl std::fmt::Display for MasterKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self, self.path()) {
            (Self::File(_), Some(path)) => {
                write!(f, "`{}` (BIFROST_MASTER_KEY_FILE)", path.display())
            }
            (_, Some(path)) => write!(f, "`{}`", path.display()),
            (_, None) => f.write_str("the variable BIFROST_MASTER_KEY"),
        }
    }
}

/// `master.key.next` of `master.key`.
pub(crate) fn beside(path: &Path, word: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(word);
    PathBuf::from(name)
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> MasterKeyError {
    let path = path.to_owned();
    move |source| MasterKeyError::File { path, source }
}

/// The key in a file; `None` if there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<MasterKey>, MasterKeyError> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(at(path))?,
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(MasterKeyError::Exposed(path.to_owned()));
    }
    let malformed = || format!("`{}`", path.display());
    // Whatever this is, a key's line is shorter.
    if metadata.len() > 4 * KEY_BYTES as u64 {
        return Err(MasterKeyError::Malformed(malformed()));
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(at(path))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| MasterKeyError::Malformed(malformed()))?;
    MasterKey::parse(text, malformed).map(Some)
}

/// Writes a key aside and links it into place: whole or not at all, and never over another.
pub(crate) fn write_new(path: &Path, key: &MasterKey) -> Result<(), MasterKeyError> {
    let aside = beside(path, &format!("{}.new", uuid::Uuid::now_v7()));
    let written = write_private(&aside, &key.line()).map_err(at(&aside));
    let linked = written.and_then(|()| match fs::hard_link(&aside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.map_err(at(path)),
    });
    let removed = fs::remove_file(&aside).map_err(at(&aside));
    linked.and(removed)?;
    sync_directory(path)
}

/// Makes names that were added to or taken from the directory of `path` outlive a power cut.
pub(crate) fn sync_directory(path: &Path) -> Result<(), MasterKeyError> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(at(directory))
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_is_made_once_private_and_read_again() {
        let data = tempfile::tempdir().unwrap();
        let source = MasterKeySource::DataDirectory(data.path().to_owned());
        assert!(source.candidates().unwrap().is_empty());
        source.make().unwrap();
        source.make().unwrap();
        let path = data.path().join("master.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1, "nothing is left aside");
        let [key] = source.candidates().unwrap().try_into().unwrap();
        assert_eq!(key.line().as_str(), fs::read_to_string(&path).unwrap());
        assert_eq!(format!("{key:?}"), "MasterKey(Key(…))");
    }

    #[test]
    fn keys_that_others_can_read_or_that_are_none_are_refused() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("some.key");
        let source = MasterKeySource::File(path.clone());
        source.make().unwrap();
        assert!(!path.exists(), "somebody else keeps it");
        write_new(&path, &MasterKey::random().unwrap()).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(source.candidates(), Err(MasterKeyError::Exposed(_))), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let long = "A".repeat(1000);
        for text in ["", "nonsense!", "c2hvcnQ=", &long] {
            fs::write(&path, text).unwrap();
            let refused = source.candidates().unwrap_err();
            assert!(matches!(refused, MasterKeyError::Malformed(_)), "{text}");
            let told = refused.to_string();
            assert!(text.is_empty() || !told.contains(text), "{told}");
        }
        let variable = MasterKeySource::Variable("not a key".into());
        let told = variable.candidates().unwrap_err().to_string();
        assert!(told.contains("BIFROST_MASTER_KEY") && !told.contains("not a key"), "{told}");
        assert!(!format!("{variable:?}").contains("not a key"));
    }
}
