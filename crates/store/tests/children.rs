//! Executions that runs start: whose they are, how deep they go, and the places of those that wait.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{
    ExecutionId, Scope, Timestamp,
    execution::{Outcome, Status},
};
use serde_json::json;
use std::time::Duration;
use store::{
    Back, ChildError, Claim, Enqueued, Finished, MAX_DEPTH, NewExecution, Place, Precondition,
    Reason, UpdateSettings, WorkflowEntry,
};
use testkit::{
    World,
    world::{NOW, workflow},
};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(3600);

async fn world(max_concurrent: u32) -> World {
    let world = World::new().await;
    world.write_with(Scope::Global, "w.py", "x", vec![workflow("w")]).await;
    let patch = json!({ "executions": { "max_concurrent": max_concurrent } });
    let (precondition, may_set_weight) = (Precondition::Any, true);
    let update = UpdateSettings { patch: &patch, precondition, may_set_weight, now: NOW };
    world.scoped(world.acme).update_settings(update).await.unwrap();
    world
}

fn asked(workflow: &WorkflowEntry, now: Timestamp) -> NewExecution<'_> {
    NewExecution {
        id: ExecutionId(Uuid::now_v7()),
        workflow,
        inputs: json!({}),
        idempotency_key: None,
        place: Place::default(),
        max_queued: 100,
        now,
    }
}

async fn start(
    world: &World,
    parent: Option<ExecutionId>,
    now: Timestamp,
) -> Result<Enqueued, ChildError> {
    let scoped = world.scoped(world.acme);
    let entry = scoped.workflow("w").await.unwrap().unwrap();
    let new = asked(&entry, now);
    match parent {
        Some(parent) => scoped.enqueue_child(parent, new).await,
        None => Ok(scoped.enqueue(new).await?),
    }
}

async fn child(world: &World, parent: ExecutionId, now: Timestamp) -> ExecutionId {
    start(world, Some(parent), now).await.unwrap().execution.id
}

async fn claim(world: &World, now: Timestamp) -> Option<Claim> {
    let system = world.store.system(Reason::Claim);
    system.claim(Uuid::now_v7(), 1, LEASE, now).await.unwrap().claims.pop()
}

async fn finish(world: &World, claim: &Claim, now: Timestamp) {
    let outcome =
        Outcome { status: Status::Succeeded, result: None, result_type: None, failure: None };
    let finished = Finished { outcome, modules: Vec::new(), logs: Vec::new(), now };
    world.store.scoped(&claim.access).finish(claim, finished).await.unwrap().unwrap();
}

async fn lend(world: &World, claim: &Claim, now: Timestamp) -> Option<u64> {
    world.store.scoped(&claim.access).lend_place(claim.lease(), now).await.unwrap()
}

async fn back(world: &World, claim: &Claim, now: Timestamp) -> Back {
    world.store.scoped(&claim.access).take_place_back(claim.lease(), now).await.unwrap()
}

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

#[tokio::test]
async fn a_child_is_its_parents_persons_and_says_how_deep_it_is() {
    let world = world(10).await;
    let mut parent = start(&world, None, NOW).await.unwrap().execution;
    for depth in 1..=MAX_DEPTH {
        let found = start(&world, Some(parent.id), NOW).await.unwrap().execution;
        assert_eq!((found.depth, found.parent), (depth, Some(parent.id)));
        assert_eq!(found.requested_by, parent.requested_by);
        let kept = world.scoped(world.acme).execution(found.id).await.unwrap().unwrap();
        assert_eq!((kept.depth, kept.parent), (depth, Some(parent.id)));
        parent = found;
    }
    let deeper = start(&world, Some(parent.id), NOW).await;
    assert!(matches!(deeper, Err(ChildError::TooDeep)), "{deeper:?}");
}

#[tokio::test]
async fn a_run_of_another_organization_is_no_parent() {
    let world = world(10).await;
    let ours = start(&world, None, NOW).await.unwrap().execution.id;
    let scoped = world.scoped(world.globex);
    let entry = scoped.workflow("w").await.unwrap().unwrap();
    let new = asked(&entry, NOW);
    let refused = scoped.enqueue_child(ours, new).await;
    assert!(matches!(refused, Err(ChildError::ParentStopped)), "{refused:?}");
}

