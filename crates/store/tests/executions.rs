//! Workflows, executions and the queue, on a real database.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{
    Access, ExecutionId, FilePath, Scope,
    analysis::Workflow,
    execution::{LogLevel, LogLine, Outcome, Status},
    scope::Side,
};
use std::time::Duration;
use store::{
    Claim, EnqueueError, Finished, ListExecutions, NewExecution, Precondition, Reason,
    WriteFileError,
};
use testkit::{World, world::NOW};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(10);

fn workflow(name: &str, options: serde_json::Value) -> Workflow {
    Workflow {
        name: name.to_owned(),
        function: name.to_owned(),
        line: 1,
        description: String::new(),
        is_async: false,
        parameters: serde_json::json!({ "type": "object" }),
        options: options.as_object().unwrap().clone(),
    }
}

async fn world_with_workflow(options: serde_json::Value) -> World {
    let world = World::new().await;
    let found = vec![workflow("onboard", options)];
    world.write_with(Scope::Global, "workflows/onboard.py", "x", found).await;
    world
}

async fn enqueue(world: &World, scope: Scope) -> ExecutionId {
    let scoped = world.scoped(scope);
    let entry = scoped.workflow("onboard").await.unwrap().unwrap();
    let new = NewExecution {
        id: ExecutionId(Uuid::now_v7()),
        workflow: &entry,
        inputs: serde_json::json!({ "a": 1 }),
        idempotency_key: None,
        place: store::Place::default(),
        max_queued: 10,
        now: NOW,
    };
    scoped.enqueue(new).await.unwrap().execution.id
}

async fn claim(world: &World, worker: Uuid, limit: u32) -> Vec<Claim> {
    world.store.system(Reason::Claim).claim(worker, limit, LEASE, NOW).await.unwrap().claims
}

fn finished(status: Status) -> Finished {
    let outcome =
        Outcome { status, result: Some("42".to_owned()), result_type: None, failure: None };
    let line = LogLine { time: NOW, level: LogLevel::Info, message: "last".to_owned() };
    Finished { outcome, modules: Vec::new(), logs: vec![line], now: NOW }
}

