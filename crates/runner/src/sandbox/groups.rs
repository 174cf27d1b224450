//! Control groups: what bounds the memory and the number of processes of a run as a whole.
//!
//! Version 2 where it is delegated; version 1 where that is what the machine has. Where there is
//! neither, limits of each process are all there is, and the posture says so.

use super::seat::Room;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    process,
};

/// On top of what a run may take: the interpreter's own pages that it changes.
const INTERPRETER: u64 = 64 << 20;
const OURS: &str = "bifrost-";

/// Where groups can be made.
pub(super) struct Groups {
    /// One directory of version 2, or up to two of version 1.
    bases: Vec<Base>,
    is_second: bool,
    /// Whether they bound memory: a machine may let us have groups for processes only.
    memory: bool,
}

/// A directory for the groups of one runner. It is locked for as long as the runner lives: that it
/// is in use can be seen from another process namespace too, where its process has another number.
struct Base {
    path: PathBuf,
    _lock: File,
}

/// The group of one cell.
pub(crate) struct Group {
    directories: Vec<PathBuf>,
    joins: Vec<File>,
    is_second: bool,
    /// What the last run could take: most can take the same, and each file costs a call or three.
    room: Option<Room>,
}

impl Groups {
    /// No groups.
    pub(super) fn none() -> Self {
        Self { bases: Vec::new(), is_second: false, memory: false }
    }

    /// Looks what the machine lets us have.
    pub(super) fn find() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        if let Some(base) = second(&own) {
            return Self { bases: vec![base], is_second: true, memory: true };
        }
        let (memory, processes) = (first(&own, "memory"), first(&own, "pids"));
        let bounds = memory.is_some();
        let bases = memory.into_iter().chain(processes).collect();
        Self { bases, is_second: false, memory: bounds }
    }

    /// What is bounded, for people.
    pub(super) fn describe(&self) -> String {
        match (self.is_second, self.bases.len()) {
            (true, _) => "a control group (version 2) and limits of each process".to_owned(),
            (_, 0) => "limits of each process only".to_owned(),
            _ if !self.memory => {
                "limits of each process, a control group for their number".to_owned()
            }
            _ => "control groups (version 1) and limits of each process".to_owned(),
        }
    }

    /// Whether the processes of a run are bounded in memory together.
    pub(super) fn bound_memory(&self) -> bool {
        self.memory
    }

    /// Whether there are any.
    pub(super) fn is_there(&self) -> bool {
        !self.bases.is_empty()
    }

    /// A group for the cell of this number.
    pub(super) fn make(&self, number: u32) -> io::Result<Option<Group>> {
        if !self.is_there() {
            return Ok(None);
        }
        let (directories, joins, is_second) = (Vec::new(), Vec::new(), self.is_second);
        let mut group = Group { directories, joins, is_second, room: None };
        for base in &self.bases {
            let directory = base.path.join(format!("cell-{number}"));
            fs::create_dir(&directory)?;
            group.directories.push(directory.clone());
            let join = OpenOptions::new().write(true).open(directory.join("cgroup.procs"))?;
            group.joins.push(join);
        }
        Ok(Some(group))
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for base in &self.bases {
            remove(&base.path);
        }
    }
}

impl Group {
    /// What a process writes `0` to in order to be in it.
    pub(super) fn joins(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.joins.iter().map(AsFd::as_fd)
    }

    /// Sets what the next run may take.
    pub(super) fn limit(&mut self, room: Room) -> io::Result<()> {
        if self.room == Some(room) {
            return Ok(());
        }
        // Half of it may be set when this fails.
        self.room = None;
        let memory = (u64::from(room.memory_mb) << 20) + INTERPRETER;
        let (most, none) = if self.is_second {
            ("memory.max", "memory.swap.max")
        } else {
            ("memory.limit_in_bytes", "memory.swappiness")
        };
        for directory in &self.directories {
            write_if_there(&directory.join(most), &memory.to_string())?;
            write_if_there(&directory.join(none), "0")?;
            write_if_there(&directory.join("memory.oom.group"), "1")?;
            write_if_there(&directory.join("pids.max"), &room.processes.to_string())?;
        }
        self.room = Some(room);
        Ok(())
    }

