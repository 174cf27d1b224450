//! Who is next: organizations by weight, and within one the most urgent and oldest first. Time is
//! simulated; an execution takes as long as the test says.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

use domain::{
    ExecutionId, Scope, Timestamp,
    execution::{Outcome, Status},
};
use serde_json::json;
use std::time::{Duration, Instant};
use store::{
    Claim, EnqueueError, Finished, NewExecution, Place, Precondition, Reason, UpdateSettings,
};
use testkit::{
    World,
    world::{NOW, create_organization, workflow},
};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(3600);

async fn world() -> World {
    let world = World::new().await;
    world.write_with(Scope::Global, "w.py", "x", vec![workflow("w")]).await;
    world
}

async fn enqueue(world: &World, scope: Scope, times: u32, place: Place, now: Timestamp) {
    let scoped = world.scoped(scope);
    let entry = scoped.workflow("w").await.unwrap().unwrap();
    for _ in 0..times {
        let id = ExecutionId(Uuid::now_v7());
        let (workflow, inputs, idempotency_key) = (&entry, json!({}), None);
        let max_queued = 100_000;
        let new = NewExecution { id, workflow, inputs, idempotency_key, place, max_queued, now };
        scoped.enqueue(new).await.unwrap();
    }
}

async fn set(world: &World, scope: Scope, executions: serde_json::Value) {
    let patch = json!({ "executions": executions });
    let (precondition, may_set_weight) = (Precondition::Any, true);
    let update = UpdateSettings { patch: &patch, precondition, may_set_weight, now: NOW };
    world.scoped(scope).update_settings(update).await.unwrap();
}

async fn claim(world: &World, limit: u32, now: Timestamp) -> Vec<Claim> {
    let system = world.store.system(Reason::Claim);
    system.claim(Uuid::now_v7(), limit, LEASE, now).await.unwrap().claims
}

async fn finish(world: &World, claim: &Claim, now: Timestamp) {
    let outcome =
        Outcome { status: Status::Succeeded, result: None, result_type: None, failure: None };
    let finished = Finished { outcome, modules: Vec::new(), logs: Vec::new(), now };
    world.store.scoped(&claim.access).finish(claim, finished).await.unwrap().unwrap();
}

/// Slots that run executions over a simulated clock, the same time each for an organization.
struct Slots<'a> {
    world: &'a World,
    free: u32,
    running: Vec<(Timestamp, Claim)>,
    now: Timestamp,
}

impl<'a> Slots<'a> {
    fn new(world: &'a World, free: u32) -> Self {
        Self { world, free, running: Vec::new(), now: NOW }
    }

    /// Starts what can be, and lets the next one end; of whom it was.
    async fn step(&mut self, takes: impl Fn(Scope) -> Duration) -> Option<Scope> {
        if self.free > 0 {
            for claim in claim(self.world, self.free, self.now).await {
                self.free -= 1;
                self.running.push((self.now.after(takes(claim.access.scope())), claim));
            }
        }
        let next = (0..self.running.len()).min_by_key(|at| self.running[*at].0)?;
        let (ends, claim) = self.running.swap_remove(next);
        self.now = ends;
        finish(self.world, &claim, ends).await;
        self.free += 1;
        Some(claim.access.scope())
    }
}

#[tokio::test]
async fn shares_follow_weights_within_five_percent_over_a_thousand_completions() {
    let world = world().await;
    let third = create_organization(&world.store, "third").await;
    for (scope, weight) in [(world.acme, 1), (world.globex, 2), (third, 5)] {
        set(&world, scope, json!({ "weight": weight, "max_concurrent": 100 })).await;
        enqueue(&world, scope, 800, Place::default(), NOW).await;
    }
    let mut slots = Slots::new(&world, 4);
    let mut ended = Vec::new();
    for _ in 0..1_000 {
        ended.push(slots.step(|_| Duration::from_millis(50)).await.unwrap());
    }
    for (scope, due) in [(world.acme, 125.0), (world.globex, 250.0), (third, 625.0)] {
        let count = ended.iter().filter(|of| **of == scope).count() as f64;
        println!("{count} of {due}");
        assert!((count - due).abs() <= 50.0, "{count} of {due}");
    }
}

