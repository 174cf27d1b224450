//! What zygotes and their children take of the machine's memory, as the kernel counts it.

use std::sync::Once;

const ZYGOTES: &str = "bifrost_zygote_memory_bytes";
const CHILDREN: &str = "bifrost_child_memory_bytes";
const COUNT: &str = "bifrost_zygotes";

/// Bytes that a process shares with others, and those it has alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes {
    pub shared: u64,
    pub unique: u64,
}

/// The zygote of a pool and what it has forked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Processes {
    pub zygotes: Vec<i32>,
    pub children: Vec<i32>,
}

/// Sums over all processes of a kind. What is shared is counted for each that has it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub zygotes: Bytes,
    pub children: Bytes,
    pub count: usize,
}

impl Processes {
    /// All below the process that was started: the zygote it waits for, and what that has forked.
    pub(super) fn below(started: i32) -> Self {
        let inner = children_of(started);
        let children = inner.iter().flat_map(|zygote| children_of(*zygote)).collect();
        Self { zygotes: std::iter::once(started).chain(inner).collect(), children }
    }
}

fn children_of(pid: i32) -> Vec<i32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

impl Memory {
    /// Adds these processes. One that is gone takes nothing.
    pub(crate) fn add(&mut self, processes: Processes) {
        self.count += processes.zygotes.len();
        let both =
            [(&mut self.zygotes, processes.zygotes), (&mut self.children, processes.children)];
        for (sum, pids) in both {
            for bytes in pids.into_iter().filter_map(of) {
                sum.shared += bytes.shared;
                sum.unique += bytes.unique;
            }
        }
    }

    /// Shows the sums in `/metrics`.
    pub(crate) fn show(self) {
        static DESCRIBED: Once = Once::new();
        DESCRIBED.call_once(|| {
            metrics::describe_gauge!(ZYGOTES, "memory of the processes that fork executions");
            metrics::describe_gauge!(CHILDREN, "memory of the processes of executions");
            metrics::describe_gauge!(COUNT, "processes that fork executions");
        });
        for (name, Bytes { shared, unique }) in [(ZYGOTES, self.zygotes), (CHILDREN, self.children)]
        {
            for (kind, bytes) in [("shared", shared), ("unique", unique)] {
                // Far below the 2^53 that are exact.
                metrics::gauge!(name, "kind" => kind).set(bytes as f64);
            }
        }
        metrics::gauge!(COUNT).set(self.count as f64);
    }
}

fn of(pid: i32) -> Option<Bytes> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

fn parse(text: &str) -> Option<Bytes> {
    let kilobytes = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let sum = |clean, dirty| Some((kilobytes(clean)? + kilobytes(dirty)?) * 1024);
    Some(Bytes {
        shared: sum("Shared_Clean", "Shared_Dirty")?,
        unique: sum("Private_Clean", "Private_Dirty")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Bytes, of, parse};

    #[test]
    fn the_kernel_s_figures_are_read() {
        let text = "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss: 90 kB\nShared_Clean: 10 kB\n\
             Shared_Dirty:  5 kB\nPrivate_Clean:  1 kB\nPrivate_Dirty: 2 kB\n";
        assert_eq!(parse(text), Some(Bytes { shared: 15 * 1024, unique: 3 * 1024 }));
        let own = of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.unique > 100 * 1024, "{own:?}");
        assert_eq!(of(i32::MAX), None);
    }
}
