//! Nothing is left of runs: no process, group, mount, file or descriptor.

use crate::support::{MARKED, Stage, eventually, failed, parent, pids, result, stage};
use domain::execution::Status;
use futures_util::{StreamExt, stream};
use std::{cell::RefCell, collections::BTreeMap, fs, path::Path, time::Duration};

type Inventory = BTreeMap<&'static str, usize>;

/// Everything that could pile up.
fn inventory(stage: &Stage) -> Inventory {
    let count = |path: &Path| fs::read_dir(path).into_iter().flatten().count();
    let lines = |path: &str| fs::read_to_string(path).unwrap().lines().count();
    let data = stage.world.directory.path();
    let scratch = fs::read_dir(data.join("scratch")).unwrap().flatten();
    let below =
        scratch.flat_map(|runner| fs::read_dir(runner.path()).into_iter().flatten().flatten());
    let runs = below
        .filter(|cell| cell.file_name().to_string_lossy().starts_with('c'))
        .map(|cell| count(&cell.path()))
        .sum();
    BTreeMap::from([
        ("descriptors", count(Path::new("/proc/self/fd"))),
        ("mounts", lines("/proc/self/mountinfo")),
        ("processes", descendants()),
        ("groups", groups()),
        ("scratch directories", runs),
    ])
}

fn descendants() -> usize {
    let children = |pid: i32| -> Vec<i32> {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let texts = tasks.map(|task| fs::read_to_string(task.path().join("children")));
        let all: Vec<String> = texts.map(Result::unwrap_or_default).collect();
        all.join(" ").split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    };
    let mut waiting = children(std::process::id().try_into().unwrap());
    let mut count = 0;
    while let Some(pid) = waiting.pop() {
        count += 1;
        waiting.extend(children(pid));
    }
    count
}

/// Directories of control groups of this process.
fn groups() -> usize {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let paths = own.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (kind, path) = (parts.next()?, parts.next()?);
        Some(Path::new("/sys/fs/cgroup").join(kind).join(path.trim_start_matches('/')))
    });
    let ours = format!("bifrost-{}-", std::process::id());
    let bases = paths.flat_map(|path| fs::read_dir(path).into_iter().flatten().flatten());
    let bases = bases.filter(|entry| entry.file_name().to_string_lossy().starts_with(&ours));
    bases
        .map(|base| {
            let below = fs::read_dir(base.path()).into_iter().flatten().flatten();
            below.filter(|entry| entry.path().is_dir()).count()
        })
        .sum()
}

async fn many(stage: &Stage, source: &str, count: usize, at_once: usize) {
    stage.world.write(stage.world.acme, "main.py", source).await;
    let runs = stream::iter(0..count).map(async |_| {
        let request = stage.request(stage.world.acme).await;
        stage.runner.run(request).await.unwrap()
    });
    let mut runs = runs.buffer_unordered(at_once);
    while let Some(report) = runs.next().await {
        assert!(result(&report).is_null());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_piles_up_over_hundreds_of_runs() {
    let stage = stage().await;
    let source = "
import os, time
def run():
    open('left', 'w').close()
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
";
    // The first ones make what is kept: compiled codes, and more cells than are needed afterwards.
    many(&stage, source, 40, 12).await;
    let mut seen = vec![calm(&stage).await];
    let count = if std::env::var_os("BIFROST_FULL").is_some() { 700 } else { 70 };
    // A cell that was thrown away may be made anew at any time; what piles up does so each time.
    for _ in 0..3 {
        many(&stage, source, count, 4).await;
        seen.push(calm(&stage).await);
    }
    let no_more = |pair: &[Inventory]| pair[1].iter().all(|(what, count)| *count <= pair[0][what]);
    assert!(seen.windows(2).any(no_more), "it grows each time: {seen:?}");
}

/// What there is when nothing is being cleared away any more.
async fn calm(stage: &Stage) -> Inventory {
    let last = RefCell::new(Inventory::new());
    let is_calm = async || {
        let now = inventory(stage);
        let before = last.replace(now.clone());
        before == now && now["scratch directories"] == 0
    };
    eventually("nothing is being cleared away", is_calm).await;
    last.into_inner()
}

#[tokio::test]
async fn a_daemon_that_ignores_every_signal_is_gone_with_its_run() {
    let stage = stage().await;
    let source = MARKED.to_owned()
        + "
import os, signal, time
def run():
    for number in range(1, 64):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            while True: time.sleep(60)
        os._exit(0)
    tell()
";
    assert!(result(&stage.run(&source).await).is_null());
    assert_eq!(pids(&stage).await, Vec::<i64>::new());
    let endless = source + "    time.sleep(600)\n";
    let short = |request: &mut runner::RunRequest| request.limits.timeout = Duration::from_secs(1);
    failed(&stage.run_with(&endless, short).await, Status::TimedOut);
    assert_eq!(pids(&stage).await, Vec::<i64>::new());
}

#[tokio::test]
async fn a_zygote_killed_at_any_point_costs_each_run_one_outcome() {
    let stage = stage().await;
    let source = MARKED.to_owned() + "import time\ndef run():\n    tell()\n    time.sleep(60)";
    stage.world.write(stage.world.acme, "main.py", &source).await;
    for _ in 0..5 {
        let request = stage.request(stage.world.acme).await;
        stage.world.write(stage.world.acme, "mark", "none").await;
        let kill = async {
            eventually("it runs", async || !pids(&stage).await.is_empty()).await;
            // Not the zygote, but what waits for it: that one goes with it.
            let first = parent(parent(pids(&stage).await[0]));
            let killed =
                std::process::Command::new("kill").args(["-9", &first.to_string()]).status();
            assert!(killed.unwrap().success());
        };
        let (report, ()) = tokio::join!(stage.runner.run(request), kill);
        failed(&report.unwrap(), Status::Crashed);
        eventually("nothing of it lives", async || pids(&stage).await.is_empty()).await;
    }
    assert_eq!(result(&stage.run("def run(): return 1").await), serde_json::json!(1));
}