#[tokio::test]
async fn who_takes_ten_times_as_long_gets_a_tenth_of_the_starts() {
    let world = world().await;
    enqueue(&world, world.acme, 100, Place::default(), NOW).await;
    enqueue(&world, world.globex, 500, Place::default(), NOW).await;
    let mut slots = Slots::new(&world, 2);
    let mut long = 0;
    for _ in 0..330 {
        let takes = |scope| Duration::from_millis(if scope == world.acme { 1_000 } else { 100 });
        long += usize::from(slots.step(takes).await.unwrap() == world.acme);
    }
    assert!((25..=36).contains(&long), "{long} of 330");
}

#[tokio::test]
async fn a_single_execution_beside_thousands_starts_with_the_next_free_place() {
    let many = if std::env::var_os("BIFROST_FULL").is_some() { 10_000 } else { 500 };
    let world = world().await;
    set(&world, world.acme, json!({ "max_concurrent": 1000 })).await;
    enqueue(&world, world.acme, many, Place::default(), NOW).await;
    let mut slots = Slots::new(&world, 4);
    for _ in 0..40 {
        slots.step(|_| Duration::from_secs(2)).await;
    }
    for _ in 0..3 {
        enqueue(&world, world.globex, 1, Place::default(), slots.now).await;
        let asked = slots.now;
        let began = Instant::now();
        while slots.step(|_| Duration::from_secs(2)).await != Some(world.globex) {}
        let waited = slots.now.0 - asked.0;
        println!("its end after {waited} simulated µs, {:?} of work", began.elapsed());
        assert!(waited <= 4_000_000, "one running one, and its own: {waited}");
    }
}

#[tokio::test]
async fn what_was_used_alone_is_no_debt_and_a_pause_is_no_credit() {
    let world = world().await;
    enqueue(&world, world.acme, 200, Place::default(), NOW).await;
    let mut slots = Slots::new(&world, 1);
    for _ in 0..100 {
        slots.step(|_| Duration::from_secs(1)).await;
    }
    enqueue(&world, world.globex, 100, Place::default(), slots.now).await;
    let mut of_globex = 0;
    for _ in 0..60 {
        of_globex += u32::from(slots.step(|_| Duration::from_secs(1)).await == Some(world.globex));
    }
    assert!((29..=31).contains(&of_globex), "{of_globex} of 60");
}

#[tokio::test]
async fn the_urgent_go_first_within_their_organization_only() {
    let world = world().await;
    let at = |priority| Place { priority: Some(priority), start_at: None };
    for priority in [-10, 0, 10, 5, 0] {
        enqueue(&world, world.acme, 1, at(priority), NOW).await;
    }
    enqueue(&world, world.globex, 1, at(-10), NOW).await;
    let mut order = Vec::new();
    while let Some(claim) = claim(&world, 1, NOW).await.pop() {
        finish(&world, &claim, NOW).await;
        let scope = claim.access.scope();
        let found = world.scoped(scope).execution(claim.execution).await.unwrap().unwrap();
        order.push((scope, found.priority));
    }
    let acme: Vec<_> = order.iter().filter(|it| it.0 == world.acme).map(|it| it.1).collect();
    assert_eq!(acme, [10, 5, 0, 0, -10]);
    let globex = order.iter().position(|it| it.0 == world.globex).unwrap();
    assert!(globex <= 1, "priorities are its own affair: {order:?}");
}

