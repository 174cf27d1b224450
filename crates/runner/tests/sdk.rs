//! What the SDK can do besides files and configuration, with real Python and a real queue.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use domain::{ExecutionId, Scope, analysis::Workflow, execution::Status};
use jobs::{Bells, SystemClock, Work};
use runner::Worker;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use store::{Execution, NewExecution, Precondition, UpdateSettings};
use support::{Stage, eventually, failed, result, stage};
use testkit::world::{NOW, workflow};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A worker with so many places over the files of Acme; stopped with the value.
struct Site {
    stage: Stage,
    bells: Bells,
    stop: CancellationToken,
}

impl Site {
    async fn new(source: &str, workflows: &[&str], places: u32) -> Self {
        let stage = stage().await;
        let found: Vec<Workflow> = workflows.iter().map(|name| workflow(name)).collect();
        stage.world.write_with(stage.world.acme, "main.py", source, found).await;
        let patch = json!({ "executions": { "max_concurrent": places } });
        let (precondition, may_set_weight) = (Precondition::Any, true);
        let update = UpdateSettings { patch: &patch, precondition, may_set_weight, now: NOW };
        stage.world.scoped(stage.world.acme).update_settings(update).await.unwrap();
        let (bells, stop) = (Bells::default(), CancellationToken::new());
        let clock = Arc::new(SystemClock);
        let work = Work::new(stage.world.store.clone(), bells.clone(), clock.clone());
        let worker = Worker::new(stage.runner.clone(), work, clock, places);
        tokio::spawn(worker.run(stop.clone(), Duration::ZERO));
        Self { stage, bells, stop }
    }

    async fn start(&self, name: &str, inputs: Value) -> ExecutionId {
        let scoped = self.stage.world.scoped(self.stage.world.acme);
        let entry = scoped.workflow(name).await.unwrap().unwrap();
        let new = NewExecution {
            id: ExecutionId(Uuid::now_v7()),
            workflow: &entry,
            inputs,
            idempotency_key: None,
            place: store::Place::default(),
            max_queued: 100,
            now: NOW,
        };
        let id = scoped.enqueue(new).await.unwrap().execution.id;
        self.bells.ring_work();
        id
    }

    async fn execution(&self, id: ExecutionId) -> Execution {
        let scoped = self.stage.world.scoped(self.stage.world.acme);
        scoped.execution(id).await.unwrap().unwrap()
    }

    async fn ended(&self, id: ExecutionId) -> Execution {
        eventually("it ends", async || self.execution(id).await.status.is_outcome()).await;
        self.execution(id).await
    }

