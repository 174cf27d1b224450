//! Runs that go well, or wrong in an ordinary way.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use domain::{
    Scope,
    execution::{LogLevel, Status},
    scope::Side,
    settings::Regional,
};
use serde_json::json;
use support::{failed, result, stage};

#[tokio::test]
async fn a_workflow_gets_its_inputs_and_its_context() {
    let stage = stage().await;
    let source = "
from bifrost import workflow, context

@workflow
def run(name: str, times: int = 2):
    organization = context.organization
    return [name * times, organization.slug, context.workflow_name, context.attempt]
";
    let report =
        stage.run_with(source, |request| request.inputs = json!({"name": "ab"}).to_string());
    assert_eq!(result(&report.await), json!(["abab", "acme", "main", 1]));
}

#[tokio::test]
async fn the_organization_s_module_wins_and_the_report_says_so() {
    let stage = stage().await;
    let world = &stage.world;
    world.write(Scope::Global, "shared/halopsa.py", "NAME = 'global'").await;
    world.write(Scope::Global, "shared/ninja.py", "NAME = 'ninja'").await;
    let flow = "
from shared import halopsa, ninja
def run():
    return [halopsa.NAME, halopsa.__file__, ninja.NAME]
";
    world.write(Scope::Global, "main.py", flow).await;
    world.write(world.acme, "shared/halopsa.py", "NAME = 'acme'").await;

    let acme = stage.runner.run(stage.request(world.acme).await).await.unwrap();
    assert_eq!(result(&acme), json!(["acme", "bifrost://acme/shared/halopsa.py", "ninja"]));
    let sides: Vec<_> =
        acme.modules.iter().map(|module| (module.name.as_str(), module.scope)).collect();
    assert_eq!(
        sides,
        [("main", Side::Global), ("shared.halopsa", Side::Own), ("shared.ninja", Side::Global)]
    );
    assert_eq!(acme.modules[1].hash, domain::content_hash(b"NAME = 'acme'"));

    let globex = stage.runner.run(stage.request(world.globex).await).await.unwrap();
    assert_eq!(result(&globex), json!(["global", "bifrost://global/shared/halopsa.py", "ninja"]));
    let global = stage.runner.run(stage.request(Scope::Global).await).await.unwrap();
    assert_eq!(result(&global), result(&globex));
}

#[tokio::test]
async fn a_write_is_seen_by_the_next_run() {
    let stage = stage().await;
    for number in 0..30 {
        let report = stage.run(&format!("def run(): return {number}")).await;
        assert_eq!(result(&report), json!(number));
    }
}

#[tokio::test]
async fn an_exception_has_a_traceback_that_names_the_scope_and_the_line() {
    let stage = stage().await;
    stage
        .world
        .write(Scope::Global, "shared/deep.py", "def fail():\n    raise KeyError('x')\n")
        .await;
    let report = stage.run("from shared.deep import fail\ndef run():\n    fail()\n").await;
    let failure = failed(&report, Status::Failed);
    assert_eq!((failure.kind.as_str(), failure.message.as_str()), ("KeyError", "'x'"));
    for part in [
        "File \"bifrost://acme/main.py\", line 3, in run",
        "File \"bifrost://global/shared/deep.py\", line 2, in fail",
        "raise KeyError('x')",
    ] {
        assert!(failure.traceback.contains(part), "{}", failure.traceback);
    }
}

#[tokio::test]
async fn ends_that_are_no_result() {
    let stage = stage().await;
    let report = stage.run("import sys\ndef run(): sys.exit(3)").await;
    assert_eq!(failed(&report, Status::Failed).kind, "SystemExit");
    let report = stage.run("import os\ndef run(): os._exit(7)").await;
    assert!(failed(&report, Status::Crashed).message.contains("exit code 7"));
    let report = stage.run("import ctypes\ndef run(): ctypes.string_at(0)").await;
    assert!(failed(&report, Status::Crashed).message.contains("SIGSEGV"));
    let report = stage.run("def run(): return {1, 2}").await;
    assert_eq!(failed(&report, Status::Failed).kind, "ResultError");
    let report = stage.run("def run(): return missing.name").await;
    assert_eq!(failed(&report, Status::Failed).kind, "NameError");
    let report = stage.run("import nothing_there\ndef run(): pass").await;
    assert_eq!(failed(&report, Status::Failed).kind, "ModuleNotFoundError");
    let report = stage.run("def run(:").await;
    assert_eq!(failed(&report, Status::Failed).kind, "SyntaxError");
    let report = stage.run("def run(): return bytearray(2_000_000_000)[0]").await;
    assert_eq!(failed(&report, Status::OutOfMemory).kind, "MemoryError");
}

#[tokio::test]
async fn large_inputs_and_results_travel_and_too_large_ones_are_refused() {
    let stage = stage().await;
    let echo = "def run(text): return text";
    let text = "é\"".repeat(3_900_000);
    let inputs = json!({ "text": text }).to_string();
    assert!(inputs.len() > 15_000_000);
    let report = stage.run_with(echo, |request| request.inputs = inputs).await;
    assert!(result(&report) == json!(text));
    let report = stage.run("def run(): return 'x' * (17 << 20)").await;
    assert_eq!(failed(&report, Status::Failed).kind, "ResultTooLarge");
    let mut request = stage.request(stage.world.acme).await;
    request.inputs = json!({ "text": "x".repeat(17 << 20) }).to_string();
    let error = stage.runner.run(request).await.unwrap_err();
    assert!(error.to_string().contains("16 MiB"), "{error}");
}