#[tokio::test]
async fn an_execution_goes_from_the_queue_to_its_one_outcome() {
    let world = world_with_workflow(serde_json::json!({})).await;
    let id = enqueue(&world, world.acme).await;
    world.write(world.acme, "a.py", "1").await;
    let worker = Uuid::now_v7();
    let claims = claim(&world, worker, 5).await;
    assert_eq!(claims.len(), 1);
    let claim = &claims[0];
    assert_eq!((claim.execution, claim.attempt, claim.inputs.as_str()), (id, 1, r#"{"a":1}"#));
    assert_eq!((claim.own_generation, claim.global_generation), (1, 1));
    let entry = claim.entry.clone().unwrap();
    assert_eq!((entry.module.as_str(), entry.function.as_str()), ("workflows.onboard", "onboard"));
    assert!(self::claim(&world, worker, 5).await.is_empty());

    let scoped = world.store.scoped(&claim.access);
    let line = LogLine { time: NOW, level: LogLevel::Info, message: "first".to_owned() };
    scoped.append_logs(id, &[line]).await.unwrap();
    assert!(scoped.finish(claim, finished(Status::Succeeded)).await.unwrap().is_some());
    assert!(scoped.finish(claim, finished(Status::Failed)).await.unwrap().is_none(), "only once");

    let execution = world.scoped(world.acme).execution(id).await.unwrap().unwrap();
    assert_eq!(execution.status, Status::Succeeded);
    assert_eq!(execution.result.unwrap().get(), "42");
    let logs = world.scoped(world.acme).logs(id, 0, 10).await.unwrap().unwrap();
    let lines: Vec<_> = logs.iter().map(|line| (line.seq, line.line.message.as_str())).collect();
    assert_eq!(lines, [(1, "first"), (2, "last")]);
    let globex = world.scoped(world.globex);
    assert!(globex.execution(id).await.unwrap().is_none());
    assert!(globex.logs(id, 0, 10).await.unwrap().is_none());
    assert!(globex.request_cancel(id, NOW).await.unwrap().is_none());
}

#[tokio::test]
async fn many_lines_are_kept_in_their_order() {
    let world = world_with_workflow(serde_json::json!({})).await;
    let id = enqueue(&world, world.acme).await;
    let claim = claim(&world, Uuid::now_v7(), 1).await.remove(0);
    let scoped = world.store.scoped(&claim.access);
    let line = |number: usize| LogLine {
        time: NOW,
        level: LogLevel::Info,
        message: format!("line {number}"),
    };
    let kept = async || {
        let logs = world.scoped(world.acme).logs(id, 0, 10_000).await.unwrap().unwrap();
        logs.into_iter().map(|line| (line.seq, line.line.message)).collect::<Vec<_>>()
    };
    let lines: Vec<_> = (1..=700).map(line).collect();
    scoped.append_logs(id, &lines).await.unwrap();
    let expected: Vec<_> = (1..=700).map(|number| (number, format!("line {number}"))).collect();
    assert_eq!(kept().await, expected);
    let nobody = ExecutionId(Uuid::now_v7());
    assert!(scoped.append_logs(nobody, &lines).await.is_err());
    assert!(scoped.finish(&claim, finished(Status::Succeeded)).await.unwrap().is_some());
    assert_eq!(kept().await.last().unwrap().1, "last");
}

#[tokio::test]
async fn a_dead_workers_execution_is_tried_again_and_then_lost() {
    let world = world_with_workflow(serde_json::json!({ "retries": 1 })).await;
    let id = enqueue(&world, world.acme).await;
    let (dead, other) = (Uuid::now_v7(), Uuid::now_v7());
    let first = claim(&world, dead, 5).await.remove(0);
    let rescue = world.store.system(Reason::Rescue);
    assert!(rescue.rescue(NOW).await.unwrap().is_empty(), "the lease still stands");
    let later = NOW.after(LEASE * 2);
    let rescued = rescue.rescue(later).await.unwrap();
    assert_eq!((rescued.len(), rescued[0].lost), (1, false));
    let scoped = world.store.scoped(&first.access);
    assert!(
        scoped.finish(&first, finished(Status::Succeeded)).await.unwrap().is_none(),
        "too late"
    );

    let second = world.store.system(Reason::Claim).claim(other, 5, LEASE, later).await.unwrap();
    assert_eq!(second.claims[0].attempt, 2);
    let rescued = rescue.rescue(later.after(LEASE * 2)).await.unwrap();
    assert_eq!((rescued.len(), rescued[0].lost), (1, true));
    let execution = world.scoped(world.acme).execution(id).await.unwrap().unwrap();
    assert_eq!((execution.status, execution.attempt), (Status::Lost, 2));
    assert!(rescue.rescue(later.after(LEASE * 9)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_beat_keeps_the_lease_and_tells_who_wants_to_stop() {
    let world = world_with_workflow(serde_json::json!({})).await;
    let id = enqueue(&world, world.acme).await;
    let worker = Uuid::now_v7();
    claim(&world, worker, 5).await;
    let scoped = world.scoped(world.acme);
    assert_eq!(scoped.request_cancel(id, NOW).await.unwrap(), Some(Status::Running));
    let system = world.store.system(Reason::Claim);
    let beat = system.beat(worker, LEASE, NOW.after(LEASE)).await.unwrap();
    assert_eq!((beat.held, beat.cancelled), (vec![id], vec![id]));
    assert!(world.store.system(Reason::Rescue).rescue(NOW.after(LEASE)).await.unwrap().is_empty());
    assert_eq!(system.beat(Uuid::now_v7(), LEASE, NOW).await.unwrap().held, []);
}

#[tokio::test]
async fn a_waiting_execution_is_cancelled_at_once() {
    let world = world_with_workflow(serde_json::json!({})).await;
    let id = enqueue(&world, world.acme).await;
    let scoped = world.scoped(world.acme);
    assert_eq!(scoped.request_cancel(id, NOW).await.unwrap(), Some(Status::Cancelled));
    assert_eq!(scoped.request_cancel(id, NOW).await.unwrap(), Some(Status::Cancelled));
    assert!(claim(&world, Uuid::now_v7(), 5).await.is_empty());
}

#[tokio::test]
async fn a_key_gives_the_same_execution_and_a_full_queue_refuses() {
    let world = world_with_workflow(serde_json::json!({})).await;
    let scoped = world.scoped(world.acme);
    let entry = scoped.workflow("onboard").await.unwrap().unwrap();
    let ask = async |key: Option<&str>, inputs: serde_json::Value| {
        let id = ExecutionId(Uuid::now_v7());
        let idempotency_key = key.map(str::to_owned);
        let workflow = &entry;
        let new = NewExecution {
            id,
            workflow,
            inputs,
            idempotency_key,
            place: store::Place::default(),
            max_queued: 1,
            now: NOW,
        };
        scoped.enqueue(new).await
    };
    let first = ask(Some("k"), serde_json::json!({})).await.unwrap();
    let again = ask(Some("k"), serde_json::json!({})).await.unwrap();
    assert_eq!((first.execution.id, again.created), (again.execution.id, false));
    let other = ask(Some("k"), serde_json::json!({ "b": 1 })).await;
    assert!(matches!(other, Err(EnqueueError::KeyReused)), "{other:?}");
    let full = ask(None, serde_json::json!({})).await;
    assert!(matches!(full, Err(EnqueueError::QueueFull(1))), "{full:?}");
}

#[tokio::test]
async fn a_hidden_file_hides_its_workflows_and_a_name_is_taken_once() {
    let world = world_with_workflow(serde_json::json!({})).await;
    let scoped = world.scoped(world.acme);
    let side = async || scoped.workflow("onboard").await.unwrap().map(|found| found.side);
    assert_eq!(side().await, Some(Side::Global));
    let own = vec![workflow("onboard", serde_json::json!({}))];
    world.write_with(world.acme, "workflows/onboard.py", "own", own.clone()).await;
    assert_eq!(side().await, Some(Side::Own));
    assert!(scoped.workflow("onboard").await.unwrap().unwrap().overrides);
    assert!(scoped.workflows(None, 10).await.unwrap()[0].overrides);
    world.write(world.acme, "workflows/onboard.py", "without").await;
    assert_eq!(side().await, None, "the organization's file has no such workflow any more");
    assert!(scoped.workflows(None, 10).await.unwrap().is_empty());
    let globex = world.scoped(world.globex).workflows(None, 10).await.unwrap();
    assert_eq!(globex.len(), 1);

    world.write_with(world.acme, "a.py", "a", own.clone()).await;
    let taken = store::WriteFile {
        path: FilePath::parse("b.py").unwrap(),
        content: b"b",
        message: None,
        source: "api",
        precondition: Precondition::None,
        workflows: own,
        now: NOW,
    };
    let taken = scoped.write_file(taken).await;
    assert!(matches!(taken, Err(WriteFileError::WorkflowTaken { .. })), "{taken:?}");
    assert!(world.read(world.acme, "b.py").await.is_none(), "nothing half written");
}

#[tokio::test]
async fn lists_are_newest_first_and_filtered() {
    let world = world_with_workflow(serde_json::json!({})).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(enqueue(&world, world.acme).await);
    }
    enqueue(&world, world.globex).await;
    world.scoped(world.acme).request_cancel(ids[1], NOW).await.unwrap();
    let list = async |status, workflow: Option<&str>, before| {
        let workflow = workflow.map(str::to_owned);
        let list = ListExecutions { status, workflow, options: false, before, limit: 10 };
        let found = world.scoped(world.acme).executions(list).await.unwrap();
        found.into_iter().map(|execution| execution.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, None).await, [ids[2], ids[1], ids[0]]);
    assert_eq!(list(None, None, Some(ids[1])).await, [ids[0]]);
    assert_eq!(list(Some(Status::Cancelled), None, None).await, [ids[1]]);
    assert_eq!(list(None, Some("onboard"), None).await.len(), 3);
    assert_eq!(list(Some(Status::Pending), Some("onboard"), None).await, [ids[2], ids[0]]);
    let operator = Access::for_operator(world.globex);
    let all =
        ListExecutions { status: None, workflow: None, options: false, before: None, limit: 10 };
    assert_eq!(world.store.scoped(&operator).executions(all).await.unwrap().len(), 1);
}
