//! Takes away a directory with everything in it, whatever a workflow has made of it.
//!
//! Links are never followed. Directories are not descended into: one that is not empty is moved up
//! beside the one to remove and waits for its turn, so neither the depth of the tree nor the length
//! of a path in it costs stack, descriptors or a second look.

use rustix::{
    fs::{self, AtFlags, Dir, Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::{CStr, CString},
    fs::Permissions,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
};

/// How often a directory is emptied. Only a process that escaped from its run can still fill it.
const ROUNDS: usize = 10;

/// Removes `name` from `parent`. What is not there any more is no error; after one, the rest is
/// removed all the same.
pub(super) fn remove(parent: impl AsFd, name: &CStr) -> Result<(), Errno> {
    let mut removal = Removal {
        parent: parent.as_fd(),
        prefix: name,
        moved: 0,
        waiting: vec![name.to_owned()],
        wrong: None,
    };
    while let Some(name) = removal.waiting.pop() {
        if let Err(error) = removal.remove_one(&name) {
            removal.wrong.get_or_insert(error);
        }
    }
    removal.wrong.map_or(Ok(()), Err)
}

struct Removal<'a> {
    parent: BorrowedFd<'a>,
    prefix: &'a CStr,
    moved: u64,
    /// Names in `parent`.
    waiting: Vec<CString>,
    /// The first error.
    wrong: Option<Errno>,
}

impl Removal<'_> {
    fn remove_one(&mut self, name: &CStr) -> Result<(), Errno> {
        for _ in 0..ROUNDS {
            if take_away(self.parent, name)? {
                return Ok(());
            }
            match self.empty(name) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error),
            }
        }
        if take_away(self.parent, name)? { Ok(()) } else { Err(Errno::NOTEMPTY) }
    }

    fn empty(&mut self, name: &CStr) -> Result<(), Errno> {
        let permitted = permit(self.parent, name)?;
        let directory = fs::openat(
            &permitted,
            c".",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let gone = match take_away(directory.as_fd(), name) {
                Ok(false) => self.move_up(directory.as_fd(), name),
                done => done.map(drop),
            };
            if let Err(error) = gone
                && error != Errno::NOENT
            {
                self.wrong.get_or_insert(error);
            }
        }
        Ok(())
    }

    fn move_up(&mut self, from: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        // Moving a directory changes its `..`.
        permit(from, name)?;
        loop {
            self.moved += 1;
            let mut aside = self.prefix.to_bytes().to_vec();
            aside.extend(format!(".{}", self.moved).bytes());
            let aside = CString::new(aside).map_err(|_| Errno::INVAL)?;
            match fs::renameat(from, name, self.parent, &aside) {
                // Left by a removal that was killed.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.waiting.push(aside);
                    return Ok(());
                }
            }
        }
    }
}

/// Removes a file, link or empty directory; `false` if it is a directory that is not empty.
fn take_away(directory: BorrowedFd<'_>, name: &CStr) -> Result<bool, Errno> {
    match fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    match fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives us every right to a directory, which is not a link.
fn permit(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = fs::openat(parent, name, flags, Mode::empty())?;
    // A descriptor that needs no permission to be opened cannot change them but by this name.
    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
    std::fs::set_permissions(path, Permissions::from_mode(0o700))
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(directory)
}
