//! A worker's side of the queue: waiting, holding, being told to stop, losing a lease.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{
    ExecutionId, Timestamp,
    execution::{Outcome, Status},
};
use jobs::{Bells, Clock, Held, LEASE, Work};
use std::{sync::Arc, time::Duration};
use store::{Finished, NewExecution};
use testkit::{World, world::NOW};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Long enough for any machine; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(30);

struct Still(Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
}

struct Scene {
    world: World,
    bells: Bells,
    stop: CancellationToken,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        world.write_with(world.acme, "w.py", "x", vec![testkit::world::workflow("w")]).await;
        Self { world, bells: Bells::default(), stop: CancellationToken::new() }
    }

    fn worker(&self, now: Timestamp) -> Work {
        let work = Work::new(self.world.store.clone(), self.bells.clone(), Arc::new(Still(now)));
        let (keeper, stop) = (work.clone(), self.stop.clone());
        tokio::spawn(async move { keeper.keep_leases(stop).await });
        work
    }

    async fn enqueue(&self) -> ExecutionId {
        let scoped = self.world.scoped(self.world.acme);
        let workflow = scoped.workflow("w").await.unwrap().unwrap();
        let new = NewExecution {
            id: ExecutionId(Uuid::now_v7()),
            workflow: &workflow,
            inputs: serde_json::json!({}),
            idempotency_key: None,
            place: store::Place::default(),
            max_queued: 10,
            now: NOW,
        };
        let id = scoped.enqueue(new).await.unwrap().execution.id;
        self.bells.ring_work();
        id
    }

    async fn status(&self, id: ExecutionId) -> Status {
        self.world.scoped(self.world.acme).execution(id).await.unwrap().unwrap().status
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn next(work: &Work) -> Held {
    timeout(PATIENCE, work.next(1)).await.unwrap().unwrap().remove(0)
}

fn succeeded() -> Finished {
    let outcome =
        Outcome { status: Status::Succeeded, result: None, result_type: None, failure: None };
    Finished { outcome, modules: Vec::new(), logs: Vec::new(), now: NOW }
}

#[tokio::test]
async fn a_waiting_worker_is_woken_and_its_end_is_heard() {
    let scene = Scene::new().await;
    let work = scene.worker(NOW);
    let waiting = tokio::spawn({
        let work = work.clone();
        async move { next(&work).await }
    });
    let id = scene.enqueue().await;
    let held = waiting.await.unwrap();
    assert_eq!((held.claim.execution, scene.status(id).await), (id, Status::Running));
    let mut watch = scene.bells.watch_execution(id);
    assert!(held.finish(succeeded()).await.unwrap());
    timeout(PATIENCE, watch.changed()).await.unwrap();
    assert_eq!(scene.status(id).await, Status::Succeeded);
}

#[tokio::test]
async fn a_wish_to_stop_reaches_the_run() {
    let scene = Scene::new().await;
    let work = scene.worker(NOW);
    let id = scene.enqueue().await;
    let held = next(&work).await;
    let scoped = scene.world.scoped(scene.world.acme);
    scoped.request_cancel(id, NOW).await.unwrap();
    scene.bells.ring_cancel();
    timeout(PATIENCE, held.cancelled.cancelled()).await.unwrap();
    assert!(!held.lost.is_cancelled());
}

#[tokio::test]
async fn whoever_lost_its_lease_is_told_and_cannot_end_the_execution() {
    let scene = Scene::new().await;
    let slow = scene.worker(NOW);
    let id = scene.enqueue().await;
    let held = next(&slow).await;
    // For this one the lease of the other has long run out.
    let other = scene.worker(NOW.after(LEASE * 3));
    let again = next(&other).await;
    assert_eq!((again.claim.execution, again.claim.attempt), (id, 2));
    timeout(PATIENCE, held.lost.cancelled()).await.unwrap();
    assert!(!held.finish(succeeded()).await.unwrap());
    assert_eq!(scene.status(id).await, Status::Running);
    assert!(again.finish(succeeded()).await.unwrap());
}

#[tokio::test]
async fn what_is_handed_back_is_free_for_another_at_once() {
    let scene = Scene::new().await;
    let leaving = Work::new(scene.world.store.clone(), scene.bells.clone(), Arc::new(Still(NOW)));
    let id = scene.enqueue().await;
    let held = next(&leaving).await;
    leaving.hand_back().await.unwrap();
    assert_eq!(scene.status(id).await, Status::Pending);
    let again = next(&scene.worker(NOW)).await;
    assert_eq!((again.claim.execution, again.claim.attempt), (id, 2));
    assert!(!held.finish(succeeded()).await.unwrap(), "whoever gave it back has no say in it");
}
