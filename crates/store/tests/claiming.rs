//! Claims keep to what an organization may run at a time, whoever asks, and cost the same whatever
//! waits.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

use domain::{ExecutionId, Scope, analysis::Workflow};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::json;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use store::{Claim, Finished, NewExecution, Precondition, Reason, UpdateSettings};
use testkit::{
    World,
    world::{NOW, database_url},
};
use tokio::task::JoinSet;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(10);

async fn world() -> World {
    let world = World::new().await;
    let found = vec![Workflow {
        name: "onboard".to_owned(),
        function: "onboard".to_owned(),
        line: 1,
        description: String::new(),
        is_async: false,
        parameters: serde_json::json!({ "type": "object" }),
        options: serde_json::Map::new(),
    }];
    world.write_with(Scope::Global, "workflows/onboard.py", "x", found).await;
    world
}

async fn enqueue(world: &World, scope: Scope, times: u32) {
    let scoped = world.scoped(scope);
    let entry = scoped.workflow("onboard").await.unwrap().unwrap();
    for _ in 0..times {
        let new = NewExecution {
            id: ExecutionId(Uuid::now_v7()),
            workflow: &entry,
            inputs: serde_json::json!({}),
            idempotency_key: None,
            place: store::Place::default(),
            max_queued: 1_000_000,
            now: NOW,
        };
        scoped.enqueue(new).await.unwrap();
    }
}

#[tokio::test]
async fn a_claim_costs_the_same_whatever_waits() {
    let many = if std::env::var_os("BIFROST_FULL").is_some() { 10_000 } else { 500 };
    let world = world().await;
    for waiting in [1, many] {
        let before = Instant::now();
        enqueue(&world, world.acme, waiting).await;
        println!("{waiting} enqueued, each {:?}", before.elapsed() / waiting);
        enqueue(&world, world.globex, 100).await;
        let (mut claimed, mut took, mut ended) = (0u32, Duration::ZERO, Duration::ZERO);
        for _ in 0..100 {
            let before = Instant::now();
            let claims = world
                .store
                .system(Reason::Claim)
                .claim(Uuid::now_v7(), 1, LEASE, NOW)
                .await
                .unwrap()
                .claims;
            took += before.elapsed();
            claimed += claims.len() as u32;
            for claim in claims {
                let before = Instant::now();
                finish(&world, &claim).await;
                ended += before.elapsed();
            }
        }
        println!("claim {:?}, end {:?}", took / 100, ended / claimed);
    }
}

async fn finish(world: &World, claim: &Claim) {
    let status = domain::execution::Status::Succeeded;
    let outcome =
        domain::execution::Outcome { status, result: None, result_type: None, failure: None };
    let finished = Finished { outcome, modules: Vec::new(), logs: Vec::new(), now: NOW };
    world.store.scoped(&claim.access).finish(claim, finished).await.unwrap();
}

async fn claim(world: &World, limit: u32) -> Vec<Claim> {
    let system = world.store.system(Reason::Claim);
    system.claim(Uuid::now_v7(), limit, LEASE, NOW).await.unwrap().claims
}

/// How many of each organization there are.
fn of(world: &World, claims: &[Claim]) -> (usize, usize) {
    let count = |scope| claims.iter().filter(|claim| claim.access.scope() == scope).count();
    (count(world.acme), count(world.globex))
}

async fn allow(world: &World, scope: Scope, max_concurrent: u32) {
    let patch = json!({ "executions": { "max_concurrent": max_concurrent } });
    let (precondition, may_set_weight) = (Precondition::Any, false);
    let update = UpdateSettings { patch: &patch, precondition, may_set_weight, now: NOW };
    world.scoped(scope).update_settings(update).await.unwrap();
}