#[tokio::test]
async fn a_delayed_execution_waits_for_its_time_and_counts_as_queued() {
    let world = world().await;
    let (soon, later) = (NOW.after(Duration::from_secs(5)), NOW.after(Duration::from_secs(60)));
    let at = |start_at| Place { priority: None, start_at: Some(start_at) };
    enqueue(&world, world.acme, 1, at(later), NOW).await;
    enqueue(&world, world.acme, 2, at(soon), NOW).await;
    enqueue(&world, world.globex, 1, at(soon), NOW).await;
    assert!(claim(&world, 9, NOW).await.is_empty());
    let system = world.store.system(Reason::Claim);
    assert_eq!(system.promote(NOW).await.unwrap(), 0);
    assert_eq!(system.promote(soon).await.unwrap(), 3);
    let claims = claim(&world, 9, soon).await;
    assert_eq!(claims.len(), 3);
    let globex = world.scoped(world.globex);
    let list = store::ListExecutions {
        status: None,
        workflow: None,
        options: false,
        before: None,
        limit: 1,
    };
    let id = globex.executions(list).await.unwrap()[0].id;
    let found = globex.execution(id).await.unwrap().unwrap();
    assert_eq!(found.start_at, Some(soon));

    let scoped = world.scoped(world.acme);
    let entry = scoped.workflow("w").await.unwrap().unwrap();
    let new = NewExecution {
        id: ExecutionId(Uuid::now_v7()),
        workflow: &entry,
        inputs: json!({}),
        idempotency_key: None,
        place: Place::default(),
        max_queued: 1,
        now: soon,
    };
    let full = scoped.enqueue(new).await;
    assert!(matches!(full, Err(EnqueueError::QueueFull(1))), "{full:?}");
}

#[tokio::test]
async fn a_delayed_execution_is_cancelled_and_makes_room() {
    let world = world().await;
    let start_at = Some(NOW.after(Duration::from_secs(5)));
    enqueue(&world, world.acme, 1, Place { priority: None, start_at }, NOW).await;
    let scoped = world.scoped(world.acme);
    let list = store::ListExecutions {
        status: None,
        workflow: None,
        options: false,
        before: None,
        limit: 9,
    };
    let id = scoped.executions(list).await.unwrap()[0].id;
    assert_eq!(scoped.request_cancel(id, NOW).await.unwrap(), Some(Status::Cancelled));
    let system = world.store.system(Reason::Claim);
    assert_eq!(system.promote(NOW.after(LEASE)).await.unwrap(), 0);
    let entry = scoped.workflow("w").await.unwrap().unwrap();
    let new = NewExecution {
        id: ExecutionId(Uuid::now_v7()),
        workflow: &entry,
        inputs: json!({}),
        idempotency_key: None,
        place: Place::default(),
        max_queued: 1,
        now: NOW,
    };
    scoped.enqueue(new).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_are_let_in_than_may_wait_however_many_ask_at_once() {
    let world = std::sync::Arc::new(world().await);
    let asking: Vec<_> = (0..30)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move {
                let scoped = world.scoped(world.acme);
                let entry = scoped.workflow("w").await.unwrap().unwrap();
                let new = NewExecution {
                    id: ExecutionId(Uuid::now_v7()),
                    workflow: &entry,
                    inputs: json!({}),
                    idempotency_key: None,
                    place: Place::default(),
                    max_queued: 7,
                    now: NOW,
                };
                scoped.enqueue(new).await.is_ok()
            })
        })
        .collect();
    let mut let_in = 0;
    for one in asking {
        let_in += u32::from(one.await.unwrap());
    }
    assert_eq!(let_in, 7);
    assert_eq!(claim(&world, 100, NOW).await.len(), 7, "what was refused left nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_is_one_execution_however_many_ask_at_once() {
    let world = std::sync::Arc::new(world().await);
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move {
                let scoped = world.scoped(world.acme);
                let entry = scoped.workflow("w").await.unwrap().unwrap();
                let new = NewExecution {
                    id: ExecutionId(Uuid::now_v7()),
                    workflow: &entry,
                    inputs: json!({ "same": true }),
                    idempotency_key: Some("once".to_owned()),
                    place: Place::default(),
                    max_queued: 100,
                    now: NOW,
                };
                let enqueued = scoped.enqueue(new).await.unwrap();
                (enqueued.execution.id, enqueued.created)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for one in asking {
        answers.push(one.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|(_, created)| *created).count(), 1);
    assert!(answers.iter().all(|(id, _)| *id == answers[0].0));
    assert_eq!(claim(&world, 100, NOW).await.len(), 1);
}
