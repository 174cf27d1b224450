//! Workflows that misbehave: each has one clear outcome, and the next run works.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use domain::execution::Status;
use serde_json::json;
use std::time::{Duration, Instant};
use support::{MARKED, Stage, eventually, failed, lives, parent, pids, result, stage};

/// A run whose processes can be found once it has told.
fn with_pids(body: &str) -> String {
    format!(
        "{MARKED}
import os, signal, sys, time, threading

def sleep():
    while True:
        time.sleep(60)

def run():
    {body}
"
    )
}

async fn still_works(stage: &Stage) {
    assert_eq!(result(&stage.run("def run(): return 'fine'").await), json!("fine"));
}

#[tokio::test]
async fn a_timeout_kills_the_whole_group() {
    let stage = stage().await;
    let source = with_pids(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = os.fork() or sleep()
    tell()
    sleep()",
    );
    stage.world.write(stage.world.acme, "main.py", &source).await;
    let mut request = stage.request(stage.world.acme).await;
    request.limits.timeout = Duration::from_secs(1);
    let begun = Instant::now();
    let seen = eventually("both run", async || pids(&stage).await.len() == 2);
    let (report, ()) = tokio::join!(stage.runner.run(request), seen);
    let report = report.unwrap();
    assert!(failed(&report, Status::TimedOut).message.contains("1 second"));
    assert!(begun.elapsed() < Duration::from_secs(8));
    assert_eq!(support::pids(&stage).await, Vec::<i64>::new());
    still_works(&stage).await;
}

#[tokio::test]
async fn a_cancelled_run_ends_as_cancelled() {
    let stage = stage().await;
    let source = with_pids("tell()\n    sleep()");
    stage.world.write(stage.world.acme, "main.py", &source).await;
    let request = stage.request(stage.world.acme).await;
    let cancel = request.cancel.clone();
    let stop = async {
        eventually("it runs", async || !pids(&stage).await.is_empty()).await;
        cancel.cancel();
    };
    let (report, ()) = tokio::join!(stage.runner.run(request), stop);
    assert_eq!(failed(&report.unwrap(), Status::Cancelled).kind, "Cancelled");
    assert_eq!(pids(&stage).await, Vec::<i64>::new());
    still_works(&stage).await;
}

#[tokio::test]
async fn a_dropped_run_leaves_no_process() {
    let stage = stage().await;
    let source = with_pids("tell()\n    sleep()");
    stage.world.write(stage.world.acme, "main.py", &source).await;
    let request = stage.request(stage.world.acme).await;
    let seen = eventually("it runs", async || !pids(&stage).await.is_empty());
    tokio::select! {
        report = stage.runner.run(request) => panic!("{report:?}"),
        () = seen => {}
    }
    eventually("it is gone", async || pids(&stage).await.is_empty()).await;
    still_works(&stage).await;
}

