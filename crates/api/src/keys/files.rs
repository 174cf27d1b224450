//! The directory of the keys: what is in it, since when, and changes to it that are whole.

use super::{KeysError, pem, set::Key, set::KeySet};
use domain::Timestamp;
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// `signing-keys` under the data directory.
pub(super) struct Directory(PathBuf);

/// What is in the directory: equal only if nothing changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen(Vec<Entry>);

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    path: PathBuf,
    size: u64,
    /// When the file came to be here, or was last changed: no copy or restore keeps this time.
    changed: (i64, i64),
}

impl Seen {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Entry {
    fn since(&self) -> Timestamp {
        let (seconds, nanoseconds) = self.changed;
        Timestamp(seconds.saturating_mul(1_000_000).saturating_add(nanoseconds / 1000))
    }
}

impl Directory {
    /// Makes it if it is not there, for the owner only.
    pub fn open(data: &Path) -> Result<Self, KeysError> {
        let directory = data.join("signing-keys");
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(at(&directory))?;
        Ok(Self(directory))
    }

    /// What is in it, in order of name.
    pub fn seen(&self) -> Result<Seen, KeysError> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(at(&self.0))? {
            let path = entry.map_err(at(&self.0))?.path();
            if path.extension().is_none_or(|extension| extension != "pem") {
                continue;
            }
            let about = match fs::metadata(&path) {
                // Retired between the two looks.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                about => about.map_err(at(&path))?,
            };
            let changed = (about.ctime(), about.ctime_nsec());
            entries.push(Entry { path, size: about.len(), changed });
        }
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Seen(entries))
    }

    /// All keys, as they stand at `now`.
    pub fn load(&self, now: Timestamp) -> Result<KeySet, KeysError> {
        let mut keys = Vec::new();
        for entry in self.seen()?.0 {
            let material = match read(&entry.path) {
                Err(error) if is_gone(&error) => continue,
                material => material?,
            };
            let since = entry.since();
            keys.push(Key::new(material, entry.path, since));
        }
        Ok(KeySet::new(keys, now))
    }

    /// The highest number in use.
    pub fn last_number(&self) -> Result<u32, KeysError> {
        let number = |entry: &Entry| entry.path.file_stem()?.to_str()?.parse().ok();
        Ok(self.seen()?.0.iter().filter_map(number).max().unwrap_or(0))
    }

    /// Writes a new key aside and links it into place: whole or not at all, and never over
    /// another. Whether the number was free.
    pub fn create(&self, number: u32) -> Result<bool, KeysError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(KeysError::Randomness)?;
        let aside = self.0.join(format!("{number:04}.{}.new", uuid::Uuid::new_v4()));
        let path = self.0.join(format!("{number:04}.pem"));
        write_private(&aside, &pem::write(&seed)).map_err(at(&aside))?;
        let linked = fs::hard_link(&aside, &path);
        fs::remove_file(&aside).map_err(at(&aside))?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            linked => linked.map(|()| true).map_err(at(&path)),
        }
    }

    /// Removes a key's file; one that is gone already is fine.
    pub fn remove(&self, path: &Path) -> Result<(), KeysError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(at(path)),
        }
    }
}

fn read(path: &Path) -> Result<pem::Material, KeysError> {
    if fs::metadata(path).map_err(at(path))?.mode() & 0o077 != 0 {
        return Err(KeysError::Exposed(path.to_owned()));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(at(path))?);
    pem::read(&text).ok_or_else(|| KeysError::Malformed(path.to_owned()))
}

fn is_gone(error: &KeysError) -> bool {
    matches!(error, KeysError::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeysError {
    let path = path.to_owned();
    move |source| KeysError::File { path, source }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
