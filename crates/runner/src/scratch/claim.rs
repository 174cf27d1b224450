//! Which directory is whose: a lock tells a runner that lives from one that is gone.

use rustix::{
    fs::{self, Dir, FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::{CStr, CString},
    fs::DirBuilder,
    io,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::DirBuilderExt},
    },
    path::{Path, PathBuf},
};

/// In each runner's directory, and beside them for the moment in which one is claimed.
const LOCK: &CStr = c"lock";

/// A runner's directory. Holds its lock.
pub(super) struct Claim {
    pub path: PathBuf,
    pub name: CString,
    pub directory: OwnedFd,
    /// The directory with the directories of all runners.
    pub root: OwnedFd,
    _lock: OwnedFd,
}

/// The directory of a runner that is gone. Holds its lock, if there was one, so that two runners
/// that start do not both remove it.
pub(super) struct Gone {
    pub name: CString,
    _lock: Option<OwnedFd>,
}

/// Makes a directory in `root` and finds those that nobody holds.
pub(super) fn take(root: &Path) -> io::Result<(Claim, Vec<Gone>)> {
    DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    let root_directory = open_directory(root)?;
    // Between its making and its locking a directory looks like that of a runner that is gone.
    let door = fs::openat(&root_directory, LOCK, lock_flags() | OFlags::CREATE, read_write())?;
    fs::flock(&door, FlockOperation::LockExclusive)?;
    let gone = gone(&root_directory)?;
    let made = tempfile::Builder::new().prefix("").rand_bytes(8).tempdir_in(root)?.keep();
    let directory = open_directory(&made)?;
    let lock = fs::openat(&directory, LOCK, lock_flags() | OFlags::CREATE, read_write())?;
    fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    let name = made.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    let name = CString::new(name)?;
    Ok((Claim { path: made, name, directory, root: root_directory, _lock: lock }, gone))
}

fn gone(root: &OwnedFd) -> Result<Vec<Gone>, Errno> {
    let mut found = Vec::new();
    for entry in Dir::read_from(root)? {
        let entry = entry?;
        let name = entry.file_name().to_owned();
        if matches!(name.to_bytes(), b"." | b"..") || name.as_c_str() == LOCK {
            continue;
        }
        match lock_of(root, &name) {
            Ok(Some(lock)) => found.push(Gone { name, _lock: Some(lock) }),
            Ok(None) => {}
            // Half removed, or never a runner's.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                found.push(Gone { name, _lock: None });
            }
            Err(error) => {
                tracing::warn!(?name, %error, "whose scratch directory this is cannot be told");
            }
        }
    }
    Ok(found)
}

/// Takes the lock of the runner's directory `name`; `None` if somebody has it.
fn lock_of(root: &OwnedFd, name: &CStr) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = fs::openat(root, name, flags, Mode::empty())?;
    let lock = fs::openat(&directory, LOCK, lock_flags(), Mode::empty())?;
    match fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(lock)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error),
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Never waits, whatever a workflow has put there.
fn lock_flags() -> OFlags {
    OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC
}

fn read_write() -> Mode {
    Mode::RUSR | Mode::WUSR
}
