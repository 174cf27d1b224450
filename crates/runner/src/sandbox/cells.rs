//! The cells of a runner: made when all are taken, used by one run at a time, taken back only if empty.

use super::{
    Means, SandboxOptions,
    groups::{Group, Groups},
    keeper::{Keeper, Made},
};
use crate::scratch::{Scratches, Within};
use std::{
    io,
    net::TcpListener,
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// All cells.
pub(super) struct Cells {
    keeper: Arc<Keeper>,
    groups: Groups,
    means: Means,
    options: SandboxOptions,
    free: Mutex<Vec<Cell>>,
    next: AtomicU32,
}

/// One cell.
pub(crate) struct Cell {
    pub(super) user: Option<u32>,
    pub(super) listener: TcpListener,
    pub(super) port: u16,
    /// Whether that port is in a network namespace of the cell.
    pub(super) has_network: bool,
    pub(super) namespaces: Vec<OwnedFd>,
    /// After the namespaces: an empty group can be removed when nobody lives in it any more.
    pub(super) group: Option<Group>,
    pub(super) within: Within,
}

/// A cell that somebody has. It comes back when this is dropped, if it was said to be empty.
pub(crate) struct Taken {
    cell: Option<Cell>,
    cells: Arc<Cells>,
    is_empty: bool,
}

impl Cells {
    pub(super) fn new(keeper: Keeper, means: Means, options: SandboxOptions) -> Self {
        let groups = if options.has("groups") { Groups::find() } else { Groups::none() };
        let (free, next) = (Mutex::default(), AtomicU32::new(0));
        Self { keeper: Arc::new(keeper), groups, means, options, free, next }
    }

    /// What bounds the memory and processes of a run as a whole.
    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// An empty cell for one run.
    pub(super) async fn take(self: &Arc<Self>, scratches: &Scratches) -> io::Result<Taken> {
        let free = self.free().pop();
        let cell = match free {
            Some(cell) => cell,
            None => self.make(scratches).await?,
        };
        Ok(Taken { cell: Some(cell), cells: self.clone(), is_empty: false })
    }

    async fn make(self: &Arc<Self>, scratches: &Scratches) -> io::Result<Cell> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let is_root = self.means == Means::Root && self.options.has("users");
        let user = is_root.then(|| self.options.users.user(number));
        let within = scratches.within(number, user)?;
        let path = within.path().to_owned();
        let keeper = self.keeper.clone();
        let made = tokio::task::spawn_blocking(move || keeper.make(&path));
        let Made { listener, port, namespaces } = made.await.map_err(io::Error::other)??;
        let group = self.groups.make(number)?;
        let has_network = self.means != Means::None && self.options.has("network");
        Ok(Cell { user, listener, port, has_network, namespaces, group, within })
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Cell>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    pub(super) fn cell(&self) -> Option<&Cell> {
        self.cell.as_ref()
    }

    pub(super) fn cell_mut(&mut self) -> Option<&mut Cell> {
        self.cell.as_mut()
    }

    /// Says that nothing of the run is left: its process was reaped, and its proxy is closed.
    pub(super) fn is_empty(&mut self) {
        self.is_empty = true;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        let is_alone = cell.group.as_ref().is_none_or(Group::is_empty);
        if self.is_empty && is_alone {
            self.cells.free().push(cell);
        } else if let Some(group) = &cell.group {
            // What is left of it dies; the namespaces go with the last process.
            group.kill();
        }
    }
}
