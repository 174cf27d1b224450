//! What is too old goes, with all that belongs to it; everything else stays.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{
    Actor, ExecutionId, Role, Scope, Timestamp, UserId,
    execution::{LogLevel, LogLine, Outcome, Status},
};
use jobs::{Clock, Retention};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use store::{
    Finished, ListExecutions, NewExecution, NewRefreshToken, NewUser, Precondition, Reason,
    UpdateSettings,
};
use testkit::{World, eventually, world::NOW};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct Scene {
    world: World,
    clock: Arc<Hand>,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        world.write_with(Scope::Global, "w.py", "x", vec![testkit::world::workflow("w")]).await;
        Self { world, clock: Arc::new(Hand(AtomicI64::new(NOW.0))) }
    }

    fn retention(&self) -> Retention {
        // Long enough that only the first look counts.
        Retention::new(self.world.store.clone(), self.clock.clone(), Duration::from_secs(3600))
    }

    async fn sweep(&self) -> (u64, u64, u64) {
        let removed = self.retention().sweep(&CancellationToken::new()).await.unwrap();
        (removed.executions, removed.lines, removed.tokens)
    }

    fn days_later(&self, days: i64) -> Timestamp {
        let now = Timestamp(NOW.0 + days * DAY);
        self.clock.0.store(now.0, Ordering::SeqCst);
        now
    }

    async fn enqueue(&self, scope: Scope, now: Timestamp) -> ExecutionId {
        let scoped = self.world.scoped(scope);
        let workflow = scoped.workflow("w").await.unwrap().unwrap();
        let new = NewExecution {
            id: ExecutionId(Uuid::now_v7()),
            workflow: &workflow,
            inputs: json!({}),
            idempotency_key: None,
            place: store::Place::default(),
            max_queued: 10_000,
            now,
        };
        scoped.enqueue(new).await.unwrap().execution.id
    }

    /// Runs all that waits to its end, with `lines` in each log.
    async fn run_all(&self, now: Timestamp, lines: usize) {
        let system = self.world.store.system(Reason::Claim);
        loop {
            let lease = Duration::from_secs(10);
            let claims = system.claim(Uuid::now_v7(), 16, lease, now).await.unwrap().claims;
            if claims.is_empty() {
                return;
            }
            for claim in claims {
                let outcome = Outcome {
                    status: Status::Succeeded,
                    result: None,
                    result_type: None,
                    failure: None,
                };
                let message = "line".to_owned();
                let line = LogLine { time: now, level: LogLevel::Info, message };
                let logs = vec![line; lines];
                let finished = Finished { outcome, modules: Vec::new(), logs, now };
                let scoped = self.world.store.scoped(&claim.access);
                scoped.finish(&claim, finished).await.unwrap().unwrap();
            }
        }
    }

    async fn left(&self, scope: Scope) -> usize {
        let list = ListExecutions {
            status: None,
            workflow: None,
            options: false,
            before: None,
            limit: 1000,
        };
        self.world.scoped(scope).executions(list).await.unwrap().len()
    }

    async fn keep(&self, scope: Scope, days: u32) {
        let patch = json!({ "executions": { "retention_days": days } });
        let (precondition, may_set_weight) = (Precondition::Any, false);
        let update = UpdateSettings { patch: &patch, precondition, may_set_weight, now: NOW };
        self.world.scoped(scope).update_settings(update).await.unwrap();
    }
}

#[tokio::test]
async fn each_organization_keeps_its_executions_for_as_long_as_it_says() {
    let scene = Scene::new().await;
    let (acme, globex) = (scene.world.acme, scene.world.globex);
    scene.keep(globex, 5).await;
    for scope in [acme, globex, Scope::Global] {
        scene.enqueue(scope, NOW).await;
    }
    scene.run_all(NOW, 3).await;
    scene.days_later(5);
    assert_eq!(scene.sweep().await, (0, 0, 0), "not older than it may be");
    let now = scene.days_later(6);
    scene.enqueue(globex, now).await;
    scene.run_all(now, 1).await;
    assert_eq!(scene.sweep().await, (1, 3, 0));
    assert_eq!((scene.left(acme).await, scene.left(globex).await), (1, 1));
    scene.days_later(31);
    assert_eq!(scene.sweep().await, (3, 7, 0), "Global's as well");
    assert_eq!(scene.sweep().await, (0, 0, 0));
}

