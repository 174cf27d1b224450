//! Many runs, many generations: the bundles, the codes and the zygotes behind them.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use domain::{FilePath, Scope};
use futures_util::future::join_all;
use serde_json::json;
use support::{MARKED, eventually, parent, pids, result, stage, stage_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_runs_at_once() {
    let stage = stage().await;
    let world = &stage.world;
    world.write(Scope::Global, "main.py", "import own\ndef run(n): return [own.NAME, n]").await;
    world.write(world.acme, "own.py", "NAME = 'acme'").await;
    world.write(world.globex, "own.py", "NAME = 'globex'").await;
    let runs = (0..50).map(async |number| {
        let (scope, name) =
            if number % 2 == 0 { (world.acme, "acme") } else { (world.globex, "globex") };
        let mut request = stage.request(scope).await;
        request.inputs = json!({ "n": number }).to_string();
        let report = stage.runner.run(request).await.unwrap();
        assert_eq!(result(&report), json!([name, number]));
    });
    join_all(runs).await;
}

#[tokio::test]
async fn a_worn_out_zygote_is_replaced_while_its_runs_go_on() {
    let stage = stage_with(|options| options.forks_per_zygote = 3).await;
    let mut zygotes = Vec::new();
    for round in 0..7 {
        let go = format!("go{round}");
        let wait = format!("while not files.exists('{go}'): time.sleep(0.01)");
        let source = format!("{MARKED}import time\ndef run():\n    tell()\n    {wait}");
        let look = async {
            eventually("it runs", async || !pids(&stage).await.is_empty()).await;
            zygotes.push(parent(pids(&stage).await[0]));
            stage.world.write(stage.world.acme, &go, "").await;
        };
        let (report, ()) = tokio::join!(stage.run(&source), look);
        assert!(result(&report).is_null());
    }
    assert!(zygotes[..3].iter().all(|pid| *pid == zygotes[0]), "{zygotes:?}");
    assert!(zygotes[3..6].iter().all(|pid| *pid == zygotes[3]), "{zygotes:?}");
    zygotes.dedup();
    assert_eq!(zygotes.len(), 3);
    eventually("the old ones leave", async || !zygotes[..2].iter().any(|pid| support::lives(*pid)))
        .await;
}

#[tokio::test]
async fn compiled_codes_are_used_once_they_are_there() {
    let stage = stage().await;
    // A module can tell how it was loaded: the compiler is called for a source only.
    let spy = "
import builtins, sys
compiled = []
def hook(event, arguments):
    if event == 'compile':
        compiled.append(str(arguments[1]))
sys.addaudithook(hook)
import other
def run():
    return compiled
";
    stage.world.write(stage.world.acme, "main.py", spy).await;
    stage.world.write(stage.world.acme, "other.py", "X = 1").await;
    assert_eq!(result(&stage.run(spy).await), json!(["bifrost://acme/other.py"]));
    eventually("a run compiles nothing", async || result(&stage.run(spy).await) == json!([])).await;
    // Another file changes: the codes of the others are carried over at once.
    stage.world.write(stage.world.acme, "third.py", "X = 2").await;
    assert_eq!(result(&stage.run(spy).await), json!([]));
    // Its own source changes: that one is compiled, by the run or ahead of it.
    stage.world.write(stage.world.acme, "other.py", "X = 3").await;
    stage.run(spy).await;
    eventually("a run compiles nothing again", async || result(&stage.run(spy).await) == json!([]))
        .await;
}

#[tokio::test]
async fn files_are_analysed_in_a_child() {
    let stage = stage().await;
    let analyser = stage.runner.analyser();
    let path = FilePath::parse("flow.py").unwrap();
    let source = b"from bifrost import workflow\n@workflow\ndef go(n: int):\n    '''Goes.'''\n";
    let analysis = analyser.analyse(&path, source).await.unwrap();
    assert_eq!(analysis.syntax_error, None);
    assert_eq!(analysis.workflows[0].name, "go");
    assert_eq!(analysis.workflows[0].parameters["properties"]["n"]["type"], "integer");
    let analysis = analyser.analyse(&path, b"def go(:\n").await.unwrap();
    assert_eq!(analysis.syntax_error.unwrap().line, 1);
    for deep in ["(".repeat(100_000), "-".repeat(1_000_000) + "1", "a.".repeat(300_000) + "a"] {
        let analysis = analyser.analyse(&path, deep.as_bytes()).await.unwrap();
        assert!(analysis.syntax_error.is_some());
    }
    let analysis = analyser.analyse(&path, source).await.unwrap();
    assert_eq!(analysis.workflows.len(), 1);
}

#[tokio::test]
async fn zygotes_hold_what_runs_load_of_global() {
    let stage = stage().await;
    stage.world.write(Scope::Global, "shared/hot.py", "X = 1").await;
    stage.world.write(Scope::Global, "shared/cold.py", "X = 1").await;
    let source = "
from shared import hot
from bifrost_runtime import loader
def run():
    return sorted(origin for origin, _ in loader.warm)
";
    let hot = json!(["bifrost://global/shared/hot.py"]);
    eventually("it is held", async || result(&stage.run(source).await) == hot).await;
    stage.world.write(Scope::Global, "shared/hot.py", "X = 2").await;
    let source = source.replace("return sorted", "return [hot.X] + sorted");
    let hot = json!([2, "bifrost://global/shared/hot.py"]);
    assert_eq!(result(&stage.run(&source).await)[0], json!(2));
    eventually("it is still held", async || result(&stage.run(&source).await) == hot).await;
}