#[tokio::test]
async fn with_one_place_three_generations_come_to_their_turn_before_those_behind_them() {
    let world = world(1).await;
    let first = start(&world, None, NOW).await.unwrap().execution.id;
    let behind = start(&world, None, later(1)).await.unwrap().execution.id;
    let parent = claim(&world, later(2)).await.unwrap();
    assert_eq!(parent.execution, first);
    let middle = child(&world, first, later(2)).await;
    assert!(claim(&world, later(2)).await.is_none(), "there is one place");
    assert_eq!(lend(&world, &parent, later(2)).await, Some(1));
    assert_eq!(lend(&world, &parent, later(2)).await, None, "it is lent already");
    let middle_run = claim(&world, later(3)).await.unwrap();
    assert_eq!(middle_run.execution, middle, "it stands where its parent stood");
    let last = child(&world, middle, later(3)).await;
    lend(&world, &middle_run, later(3)).await;
    let last_run = claim(&world, later(4)).await.unwrap();
    assert_eq!(last_run.execution, last);
    // Back, but the last one has the place: from here on nobody new comes between.
    assert_eq!(back(&world, &middle_run, later(5)).await, Back::NotYet);
    finish(&world, &last_run, later(6)).await;
    assert!(claim(&world, later(6)).await.is_none(), "the place is the middle one's");
    assert_eq!(back(&world, &middle_run, later(6)).await, Back::Seated);
    finish(&world, &middle_run, later(7)).await;
    assert_eq!(back(&world, &parent, later(7)).await, Back::Seated);
    assert!(claim(&world, later(7)).await.is_none(), "the parent has it again");
    finish(&world, &parent, later(8)).await;
    assert_eq!(claim(&world, later(9)).await.unwrap().execution, behind);
}

#[tokio::test]
async fn a_run_that_ends_while_its_place_is_lent_gives_none_back_twice() {
    for comes_back in [false, true] {
        let world = world(1).await;
        let first = start(&world, None, NOW).await.unwrap().execution.id;
        let parent = claim(&world, NOW).await.unwrap();
        child(&world, first, NOW).await;
        lend(&world, &parent, NOW).await;
        let run = claim(&world, NOW).await.unwrap();
        if comes_back {
            assert_eq!(back(&world, &parent, later(1)).await, Back::NotYet);
        }
        finish(&world, &parent, later(1)).await;
        for _ in 0..2 {
            start(&world, None, later(1)).await.unwrap();
        }
        assert!(claim(&world, later(1)).await.is_none(), "the child has the one place");
        finish(&world, &run, later(2)).await;
        assert!(claim(&world, later(2)).await.is_some());
        assert!(claim(&world, later(2)).await.is_none(), "there is still one place");
    }
}

#[tokio::test]
async fn a_worker_that_dies_while_its_run_waits_leaves_the_counters_right() {
    let world = world(1).await;
    start(&world, None, NOW).await.unwrap();
    let parent = claim(&world, NOW).await.unwrap();
    lend(&world, &parent, NOW).await;
    let dead = NOW.after(LEASE).after(Duration::from_secs(1));
    assert_eq!(world.store.system(Reason::Rescue).rescue(dead).await.unwrap().len(), 1);
    assert_eq!(back(&world, &parent, dead).await, Back::Gone);
    let again = claim(&world, dead).await.unwrap();
    assert_eq!((again.execution, again.attempt), (parent.execution, 2));
    start(&world, None, NOW).await.unwrap();
    assert!(claim(&world, dead).await.is_none());
    assert!(lend(&world, &again, dead).await.is_some(), "its place is its own again");
}

#[tokio::test]
async fn cancelling_stops_whatever_was_started_below_and_lets_nothing_new_begin() {
    let world = world(1).await;
    let first = start(&world, None, NOW).await.unwrap().execution.id;
    let parent = claim(&world, NOW).await.unwrap();
    let waits = child(&world, first, NOW).await;
    let below = child(&world, waits, NOW).await;
    let other = start(&world, None, NOW).await.unwrap().execution.id;
    let scoped = world.scoped(world.acme);
    scoped.request_cancel(first, later(1)).await.unwrap();
    for (id, expected) in [
        (first, Status::Running),
        (waits, Status::Cancelled),
        (below, Status::Cancelled),
        (other, Status::Pending),
    ] {
        assert_eq!(scoped.execution(id).await.unwrap().unwrap().status, expected);
    }
    let more = start(&world, Some(first), later(1)).await;
    assert!(matches!(more, Err(ChildError::ParentStopped)), "{more:?}");
    finish(&world, &parent, later(2)).await;
    assert_eq!(claim(&world, later(2)).await.unwrap().execution, other);
    assert!(claim(&world, later(2)).await.is_none());
}
