//! The directory each run may write to: made before its process, gone after it.
//!
//! `<data directory>/scratch/<runner>/<run>`. A runner holds a lock on `lock` in its directory for
//! as long as its process lives, so that the next one knows which directories nobody needs.

mod claim;
mod removal;
#[cfg(test)]
mod tests;

use claim::Claim;
use rustix::{fs::Mode, io::Errno};
use std::{
    ffi::CString,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

/// Makes the directories of one runner. When it and all of them are dropped, so is the runner's.
pub(crate) struct Scratches {
    directory: PathBuf,
    next: AtomicU64,
    /// A thread of its own, because a workflow decides how long removing takes. One for all runs,
    /// so that those who leave much behind wait for each other and not the others for them.
    remover: Sender<CString>,
}

/// The directory of one run, removed with everything in it when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: String,
    name: String,
    remover: Sender<CString>,
}

/// The directory of a cell, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Within {
    path: String,
    name: String,
    owner: Option<u32>,
    remover: Sender<CString>,
}

impl Scratches {
    /// Claims a directory under `data` and begins to remove those of runners that are gone.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let (claim, gone) = claim::take(&std::path::absolute(data)?.join("scratch"))?;
        // A frame is JSON and has to name it.
        if claim.path.to_str().is_none() {
            let text = "the path is not UTF-8";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let directory = claim.path.clone();
        let (remover, orders) = mpsc::channel();
        thread::Builder::new()
            .name("scratch".to_owned())
            .spawn(move || remove_all(claim, gone, orders))?;
        Ok(Self { directory, next: AtomicU64::new(1), remover })
    }

    /// A new, empty directory that only its owner may enter; with `within` it is of that cell.
    pub(crate) fn make(&self, within: Option<&Within>) -> io::Result<Scratch> {
        // Short: a Unix socket in it must fit into 107 bytes.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = within.map_or(number.to_string(), |within| format!("{}/{number}", within.name));
        let path = format!("{}/{name}", self.directory.display());
        rustix::fs::mkdir(&path, Mode::RWXU)?;
        let scratch = Scratch { path, name, remover: self.remover.clone() };
        if let Some(owner) = within.and_then(|within| within.owner) {
            std::os::unix::fs::lchown(&scratch.path, Some(owner), Some(owner))?;
        }
        Ok(scratch)
    }

    /// A directory for the scratch directories of a cell, whose runs are this user.
    pub(crate) fn within(&self, cell: u32, owner: Option<u32>) -> io::Result<Within> {
        let name = format!("c{cell}");
        let path = self.public(&name)?;
        Ok(Within { path, name, owner, remover: self.remover.clone() })
    }

    /// An empty directory on which the roots of cells are put together.
    pub(crate) fn directory_for_roots(&self) -> io::Result<PathBuf> {
        Ok(PathBuf::from(self.public("root")?))
    }

    fn public(&self, name: &str) -> io::Result<String> {
        let path = format!("{}/{name}", self.directory.display());
        rustix::fs::mkdir(&path, Mode::RWXU)?;
        // Whatever the mask of the server is.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }
}

impl Scratch {
    /// Absolute.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

impl Within {
    /// Absolute.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove_soon(&self.path, &self.name, &self.remover);
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        remove_soon(&self.path, &self.name, &self.remover);
    }
}

fn remove_soon(path: &str, name: &str, remover: &Sender<CString>) {
    // Nearly every run leaves it empty.
    if let Err(error) = rustix::fs::rmdir(path)
        && error != Errno::NOENT
        && let Ok(name) = CString::new(name)
    {
        // Without the thread the process is about to end; the next runner removes it.
        let _ending = remover.send(name);
    }
}

/// Removes what it is told until nobody can tell it any more, and then the runner's directory.
fn remove_all(claim: Claim, gone: Vec<claim::Gone>, orders: Receiver<CString>) {
    for gone in gone {
        complain(&gone.name, removal::remove(&claim.root, &gone.name));
    }
    for name in orders {
        complain(&name, removal::remove(&claim.directory, &name));
    }
    complain(&claim.name, removal::remove(&claim.root, &claim.name));
}

fn complain(name: &CString, removed: Result<(), Errno>) {
    if let Err(error) = removed {
        tracing::warn!(?name, %error, "a scratch directory could not be removed");
    }
}
