//! A failed execution is tried again when its workflow says so, later each time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{
    ExecutionId, Scope, Timestamp,
    execution::{Failure, Outcome, Status},
};
use serde_json::json;
use std::time::Duration;
use store::{Claim, Ended, Finished, NewExecution, Place, Reason};
use testkit::{
    World,
    world::{NOW, workflow},
};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(10);

async fn world(options: serde_json::Value) -> (World, ExecutionId) {
    let world = World::new().await;
    let mut found = workflow("w");
    found.options = options.as_object().unwrap().clone();
    world.write_with(Scope::Global, "w.py", "x", vec![found]).await;
    let scoped = world.scoped(world.acme);
    let entry = scoped.workflow("w").await.unwrap().unwrap();
    let id = ExecutionId(Uuid::now_v7());
    let (workflow, inputs, idempotency_key) = (&entry, json!({}), None);
    let (place, max_queued, now) = (Place::default(), 10, NOW);
    let new = NewExecution { id, workflow, inputs, idempotency_key, place, max_queued, now };
    scoped.enqueue(new).await.unwrap();
    (world, id)
}

async fn claim(world: &World, now: Timestamp) -> Option<Claim> {
    let system = world.store.system(Reason::Claim);
    system.promote(now).await.unwrap();
    system.claim(Uuid::now_v7(), 9, LEASE, now).await.unwrap().claims.pop()
}

async fn end(world: &World, claim: &Claim, status: Status, now: Timestamp) -> Option<Ended> {
    let (kind, message) = ("ValueError".to_owned(), "no such ticket".to_owned());
    let failure = Some(Failure { kind, message, traceback: String::new(), details: None });
    let outcome = Outcome { status, result: None, result_type: None, failure };
    let finished = Finished { outcome, modules: Vec::new(), logs: Vec::new(), now };
    world.store.scoped(&claim.access).finish(claim, finished).await.unwrap()
}

async fn status(world: &World, id: ExecutionId) -> (Status, u32) {
    let found = world.scoped(world.acme).execution(id).await.unwrap().unwrap();
    (found.status, found.attempt)
}

#[tokio::test]
async fn each_attempt_comes_later_and_the_last_outcome_stays() {
    let (world, id) = world(json!({ "retries": 2, "retry_delay": 4 })).await;
    let mut now = NOW;
    for (attempt, least) in [(1, 4), (2, 8)] {
        let held = claim(&world, now).await.unwrap();
        assert_eq!(held.attempt, attempt);
        let again = end(&world, &held, Status::Failed, now).await.unwrap().again.unwrap();
        let pause = again.0 - now.0;
        assert!((least * 1_000_000..=least * 1_250_000).contains(&pause), "{pause}");
        assert_eq!(status(&world, id).await, (Status::Pending, attempt));
        assert!(claim(&world, Timestamp(again.0 - 1)).await.is_none(), "not before its time");
        assert!(end(&world, &held, Status::Succeeded, now).await.is_none(), "it is not held");
        now = again;
    }
    let held = claim(&world, now).await.unwrap();
    assert_eq!(end(&world, &held, Status::TimedOut, now).await.unwrap().again, None);
    assert_eq!(status(&world, id).await, (Status::TimedOut, 3));
    assert!(claim(&world, now.after(LEASE * 1_000)).await.is_none());
    let lines = world.scoped(world.acme).logs(id, 0, 10).await.unwrap().unwrap();
    let lines: Vec<_> = lines.iter().map(|it| it.line.message.as_str()).collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("attempt 1 of 3 failed (ValueError: no such ticket)"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn without_retries_a_failure_is_final() {
    let (world, id) = world(json!({})).await;
    let held = claim(&world, NOW).await.unwrap();
    assert_eq!(end(&world, &held, Status::Failed, NOW).await.unwrap().again, None);
    assert_eq!(status(&world, id).await, (Status::Failed, 1));
}

#[tokio::test]
async fn whoever_was_cancelled_is_not_tried_again() {
    let (world, id) = world(json!({ "retries": 5 })).await;
    let held = claim(&world, NOW).await.unwrap();
    assert_eq!(end(&world, &held, Status::Cancelled, NOW).await.unwrap().again, None);
    assert_eq!(status(&world, id).await, (Status::Cancelled, 1));
}

#[tokio::test]
async fn a_failure_after_a_cancel_is_the_end() {
    let (world, id) = world(json!({ "retries": 5 })).await;
    let held = claim(&world, NOW).await.unwrap();
    world.scoped(world.acme).request_cancel(id, NOW).await.unwrap();
    assert_eq!(end(&world, &held, Status::Failed, NOW).await.unwrap().again, None);
    assert_eq!(status(&world, id).await, (Status::Failed, 1));
}

#[tokio::test]
async fn what_waits_for_its_next_attempt_is_cancelled_at_once() {
    let (world, id) = world(json!({ "retries": 5 })).await;
    let held = claim(&world, NOW).await.unwrap();
    end(&world, &held, Status::Crashed, NOW).await.unwrap().again.unwrap();
    let scoped = world.scoped(world.acme);
    assert_eq!(scoped.request_cancel(id, NOW).await.unwrap(), Some(Status::Cancelled));
    assert!(claim(&world, NOW.after(LEASE * 1_000)).await.is_none());
}

#[tokio::test]
async fn a_dead_worker_counts_as_an_attempt_and_needs_no_pause() {
    let (world, id) = world(json!({ "retries": 1 })).await;
    claim(&world, NOW).await.unwrap();
    let later = NOW.after(LEASE * 2);
    assert_eq!(world.store.system(Reason::Rescue).rescue(later).await.unwrap().len(), 1);
    let held = claim(&world, later).await.unwrap();
    assert_eq!(held.attempt, 2);
    assert_eq!(end(&world, &held, Status::Failed, later).await.unwrap().again, None);
    assert_eq!(status(&world, id).await, (Status::Failed, 2));
}
