//! What runs could leave behind on the machine, counted before and afterwards.

use crate::stage::mark;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use testkit::Server;

/// What belongs to a server at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traces {
    /// Its processes, itself included.
    processes: usize,
    /// Its open descriptors.
    descriptors: usize,
    /// Network namespaces that it or its processes are in or hold open.
    networks: usize,
    /// What it sees mounted.
    mounts: usize,
    /// Control groups that it made.
    groups: usize,
    /// Files and directories where runs write.
    scratch: usize,
    /// Shared memory of System V, and names of POSIX, in the test's namespace.
    shared: usize,
}

impl Traces {
    /// Counts.
    pub fn of(server: &Server) -> Self {
        let pids = family(server.pid());
        let descriptors = listing(&format!("/proc/{}/fd", server.pid())).count();
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", server.pid())).unwrap();
        let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        Self {
            processes: pids.len(),
            descriptors,
            networks: networks(&pids).len(),
            mounts: mounts.lines().count(),
            groups: groups(Path::new("/sys/fs/cgroup"), server.pid()),
            scratch: files(&server.data_dir().join("scratch")),
            shared: segments.lines().count() + listing("/dev/shm").count(),
        }
    }

    /// Fails unless, in the end, nothing is more than it was.
    pub async fn assert_nothing_is_left(&self, server: &Server) {
        let mut last = None;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(45);
        while std::time::Instant::now() < deadline {
            let now = Self::of(server);
            if marked() == 0 && now.fits(self) {
                return;
            }
            last = Some((now, marked()));
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("there was {self:?}; there is {last:?}, marked processes last");
    }

    fn fits(&self, before: &Self) -> bool {
        let pairs = [
            (self.processes, before.processes),
            (self.descriptors, before.descriptors),
            (self.networks, before.networks),
            (self.mounts, before.mounts),
            (self.groups, before.groups),
            (self.scratch, before.scratch),
            (self.shared, before.shared),
        ];
        pairs.iter().all(|(now, then)| now <= then)
    }
}

/// Living processes of this machine that have the mark as their name.
pub fn marked() -> usize {
    processes().filter(|(_, stat)| stat.name == mark() && stat.state != 'Z').count()
}

struct Stat {
    name: String,
    state: char,
    parent: u32,
}

fn processes() -> impl Iterator<Item = (u32, Stat)> {
    let pids = listing("/proc").filter_map(|path| path.file_name()?.to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        // It may have gone since.
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, tail) = text.rsplit_once(") ")?;
        let mut fields = tail.split(' ');
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        Some((pid, Stat { name: head.split_once('(')?.1.to_owned(), state, parent }))
    })
}

/// A process and all below it.
fn family(root: u32) -> BTreeSet<u32> {
    let parents: BTreeMap<u32, u32> = processes().map(|(pid, stat)| (pid, stat.parent)).collect();
    let is_below = |mut pid: u32| loop {
        match parents.get(&pid) {
            _ if pid == root => return true,
            Some(&parent) if parent != 0 => pid = parent,
            _ => return false,
        }
    };
    parents.keys().copied().filter(|&pid| is_below(pid)).collect()
}

fn networks(pids: &BTreeSet<u32>) -> BTreeSet<PathBuf> {
    let own = pids.iter().map(|pid| PathBuf::from(format!("/proc/{pid}/ns/net")));
    let open = pids.iter().flat_map(|pid| listing(&format!("/proc/{pid}/fd")));
    let links = own.chain(open).filter_map(|path| fs::read_link(path).ok());
    links.filter(|link| link.to_string_lossy().starts_with("net:")).collect()
}

fn listing(directory: &str) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Those of other servers on this machine come and go meanwhile.
fn groups(root: &Path, server: u32) -> usize {
    let ours = format!("/bifrost-{server}-");
    let is_ours = |path: &Path| path.to_string_lossy().contains(&ours);
    let below = listing(&root.display().to_string());
    let below = below.filter(|path| path.is_dir() && !path.is_symlink());
    below.map(|path| usize::from(is_ours(&path)) + groups(&path, server)).sum()
}

fn files(root: &Path) -> usize {
    let below = listing(&root.display().to_string());
    below.map(|path| if path.is_dir() && !path.is_symlink() { 1 + files(&path) } else { 1 }).sum()
}
