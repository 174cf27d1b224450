//! The walls around every run: a cell of namespaces and a user that one run at a time lives in, and
//! rules for files and system calls that it can never lift.
//!
//! `keeper` starts the small program that makes namespaces → `cells` keeps them and lends one to a run as
//! a `seat`, with a user (`users`), a control group (`groups`) and a scratch directory → `files` makes
//! the run's ruleset, `calls` the filter that all runs share → the zygote forks, and the child raises the
//! walls around itself (`python/src/bifrost_runtime/walls.py`). `probe` attacks each wall and tells
//! the `posture`. What installs packages is no run and has walls of its own (`installer`).

mod calls;
mod cells;
mod files;
mod groups;
mod installer;
mod keeper;
mod options;
mod posture;
mod probe;
mod seat;
mod settings;
mod visible;

pub(crate) use installer::Places;
pub use options::{NoUsers, SandboxOptions, UserRange};
pub use posture::{Posture, Wall};
pub use probe::NoProbe;
pub(crate) use seat::{Pass, Room, Seat};
pub(crate) use settings::ZygoteWalls;

use crate::scratch::Scratches;
use cells::Cells;
use keeper::Keeper;
use std::{io, path::PathBuf, sync::Arc};

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum NoSandbox {
    /// The program that makes cells does not do it.
    #[error(
        "no place for runs can be made: {0}; check the configured Python and the data directory"
    )]
    Keeper(io::Error),
}

/// What namespaces are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Means {
    /// The rights of root.
    Root,
    /// A user namespace of an ordinary user.
    User,
    /// Nothing: there are none.
    None,
}

/// What a sandbox is built of.
pub(crate) struct Site {
    /// The interpreter.
    pub python: PathBuf,
    /// The directory with the Python side.
    pub runtime: PathBuf,
    /// The directories with packages, of which a run may read its own.
    pub packages: PathBuf,
    pub scratches: Scratches,
}

/// The walls of one runner. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    cells: Arc<Cells>,
    walls: ZygoteWalls,
    files: files::Files,
    installer: installer::Installer,
    site: Site,
    means: Means,
    /// Why the means are no better.
    why: String,
}

impl Sandbox {
    /// Looks what this machine has, and makes ready what all runs share.
    pub(crate) async fn open(options: SandboxOptions, site: Site) -> Result<Self, NoSandbox> {
        let visible = visible::paths(&site).await.map_err(NoSandbox::Keeper)?;
        let root = site.scratches.directory_for_roots().map_err(NoSandbox::Keeper)?;
        let files = files::Files::new(&visible, &site.packages, &options);
        let (keeper, found) =
            Keeper::start(&site, &options, &visible, &root).await.map_err(NoSandbox::Keeper)?;
        let walls = ZygoteWalls::new(&found, &options);
        let installer = installer::Installer::new(&site, &found, &options);
        let (means, why) = (found.means, found.why.clone());
        if means != Means::Root {
            tracing::info!(?means, why, "the walls around runs are not made by root");
        }
        let cells = Arc::new(Cells::new(keeper, means, options));
        Ok(Self { inner: Arc::new(Inner { cells, walls, files, installer, site, means, why }) })
    }

    #[cfg(test)]
    pub(crate) async fn for_test(data: &std::path::Path) -> Self {
        let site = Site {
            python: crate::Python::find(None).await.unwrap().executable,
            runtime: crate::runtime_files::lay_out(data).unwrap(),
            packages: data.to_owned(),
            scratches: Scratches::open(data).unwrap(),
        };
        Self::open(SandboxOptions::default(), site).await.unwrap()
    }

    /// What zygotes are started with.
    pub(crate) fn walls(&self) -> &ZygoteWalls {
        &self.inner.walls
    }

    /// A command behind the walls of installations: append the program and its arguments.
    pub(crate) fn installer(&self, places: &Places<'_>) -> io::Result<tokio::process::Command> {
        self.inner.installer.command(&self.inner.files, places)
    }

    /// A place for one run: an empty cell and a scratch directory in it.
    pub(crate) async fn seat(&self, room: Room) -> io::Result<Seat> {
        let cell = self.inner.cells.take(&self.inner.site.scratches).await?;
        Seat::new(cell, &self.inner.site.scratches, room)
    }

    /// What a child has to be given to live in a seat, with these packages.
    pub(crate) fn pass<'a>(
        &self,
        seat: &'a Seat,
        packages: Option<&std::path::Path>,
    ) -> io::Result<Pass<'a>> {
        let ruleset = self.inner.files.ruleset(seat.files(), packages)?;
        seat.pass(ruleset).ok_or_else(|| io::Error::other("the cell is gone"))
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("means", &self.inner.means).finish_non_exhaustive()
    }
}