    /// How many processes the kernel has killed in it for want of memory.
    pub(super) fn killed(&self) -> u64 {
        let file = if self.is_second { "memory.events" } else { "memory.oom_control" };
        let texts = self.directories.iter().map(|each| fs::read_to_string(each.join(file)));
        let counts = texts.filter_map(|text| {
            let text = text.ok()?;
            text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok())
        });
        counts.sum::<u64>()
    }

    /// Whether nobody is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.directories.iter().all(|each| members(each).is_empty())
    }

    /// Kills everybody in it.
    pub(super) fn kill(&self) {
        for directory in &self.directories {
            if fs::write(directory.join("cgroup.kill"), "1").is_ok() {
                continue;
            }
            for pid in members(directory) {
                crate::process::kill(pid);
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in &self.directories {
            // One in which somebody dies just now is removed with its base, or by the next server.
            let _busy = fs::remove_dir(directory);
        }
    }
}

fn members(directory: &Path) -> Vec<i32> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn write_if_there(path: &Path, text: &str) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Our directory below our own group in a hierarchy of version 1.
fn first(own: &str, kind: &str) -> Option<Base> {
    let line = own.lines().find(|line| {
        line.split(':').nth(1).is_some_and(|kinds| kinds.split(',').any(|each| each == kind))
    })?;
    let path = line.splitn(3, ':').nth(2)?;
    let at = Path::new("/sys/fs/cgroup").join(kind).join(path.trim_start_matches('/'));
    base(&at)
}

/// Our directory below our own group in version 2. A group whose children are to be bounded has no
/// processes itself, so this one moves into a child.
fn second(own: &str) -> Option<Base> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut at = Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    if at.file_name().is_some_and(|name| name == SERVER) {
        at.pop();
    }
    let offered = fs::read_to_string(at.join("cgroup.controllers")).ok()?;
    let has = |kind| offered.split_whitespace().any(|each| each == kind);
    if !has("memory") || !has("pids") {
        return None;
    }
    let server = at.join(SERVER);
    if !server.is_dir() {
        fs::create_dir(&server).ok()?;
    }
    fs::write(server.join("cgroup.procs"), process::id().to_string()).ok()?;
    let enable = |at: &Path| fs::write(at.join("cgroup.subtree_control"), "+memory +pids").ok();
    enable(&at)?;
    let base = base(&at)?;
    enable(&base.path)?;
    Some(base)
}

const SERVER: &str = "bifrost-server";

/// A directory for the groups of this process; those of processes that are gone are removed.
fn base(at: &Path) -> Option<Base> {
    for entry in fs::read_dir(at).ok()?.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(OURS)?.split('-').next()?.parse::<u32>().ok());
        let is_gone = |pid| !Path::new(&format!("/proc/{pid}")).exists();
        if pid.is_some_and(is_gone) && lock(&entry.path()).is_some() {
            remove(&entry.path());
        }
    }
    // A process may have several runners.
    let made = tempfile::Builder::new().prefix(&format!("{OURS}{}-", process::id())).tempdir_in(at);
    let path = made.ok()?.keep();
    Some(Base { _lock: lock(&path)?, path })
}

/// Nothing if somebody else has it.
fn lock(directory: &Path) -> Option<File> {
    let file = File::open(directory).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}

fn remove(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            for pid in members(&entry.path()) {
                crate::process::kill(pid);
            }
            let _busy = fs::remove_dir(entry.path());
        }
    }
    if let Err(error) = fs::remove_dir(base) {
        tracing::debug!(?base, %error, "a control group stays until the next start");
    }
}
