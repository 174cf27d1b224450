//! What a bundle costs. Run by hand:
//! `cargo test --release -p runner --test figures -- --ignored --nocapture`
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a test may panic")]

mod support;

use domain::{Scope, execution::LoadedModule};
use support::{result, stage};

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
