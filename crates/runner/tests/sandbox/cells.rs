//! A cell is one run's at a time, and what one run does to it the next does not meet.

use crate::support::{failed, result, stage, stage_with};
use domain::execution::Status;
use futures_util::future::join_all;
use runner::sandbox::SandboxOptions;
use serde_json::json;
use std::collections::HashSet;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_at_the_same_time_are_different_users_of_the_range() {
    if !is_root() {
        return;
    }
    let stage = stage_with(|options| {
        options.sandbox = SandboxOptions::new("310000-310999".parse().unwrap());
    })
    .await;
    let source = "
import os, time
from bifrost import files
def run(n):
    files.write(f'here{n}', '')
    while len(files.list('here')) < 8: time.sleep(0.02)
    return [os.getuid(), os.getgid(), os.geteuid(), os.getgroups()]
";
    stage.world.write(stage.world.acme, "main.py", source).await;
    let runs = (0..8).map(async |number| {
        let mut request = stage.request(stage.world.acme).await;
        request.inputs = json!({ "n": number }).to_string();
        result(&stage.runner.run(request).await.unwrap())
    });
    let seen = join_all(runs).await;
    let users: HashSet<u64> = seen.iter().map(|each| each[0].as_u64().unwrap()).collect();
    assert_eq!(users.len(), 8, "{seen:?}");
    for each in &seen {
        let user = each[0].as_u64().unwrap();
        assert!((310_000..=310_999).contains(&user));
        assert_eq!(*each, json!([user, user, user, []]));
    }
}

#[tokio::test]
async fn what_makes_cells_may_die() {
    let stage = stage().await;
    let source = "import time\ndef run():\n    time.sleep(0.2)\n    return 1";
    assert_eq!(result(&stage.run(source).await), json!(1));
    for more in [3, 6] {
        let keepers = keepers();
        assert_eq!(keepers.len(), 1);
        rustix::process::kill_process(keepers[0], rustix::process::Signal::KILL).unwrap();
        // More at a time than there are cells.
        let runs = (0..more).map(async |_| {
            let request = stage.request(stage.world.acme).await;
            result(&stage.runner.run(request).await.unwrap())
        });
        assert!(join_all(runs).await.iter().all(|result| *result == json!(1)));
    }
}

/// The programs of this process that make cells.
fn keepers() -> Vec<rustix::process::Pid> {
    let own = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let found = processes.filter_map(|entry| {
        let read = |name: &str| std::fs::read_to_string(entry.path().join(name)).ok();
        let number = entry.file_name().to_str()?.parse().ok()?;
        let stat = read("stat")?;
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let (state, parent) = (fields.next()?, fields.next()?);
        let is_one = read("cmdline")?.contains("bifrost_runtime.cells");
        (is_one && parent == own && state != "Z").then(|| rustix::process::Pid::from_raw(number))?
    });
    found.collect()
}

#[tokio::test]
async fn the_next_run_finds_nothing_of_the_one_before() {
    let stage = stage().await;
    let source = "
import os, socket
def run():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 4000))
    listener.listen()
    left = os.listdir('.')
    open('left', 'w').close()
    outside = []
    for path in ('..', '/tmp', '/var/tmp', '/dev/shm', '/dev/null/x', '/'):
        try:
            open(os.path.join(path, 'left'), 'x').close()
            outside.append(path)
        except OSError:
            pass
    return [left, outside]
";
    for _ in 0..3 {
        assert_eq!(result(&stage.run(source).await), json!([[], []]));
    }
}

#[tokio::test]
async fn memory_that_no_single_limit_counts_is_out_of_memory_too() {
    let stage = stage().await;
    let posture = stage.runner.posture().await.unwrap();
    if !posture.walls.iter().any(|wall| wall.name == "memory_together" && wall.holds) {
        // Told by the posture; the limits of each process are tested elsewhere.
        return;
    }
    let source = "
import mmap
def run():
    kept = []
    for _ in range(64):
        shared = mmap.mmap(-1, 8 << 20)
        for at in range(0, len(shared), 4096): shared[at] = 1
        kept.append(shared)
";
    let small = |request: &mut runner::RunRequest| request.limits.memory_mb = 96;
    let report = stage.run_with(source, small).await;
    assert_eq!(failed(&report, Status::OutOfMemory).kind, "MemoryError");
    // A run that is killed otherwise, in the same cell afterwards, is not taken for one.
    let report = stage.run("import ctypes\ndef run(): ctypes.string_at(0)").await;
    failed(&report, Status::Crashed);
}

#[tokio::test]
async fn too_much_processor_time_is_told_from_a_crash() {
    let stage = stage().await;
    let source = "
import resource
def run():
    resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
    while True: pass
";
    // Killed for a limit of its own it has not used up ours.
    failed(&stage.run(source).await, Status::Crashed);
}
