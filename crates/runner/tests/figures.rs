//! What a run costs. Run by hand:
//! `cargo test --release -p runner --test figures -- --ignored --nocapture`
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a test may panic")]

mod support;

use domain::{Scope, execution::LoadedModule};
use serde_json::json;
use std::time::{Duration, Instant};
use support::{eventually, result, stage};

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_trivial_run() {
    let stage = stage().await;
    result(&stage.run("def run(): return __spec__.loader_state.bundle.codes is not None").await);
    let compiled = async || {
        let request = stage.request(stage.world.acme).await;
        result(&stage.runner.run(request).await.unwrap()) == json!(true)
    };
    eventually("its code is compiled ahead", compiled).await;
    let (mut whole, mut fork, mut import, mut code, mut end) =
        (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..200 {
        let request = stage.request(stage.world.acme).await;
        let begun = Instant::now();
        let report = stage.runner.run(request).await.unwrap();
        whole.push(begun.elapsed());
        result(&report);
        fork.push(report.timings.fork);
        import.push(report.timings.import);
        code.push(report.timings.code);
        end.push(report.timings.end);
    }
    println!(
        "trivial run: p50 {:?} (fork {:?}, import {:?}, code {:?}, end {:?})",
        median(whole),
        median(fork),
        median(import),
        median(code),
        median(end)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn bundles_of_many_files() {
    for count in [100, 5_000] {
        let stage = stage().await;
        let body = "def f(x):\n    return [x, x + 1]\n".repeat(40);
        for number in 0..count {
            let path = format!("lib{}/module{number}.py", number % 20);
            stage.world.write(Scope::Global, &path, &body).await;
        }
        let first = stage.run("def run(): return 1").await;
        result(&first);
        stage.world.write(Scope::Global, "lib0/module0.py", "X = 1").await;
        let again = stage.run("def run(): return 1").await;
        let (cold, edit) = (first.timings.files, again.timings.files);
        println!("bundle of {count} files: first {cold:?}, after an edit {edit:?}");
        let modules: Vec<LoadedModule> = again.modules;
        assert_eq!(modules.len(), 1);
    }
}