#[tokio::test]
async fn one_claim_takes_no_more_than_may_run_and_reaches_those_behind() {
    let world = world().await;
    allow(&world, world.acme, 3).await;
    enqueue(&world, world.acme, 20).await;
    enqueue(&world, world.globex, 2).await;
    let first = claim(&world, 16).await;
    assert_eq!(of(&world, &first), (3, 2));
    assert!(claim(&world, 16).await.is_empty());
    finish(&world, &first[0]).await;
    assert_eq!(of(&world, &claim(&world, 16).await), (1, 0));
}

#[tokio::test]
async fn the_oldest_go_first() {
    let world = world().await;
    allow(&world, world.acme, 2).await;
    enqueue(&world, world.acme, 6).await;
    let mut order = Vec::new();
    while let Some(next) = claim(&world, 1).await.pop() {
        finish(&world, &next).await;
        order.push(next.execution.0);
    }
    assert_eq!(order.len(), 6);
    assert!(order.is_sorted());
}

#[tokio::test]
async fn a_changed_limit_counts_from_the_next_claim_on() {
    let world = world().await;
    enqueue(&world, world.acme, 30).await;
    let mut running = claim(&world, 16).await;
    assert_eq!(running.len(), 10, "the default");
    allow(&world, world.acme, 12).await;
    running.extend(claim(&world, 16).await);
    assert_eq!(running.len(), 12);
    allow(&world, world.acme, 3).await;
    for over in 0..9 {
        finish(&world, &running.pop().unwrap()).await;
        assert!(claim(&world, 16).await.is_empty(), "{over} ended, {} run", running.len());
    }
    finish(&world, &running.pop().unwrap()).await;
    running.extend(claim(&world, 16).await);
    assert_eq!(running.len(), 3);
    // Lowered and raised again with nothing running: nobody has lost their place for good.
    allow(&world, world.acme, 1).await;
    allow(&world, world.acme, 1000).await;
    running.extend(claim(&world, 100).await);
    assert_eq!(running.len(), 30 - 10);
}

#[tokio::test]
async fn what_comes_back_from_a_dead_worker_keeps_to_the_limit_of_now() {
    let world = world().await;
    enqueue(&world, world.acme, 4).await;
    let system = world.store.system(Reason::Claim);
    system.claim(Uuid::now_v7(), 2, LEASE, NOW).await.unwrap();
    let later = NOW.after(LEASE * 3);
    let alive = system.claim(Uuid::now_v7(), 2, LEASE, later).await.unwrap().claims;
    allow(&world, world.acme, 2).await;
    assert_eq!(world.store.system(Reason::Rescue).rescue(later).await.unwrap().len(), 2);
    assert!(system.claim(Uuid::now_v7(), 9, LEASE, later).await.unwrap().claims.is_empty());
    finish(&world, &alive[0]).await;
    assert_eq!(system.claim(Uuid::now_v7(), 9, LEASE, later).await.unwrap().claims.len(), 1);
}

#[tokio::test]
async fn a_cancelled_execution_gives_its_place_to_the_next() {
    let world = world().await;
    allow(&world, world.acme, 1).await;
    enqueue(&world, world.acme, 2).await;
    let list = store::ListExecutions {
        status: None,
        workflow: None,
        options: false,
        before: None,
        limit: 9,
    };
    let all = world.scoped(world.acme).executions(list).await.unwrap();
    let (newest, oldest) = (all[0].id, all[1].id);
    world.scoped(world.acme).request_cancel(oldest, NOW).await.unwrap();
    assert_eq!(claim(&world, 9).await[0].execution, newest);
}

#[tokio::test]
async fn what_waited_before_the_limit_was_known_finds_its_place() {
    let world = world().await;
    enqueue(&world, world.acme, 15).await;
    enqueue(&world, world.globex, 1).await;
    let running = claim(&world, 2).await;
    while world
        .store
        .migration_status()
        .await
        .unwrap()
        .iter()
        .any(|it| it.applied && it.name == "m0005_settings")
    {
        world.store.migrate_down(Some(1)).await.unwrap();
    }
    world.store.migrate_up().await.unwrap();
    assert_eq!(of(&world, &running), (1, 1), "each organization in turn");
    assert_eq!(of(&world, &claim(&world, 100).await), (9, 0));
    finish(&world, &running[0]).await;
    finish(&world, &running[1]).await;
    assert_eq!(of(&world, &claim(&world, 100).await), (1, 0));
}