#[tokio::test]
async fn garbage_on_the_socket_ends_the_run_and_not_the_server() {
    let stage = stage().await;
    for (bytes, why) in [
        (r"b'\x00\x00\x00\x05hello'", "known form"),
        (r"b'\x7f\xff\xff\xff' + b'x' * 100", "1 MiB"),
        (r#"b'\x00\x00\x00\x11{"type":"nonsense"}'[:21]"#, "known form"),
        (
            r#"(lambda b: len(b).to_bytes(4, 'big') + b)(b'{"type":"log","x":' + b'[' * 200)"#,
            "100 deep",
        ),
        (r#"(lambda b: len(b).to_bytes(4, 'big') + b)(b'{"type":"part","data":"x"}')"#, "part"),
    ] {
        let source = with_pids(&format!("os.write(3, {bytes})\n    sleep()"));
        let report = stage.run(&source).await;
        let failure = failed(&report, Status::Crashed);
        assert!(failure.message.contains(why), "{bytes}: {}", failure.message);
    }
    still_works(&stage).await;
}

#[tokio::test]
async fn a_run_that_closes_its_descriptors_crashes_alone() {
    let stage = stage().await;
    let report = stage.run(&with_pids("os.closerange(0, 1000)\n    sleep()")).await;
    let failure = failed(&report, Status::Crashed);
    assert!(failure.message.contains("closed its connection"), "{}", failure.message);
    still_works(&stage).await;
}

#[tokio::test]
async fn a_gigabyte_of_output_is_cut_in_bounded_time() {
    let stage = stage().await;
    for (line, count) in
        [("print('x' * 1000)", 1_000_000), ("os.write(1, b'x' * 999999 + b'\\n')", 1_000)]
    {
        let source = with_pids(&format!("for _ in range({count}): {line}\n    return 'said'"));
        stage.world.write(stage.world.acme, "main.py", &source).await;
        let request = stage.request(stage.world.acme).await;
        let id = request.execution;
        let begun = Instant::now();
        let report = stage.runner.run(request).await.unwrap();
        assert_eq!(result(&report), json!("said"));
        let log = stage.log(stage.world.acme, id, &report).await;
        let size: usize = log.iter().map(|line| line.message.len()).sum();
        assert!(size <= 10 * 1024 * 1024 + 1000, "{size}");
        let last = &log.last().unwrap().message;
        assert!(last.contains("left out"), "{last}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
    still_works(&stage).await;
}

#[tokio::test]
async fn threads_that_never_end_do_not_hold_a_result() {
    let stage = stage().await;
    let source =
        with_pids("[threading.Thread(target=sleep).start() for _ in range(4)]\n    return 1");
    let begun = Instant::now();
    assert_eq!(result(&stage.run(&source).await), json!(1));
    assert!(begun.elapsed() < Duration::from_secs(20));
    still_works(&stage).await;
}

#[tokio::test]
async fn an_escaped_daemon_does_not_hold_the_run() {
    let stage = stage().await;
    let source = with_pids(
        "if os.fork() == 0:
        os.setsid()
        time.sleep(30)
        os._exit(0)
    return 1",
    );
    let begun = Instant::now();
    assert_eq!(result(&stage.run(&source).await), json!(1));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_killed_zygote_costs_its_runs_and_is_replaced() {
    let stage = stage().await;
    let source = with_pids("tell()\n    sleep()");
    stage.world.write(stage.world.acme, "main.py", &source).await;
    let request = stage.request(stage.world.acme).await;
    let kill = async {
        eventually("it runs", async || !pids(&stage).await.is_empty()).await;
        let zygote = parent(pids(&stage).await[0]).to_string();
        assert!(
            std::process::Command::new("kill").args(["-9", &zygote]).status().unwrap().success()
        );
    };
    let (report, ()) = tokio::join!(stage.runner.run(request), kill);
    let report = report.unwrap();
    assert!(failed(&report, Status::Crashed).message.contains("lost"), "{report:?}");
    eventually("its child is gone", async || pids(&stage).await.is_empty()).await;
    still_works(&stage).await;
}

#[tokio::test]
async fn the_child_holds_nothing_that_is_not_its_own() {
    let stage = stage().await;
    let source = "
import os, stat
def run():
    links = {}
    for number in range(1024):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        # There is no `/proc`: what a descriptor is, is seen by its kind.
        kinds = {'null': stat.S_ISCHR, 'pipe': stat.S_ISFIFO, 'socket': stat.S_ISSOCK, 'file': stat.S_ISREG}
        links[str(number)] = [name for name, test in kinds.items() if test(mode)][0]
    return [dict(os.environ), links]
";
    let seen = result(&stage.run(source).await);
    for name in seen[0].as_object().unwrap().keys() {
        let own = ["HOME", "LANG", "LC_CTYPE", "PATH", "TMPDIR", "TZ"].contains(&name.as_str());
        assert!(own || name.to_ascii_lowercase().ends_with("_proxy"), "{name}");
    }
    for (number, target) in seen[1].as_object().unwrap() {
        let target = target.as_str().unwrap();
        let own = match number.as_str() {
            "0" => target == "null",
            "1" | "2" => target == "pipe",
            "3" => target == "socket",
            // Before Python 3.13 a mapping of the bundles keeps a descriptor of its own.
            _ => target == "file",
        };
        assert!(own, "{number} is {target}");
    }
    assert!(seen[1].as_object().unwrap().len() <= 8, "{}", seen[1]);
}

#[tokio::test]
async fn nothing_is_left_when_the_runner_goes() {
    let stage = stage().await;
    let source = with_pids("tell()\n    sleep()");
    stage.world.write(stage.world.acme, "main.py", &source).await;
    let request = stage.request(stage.world.acme).await;
    let seen = async {
        eventually("it runs", async || !pids(&stage).await.is_empty()).await;
        let run = pids(&stage).await[0];
        [run, parent(run), parent(parent(run))]
    };
    let pids = tokio::select! {
        report = stage.runner.run(request) => panic!("{report:?}"),
        pids = seen => pids,
    };
    drop(stage);
    eventually("all are gone", async || !pids.iter().any(|pid| lives(*pid))).await;
}
