//! The place of one run: a cell with a scratch directory and limits, and what its child is given.

use super::{
    cells::{Cell, Taken},
    files::OfRun,
};
use crate::scratch::{Scratch, Scratches};
use serde_json::{Value, json};
use std::{
    io,
    net::TcpListener,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

/// What a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub memory_mb: u32,
    pub processes: u32,
}

/// Held by whoever talks with the run and until its process is reaped.
pub(crate) struct Seat {
    /// Removed before the cell is somebody else's.
    scratch: Scratch,
    taken: Taken,
    /// How often the kernel had killed for want of memory here before.
    killed_before: u64,
    /// Both have to be true before the cell is lent again.
    is_reaped: AtomicBool,
    is_over: AtomicBool,
}

/// What a child is given to live in a seat.
pub(crate) struct Pass<'a> {
    cell: &'a Cell,
    ruleset: Option<OwnedFd>,
}

impl Seat {
    pub(super) fn new(mut taken: Taken, scratches: &Scratches, room: Room) -> io::Result<Self> {
        let cell = taken.cell_mut().ok_or_else(|| io::Error::other("the cell is gone"))?;
        let scratch = scratches.make(Some(&cell.within))?;
        let mut killed_before = 0;
        if let Some(group) = &mut cell.group {
            group.limit(room)?;
            killed_before = group.killed();
        }
        let (is_reaped, is_over) = Default::default();
        Ok(Self { scratch, taken, killed_before, is_reaped, is_over })
    }

    /// Where the run may write, an absolute path.
    pub(crate) fn scratch(&self) -> &str {
        self.scratch.path()
    }

    /// Where the run connects to reach the network.
    pub(crate) fn network(&self) -> io::Result<Option<TcpListener>> {
        self.taken.cell().map(|cell| cell.listener.try_clone()).transpose()
    }

    /// Whether the kernel has killed a process of this run for want of memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let group = self.taken.cell().and_then(|cell| cell.group.as_ref());
        group.is_some_and(|group| group.killed() > self.killed_before)
    }

    /// Its process was reaped, and with it everything it had started.
    pub(crate) fn reaped(&self) {
        self.is_reaped.store(true, Ordering::Release);
    }

    /// Nobody of the supervisor serves it any more.
    pub(crate) fn over(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    pub(super) fn files(&self) -> OfRun<'_> {
        let cell = self.taken.cell();
        let only_port = cell.filter(|cell| !cell.has_network).map(|cell| cell.port);
        OfRun { scratch: self.scratch(), only_port }
    }

    pub(super) fn pass(&self, ruleset: Option<OwnedFd>) -> Option<Pass<'_>> {
        Some(Pass { cell: self.taken.cell()?, ruleset })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if *self.is_reaped.get_mut() && *self.is_over.get_mut() {
            self.taken.is_empty();
        }
    }
}

impl Pass<'_> {
    /// What the zygote is told.
    pub(crate) fn packet(&self) -> Value {
        json!({
            "uid": self.cell.user,
            "groups": self.cell.group.as_ref().map_or(0, |group| group.joins().count()),
            "namespaces": self.cell.namespaces.len(),
            "ruled": self.ruleset.is_some(),
            "proxy": self.cell.port,
        })
    }

    /// In the order the child takes them.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let groups = self.cell.group.iter().flat_map(|group| group.joins());
        let namespaces = self.cell.namespaces.iter().map(AsFd::as_fd);
        groups.chain(namespaces).chain(self.ruleset.iter().map(AsFd::as_fd))
    }
}