#[tokio::test]
async fn lines_are_kept_in_order_from_every_way_of_saying_them() {
    let stage = stage().await;
    let source = "
import os, sys
from bifrost import log
def run():
    for number in range(450):
        print('line', number)
    print('to stderr', file=sys.stderr)
    log.error('loud')
    os.write(1, b'raw\\nhalf')
";
    stage.world.write(stage.world.acme, "main.py", source).await;
    let request = stage.request(stage.world.acme).await;
    let id = request.execution;
    let report = stage.runner.run(request).await.unwrap();
    assert_eq!(report.log_lines_lost, 0);
    let log = stage.log(stage.world.acme, id, &report).await;
    let framed: Vec<_> = log.iter().filter(|line| line.message.starts_with("line")).collect();
    assert_eq!(framed.len(), 450);
    assert_eq!(framed[449].message, "line 449");
    let level = |text: &str| log.iter().find(|line| line.message == text).map(|line| line.level);
    assert_eq!(level("to stderr"), Some(LogLevel::Warning));
    assert_eq!(level("loud"), Some(LogLevel::Error));
    assert_eq!(level("raw"), Some(LogLevel::Info));
    assert_eq!(level("half"), Some(LogLevel::Info));
}

#[tokio::test]
async fn the_sdk_reads_writes_and_lists_through_the_cascade() {
    let stage = stage().await;
    stage.world.write(Scope::Global, "data/a.txt", "global a").await;
    stage.world.write(Scope::Global, "data/b.txt", "global b").await;
    let source = "
from bifrost import files
def run():
    seen = [files.read('data/a.txt')]
    written = files.write('data/a.txt', 'own a')
    seen += [files.read('data/a.txt'), files.read('data/a.txt', scope=None), written['version']]
    seen += [files.list('data/'), files.exists('data/b.txt'), files.exists('../x')]
    big = bytes(range(256)) * 4000
    files.write('big.bin', big)
    seen.append(files.read_bytes('big.bin') == big)
    files.delete('data/a.txt')
    seen.append(files.read('data/a.txt'))
    for bad in (lambda: files.read('none'), lambda: files.delete('data/b.txt'),
                lambda: files.write('json.py', ''), lambda: files.write('bad.py', 'def ('),
                lambda: files.write('../x', ''), lambda: files.write('huge', 'x' * 1200000)):
        try:
            bad()
        except Exception as error:
            seen.append(type(error).__name__)
    return seen
";
    let report = stage.run(source).await;
    assert_eq!(
        result(&report),
        json!([
            "global a",
            "own a",
            "global a",
            1,
            ["data/a.txt", "data/b.txt"],
            true,
            false,
            true,
            "global a",
            "FileNotFoundError",
            "FileNotFoundError",
            "ValueError",
            "ValueError",
            "ValueError",
            "ValueError"
        ])
    );
}

#[tokio::test]
async fn what_may_not_be_written_is_refused_with_its_reason() {
    let stage = stage().await;
    let source = "
from bifrost import files
def run():
    said = []
    for path, content in [('json.py', ''), ('bad.py', 'x = 1\\ndef ('), ('nul.py', 'x = 1\\0'),
                          ('huge', 'x' * (1024 * 1024 + 1))]:
        try:
            files.write(path, content)
        except ValueError as error:
            said.append(str(error))
    return said
";
    let said = [
        "`json.py` has the name of a module that is Python's or Bifrost's",
        "`bad.py` does not parse: invalid syntax (line 2)",
        "`nul.py` does not parse: source code cannot contain null bytes (line 0)",
        "`huge` is larger than 1024 KiB, the limit",
    ];
    assert_eq!(result(&stage.run(source).await), json!(said));
}

#[tokio::test]
async fn a_request_for_another_organization_than_its_access_is_refused() {
    let stage = stage().await;
    let mut request = stage.request(stage.world.acme).await;
    request.organization = stage.request(stage.world.globex).await.organization;
    assert!(matches!(stage.runner.run(request).await, Err(runner::NotStarted::Confused)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_knows_where_its_organization_is() {
    let stage = stage().await;
    let source = "import os, time
from bifrost import context
def run():
    it = context.organization
    there = [it.timezone, it.currency, it.locale] if it else None
    return [there, os.environ['TZ'], time.localtime(0).tm_hour]
";
    let regional = |timezone: &str| Regional {
        timezone: timezone.to_owned(),
        currency: "EUR".to_owned(),
        locale: "de-AT".to_owned(),
    };
    let report = stage.run_with(source, |it| it.regional = regional("Europe/Vienna")).await;
    let there = json!(["Europe/Vienna", "EUR", "de-AT"]);
    assert_eq!(result(&report), json!([there, "Europe/Vienna", 1]));
    // The next one starts afresh, and Global has a clock but is nowhere.
    assert_eq!(result(&stage.run(source).await)[1], "UTC");
    stage.world.write(Scope::Global, "main.py", source).await;
    let mut request = stage.request(Scope::Global).await;
    request.regional = regional("Asia/Tokyo");
    let report = stage.runner.run(request).await.unwrap();
    assert_eq!(result(&report), json!([null, "Asia/Tokyo", 9]));
}