    fn value(execution: &Execution) -> Value {
        assert_eq!(execution.status, Status::Succeeded, "{execution:?}");
        serde_json::from_str(execution.result.as_ref().unwrap().get()).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

const GENERATIONS: &str = "
from bifrost import TooDeep, context, executions
def down(levels):
    if levels == 0:
        return [context.execution_id]
    child = executions.start('down', {'levels': levels - 1})
    ended = executions.wait(child)
    return [context.execution_id, *ended.result]
def deep(level=0):
    try:
        child = executions.start('deep', {'level': level + 1})
    except TooDeep as error:
        return [level, str(error)]
    return executions.wait(child, timeout=30).result
";

#[tokio::test]
async fn runs_that_wait_for_their_children_need_one_place_for_all_of_them() {
    let site = Site::new(GENERATIONS, &["down", "deep"], 1).await;
    let first = site.start("down", json!({"levels": 3})).await;
    let second = site.start("down", json!({"levels": 3})).await;
    for id in [first, second] {
        let chain = Site::value(&site.ended(id).await);
        assert_eq!(chain.as_array().unwrap().len(), 4);
        let child = ExecutionId(serde_json::from_value(chain[1].clone()).unwrap());
        let child = site.execution(child).await;
        assert_eq!((child.parent, child.depth), (Some(id), 1));
    }
}

#[tokio::test]
async fn children_go_five_generations_deep_and_the_sixth_is_refused() {
    let site = Site::new(GENERATIONS, &["down", "deep"], 2).await;
    let ended = site.ended(site.start("deep", json!({})).await).await;
    let text = "an execution can start others at most 5 generations deep";
    assert_eq!(Site::value(&ended), json!([5, text]));
}

#[tokio::test]
async fn many_children_are_waited_for_at_once() {
    let source = "
import asyncio
from bifrost import executions
def leaf(n):
    return n * n
async def fan():
    children = [await executions.start.aio('leaf', {'n': n}) for n in range(8)]
    ended = await asyncio.gather(*(executions.wait.aio(child) for child in children))
    return [each.result for each in ended]
";
    let site = Site::new(source, &["leaf", "fan"], 1).await;
    let ended = site.ended(site.start("fan", json!({})).await).await;
    assert_eq!(Site::value(&ended), json!([0, 1, 4, 9, 16, 25, 36, 49]));
}

#[tokio::test]
async fn a_cancelled_run_cleans_up_and_takes_its_children_along() {
    let source = "
import time
from bifrost import executions, state
def sleeper():
    time.sleep(60)
def parent():
    child = executions.start('sleeper')
    state.set('child', child.id)
    try:
        executions.wait(child)
    finally:
        state.set('cleaned', True)
";
    let site = Site::new(source, &["sleeper", "parent"], 1).await;
    let id = site.start("parent", json!({})).await;
    let acme = site.stage.world.scoped(site.stage.world.acme);
    let child = async || {
        let entry = acme.state("parent", "child").await.unwrap()?;
        Some(ExecutionId(serde_json::from_str(entry.value.get()).unwrap()))
    };
    eventually("the child runs", async || match child().await {
        Some(child) => site.execution(child).await.status == Status::Running,
        None => false,
    })
    .await;
    acme.request_cancel(id, NOW).await.unwrap();
    site.bells.ring_cancel();
    assert_eq!(site.ended(id).await.status, Status::Cancelled);
    assert_eq!(site.ended(child().await.unwrap()).await.status, Status::Cancelled);
    assert!(acme.state("parent", "cleaned").await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_an_exception_that_says_so() {
    let stage = stage().await;
    let source = "
from bifrost import Conflict, context, executions, state
def said(call):
    try:
        return call()
    except Exception as error:
        return f'{type(error).__name__}: {error}'
def run():
    nobody = '00000000-0000-0000-0000-000000000000'
    return [
        said(lambda: executions.start('nothing')),
        said(lambda: executions.start('queued', priority=11)),
        said(lambda: executions.get(nobody))[:11],
        said(lambda: executions.wait(context.execution_id)),
        said(lambda: executions.wait(executions.start('queued'), timeout=0.1))[:12],
        said(lambda: state.set('k', 'x' * 65_536)),
        said(lambda: state.set('', 1)),
        said(lambda: state.set('k', 1, expected_version=3)),
        said(lambda: state.update('n', lambda n: (n or 0) + 1)),
        said(lambda: state.update('n', lambda n: (n or 0) + 1)),
        said(lambda: state.get_with_version('n')),
        said(lambda: state.keys('n')),
        0 < context.remaining() <= 60 and context.deadline is not None,
        context.timezone,
        context.cancelled,
    ]
";
    let report = stage.run(source).await;
    let kib = "ValueError: a value of the state is at most 64 KiB of JSON: write a file instead";
    let key = "ValueError: a key of the state is 1 to 200 characters without control characters";
    let expected = json!([
        "LookupError: there is no workflow `nothing`",
        "ValueError: `priority` is -10 to 10",
        "LookupError",
        "ValueError: an execution cannot wait for itself",
        "TimeoutError",
        kib,
        key,
        "Conflict: the value has the version 0 by now",
        1,
        2,
        [2, 2],
        ["n"],
        true,
        "UTC",
        false,
    ]);
    assert_eq!(result(&report), expected);
}

#[tokio::test]
async fn a_user_error_is_shown_without_a_traceback() {
    let stage = stage().await;
    let source = "
from bifrost import UserError
def run():
    raise UserError('no such ticket', {'id': 7})
";
    let report = stage.run(source).await;
    let failure = failed(&report, Status::Failed);
    assert_eq!((failure.kind.as_str(), failure.message.as_str()), ("UserError", "no such ticket"));
    assert_eq!((failure.traceback.as_str(), &failure.details), ("", &Some(json!({"id": 7}))));
}

#[tokio::test]
async fn the_last_progress_is_kept_with_the_execution() {
    let stage = stage().await;
    let source = "
from bifrost import progress
def run():
    for n in range(1_000):
        progress(n + 1, 1_000, f'ticket {n}')
";
    let request = {
        stage.world.write(stage.world.acme, "main.py", source).await;
        stage.request(stage.world.acme).await
    };
    let id = request.execution;
    stage.runner.run(request).await.unwrap();
    let kept = stage.world.scoped(stage.world.acme).execution(id).await.unwrap().unwrap();
    let progress = kept.progress.unwrap();
    assert_eq!((progress.done, progress.total), (1_000.0, Some(1_000.0)));
    assert_eq!(progress.note.as_deref(), Some("ticket 999"));
}

#[tokio::test]
async fn results_have_types_and_large_ones_are_files() {
    let stage = stage().await;
    let source = "
from bifrost import results
def run():
    with open('report.csv', 'wb') as file:
        file.write(b'a,b\\n' * 200_000)
    return [
        results.table([(1, 2)], ['a', 'b']),
        results.markdown('x' * 300_000),
        results.image(b'\\x89PNG'),
        results.file('report.csv', 'report.csv'),
    ]
";
    stage.world.write(stage.world.acme, "main.py", source).await;
    let request = stage.request(stage.world.acme).await;
    let id = request.execution;
    let report = stage.runner.run(request).await.unwrap();
    let value = result(&report);
    assert_eq!(report.outcome.result_type.as_deref(), Some("application/vnd.bifrost.results+json"));
    assert_eq!(value[0]["value"], json!({"columns": ["a", "b"], "rows": [[1, 2]]}));
    let file = json!({"file": "report.csv", "type": "text/csv", "size": 800_000});
    assert_eq!(value[3]["value"], file);
    let acme = stage.world.scoped(stage.world.acme);
    let files = acme.execution_files(id, "", 9).await.unwrap().unwrap();
    let files: Vec<_> = files.iter().map(|it| (it.name.as_str(), it.size)).collect();
    assert_eq!(files, [("image.png", 4), ("report.csv", 800_000), ("result.md", 300_000)]);
    let (kind, content) = acme.execution_file(id, "report.csv").await.unwrap().unwrap();
    assert_eq!((kind.as_str(), content.len()), ("text/csv", 800_000));
}

#[tokio::test]
async fn a_file_that_is_too_large_or_has_a_bad_name_fails_the_run() {
    let stage = stage().await;
    for (name, size, message) in [
        ("big", (16 << 20) + 1, "the file `big` is over 16 MiB"),
        ("a/b", 1, "a file's name is 1 to 200 characters without slashes and control characters"),
    ] {
        let source = format!(
            "from bifrost import results\ndef run():\n    return results.file('{name}', b'x' * {size})\n"
        );
        let report = stage.run(&source).await;
        assert_eq!(failed(&report, Status::Failed).message, message);
    }
}

#[tokio::test]
async fn a_data_provider_runs_beside_the_workflow() {
    let source = "
from bifrost import data_provider
@data_provider
def tenants(region='eu'):
    return [region, {'value': 1, 'label': 'one'}]
def onboard(tenant): ...
";
    let stage = stage().await;
    let report = stage
        .run_with(source, |request| {
            request.entry.function = "tenants".to_owned();
            request.entry.provider = true;
            request.inputs = json!({"region": "us", "tenant": None::<String>}).to_string();
        })
        .await;
    let expected = json!([{"value": "us", "label": "us"}, {"value": 1, "label": "one"}]);
    assert_eq!(result(&report), expected);
    let report = stage
        .run_with(source, |request| {
            request.entry.function = "onboard".to_owned();
            request.entry.provider = true;
        })
        .await;
    let text = "`onboard` is no data provider: put @data_provider before it";
    assert_eq!(failed(&report, Status::Failed).message, text);
    assert!(stage.world.scoped(Scope::Global).workflow("tenants").await.unwrap().is_none());
}