#[tokio::test]
async fn what_waits_or_runs_stays_however_old_it_is() {
    let scene = Scene::new().await;
    let acme = scene.world.acme;
    scene.keep(acme, 1).await;
    let running = scene.enqueue(acme, NOW).await;
    let system = scene.world.store.system(Reason::Claim);
    system.claim(Uuid::now_v7(), 1, Duration::from_secs(10), NOW).await.unwrap();
    let waiting = scene.enqueue(acme, NOW).await;
    let cancelled = scene.enqueue(acme, NOW).await;
    scene.world.scoped(acme).request_cancel(cancelled, NOW).await.unwrap();
    scene.days_later(1000);
    assert_eq!(scene.sweep().await, (1, 0, 0));
    for (id, status) in [(running, Status::Running), (waiting, Status::Pending)] {
        let execution = scene.world.scoped(acme).execution(id).await.unwrap().unwrap();
        assert_eq!(execution.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_remove_more_than_a_bite_while_others_write() {
    let scene = Arc::new(Scene::new().await);
    let acme = scene.world.acme;
    for _ in 0..130 {
        scene.enqueue(acme, NOW).await;
    }
    scene.run_all(NOW, 40).await;
    let now = scene.days_later(31);
    let sweeps = [0; 3].map(|_| {
        let scene = scene.clone();
        tokio::spawn(async move { scene.sweep().await })
    });
    let new = scene.enqueue(acme, now).await;
    let mut removed = (0, 0);
    for sweep in sweeps {
        let (executions, lines, _) = sweep.await.unwrap();
        removed = (removed.0 + executions, removed.1 + lines);
    }
    assert_eq!(removed, (130, 130 * 40), "each by one of them");
    assert!(scene.world.scoped(acme).execution(new).await.unwrap().is_some());
}

#[tokio::test]
async fn refresh_tokens_go_a_week_after_they_ran_out() {
    let scene = Scene::new().await;
    let acme = scene.world.acme;
    let id = UserId(Uuid::now_v7());
    let email = "a@acme.test".to_owned();
    let new = NewUser {
        id,
        email: email.clone(),
        name: "Ada".to_owned(),
        role: Role::Ops,
        password_hash: None,
        now: NOW,
    };
    scene.world.scoped(acme).create_user(new).await.unwrap();
    let person = Actor::User { id, email, acting: None };
    for (n, days) in [(1u8, 1), (2, 30)] {
        let token = NewRefreshToken {
            hash: [n; 32],
            family: Uuid::now_v7(),
            user: id,
            expires_at: Timestamp(NOW.0 + days * DAY),
            now: NOW,
        };
        let system = scene.world.store.system(Reason::SignIn);
        system.create_refresh_token(acme, token, &person).await.unwrap();
    }
    scene.days_later(8);
    assert_eq!(scene.sweep().await, (0, 0, 0));
    scene.days_later(9);
    assert_eq!(scene.sweep().await, (0, 0, 1), "the other one is still good");
}

#[tokio::test]
async fn it_looks_at_its_start_and_stops_when_told() {
    let scene = Scene::new().await;
    scene.enqueue(scene.world.acme, NOW).await;
    scene.run_all(NOW, 1).await;
    scene.days_later(31);
    let stop = CancellationToken::new();
    let running = tokio::spawn(scene.retention().run(stop.clone()));
    let gone = async || (scene.left(scene.world.acme).await == 0).then_some(());
    eventually("the old execution goes", gone).await;
    stop.cancel();
    running.await.unwrap();
}