/// Executions of an organization that a worker holds, and as many as it may run: by its own rows.
const LEASED: &str = "SELECT (SELECT COUNT(*) FROM job_queue WHERE worker IS NOT NULL
        AND organization_id = queue_lanes.organization_id) AS leased, running, waiting,
    (SELECT COUNT(*) FROM job_queue WHERE worker IS NULL AND NOT delayed
        AND organization_id = queue_lanes.organization_id) AS ready,
    max_concurrent FROM queue_lanes WHERE max_concurrent < 10";

async fn numbers(raw: &DatabaseConnection, sql: &str, names: &[&str]) -> Vec<i64> {
    let statement = Statement::from_string(raw.get_database_backend(), sql);
    let row = raw.query_one_raw(statement).await.unwrap().unwrap();
    names.iter().map(|name| row.try_get("", name).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_workers_together_never_exceed_a_limit_and_take_each_execution_once() {
    let world = Arc::new(world().await);
    allow(&world, world.acme, 4).await;
    enqueue(&world, world.acme, 150).await;
    enqueue(&world, world.globex, 150).await;
    let ended = Arc::new(Mutex::new(Vec::new()));
    let mut workers: JoinSet<_> = (0..8)
        .map(|number| {
            let (world, ended) = (world.clone(), ended.clone());
            async move {
                while ended.lock().unwrap().len() < 300 {
                    for claim in claim(&world, 1 + number % 4).await {
                        finish(&world, &claim).await;
                        ended.lock().unwrap().push(claim.execution);
                    }
                }
            }
        })
        .collect();
    let raw = Database::connect(database_url(&world.directory)).await.unwrap();
    let (mut looks, mut most) = (0, 0);
    while ended.lock().unwrap().len() < 300 {
        workers.try_join_next().into_iter().for_each(Result::unwrap);
        let found =
            numbers(&raw, LEASED, &["leased", "running", "waiting", "ready", "max_concurrent"]);
        let [leased, running, waiting, ready, allowed] = found.await[..] else { panic!() };
        assert!(leased <= allowed, "{leased} of {allowed}");
        assert_eq!((leased, ready), (running, waiting), "the lane counts what is there");
        (looks, most) = (looks + 1, most.max(leased));
    }
    while let Some(done) = workers.join_next().await {
        done.unwrap();
    }
    let mut ended = ended.lock().unwrap().clone();
    ended.sort_by_key(|id| id.0);
    ended.dedup();
    assert_eq!(ended.len(), 300, "each was taken once");
    println!("{looks} looks, up to {most} at a time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_changes_under_many_workers_is_kept() {
    let world = Arc::new(world().await);
    enqueue(&world, world.acme, 200).await;
    let ended = Arc::new(AtomicU32::new(0));
    let mut workers: JoinSet<_> = (0..6)
        .map(|_| {
            let (world, ended) = (world.clone(), ended.clone());
            async move {
                while ended.load(Ordering::SeqCst) < 200 {
                    for claim in claim(&world, 3).await {
                        finish(&world, &claim).await;
                        ended.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        })
        .collect();
    for limit in [9, 2, 5, 1, 7, 3] {
        allow(&world, world.acme, limit).await;
    }
    while let Some(done) = workers.join_next().await {
        done.unwrap();
    }
    let raw = Database::connect(database_url(&world.directory)).await.unwrap();
    let left = numbers(&raw, LEASED, &["leased", "running", "waiting", "ready", "max_concurrent"]);
    assert_eq!(left.await, [0, 0, 0, 0, 3]);
}
