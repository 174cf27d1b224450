//! The caretaker of schedules: what it looks at, what it starts and how long it sleeps.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{Scope, Timestamp};
use jobs::{Bells, Clock, Ticker};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use store::ListExecutions;
use testkit::{
    World, eventually,
    world::{NOW, scheduled},
};
use tokio_util::sync::CancellationToken;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct Scene {
    world: World,
    clock: Arc<Hand>,
    bells: Bells,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let every_minute = vec![scheduled("w", "* * * * *", "skip")];
        world.write_with(world.acme, "w.py", "x", every_minute).await;
        let (clock, bells) = (Arc::new(Hand(AtomicI64::new(NOW.0))), Bells::default());
        Self { world, clock, bells }
    }

    fn ticker(&self) -> Ticker {
        Ticker::new(self.world.store.clone(), self.bells.clone(), self.clock.clone())
    }

    async fn look(&self) -> Duration {
        self.ticker().look(&CancellationToken::new()).await.unwrap()
    }

    fn push(&self, micros: i64) {
        self.clock.0.fetch_add(micros, Ordering::SeqCst);
    }

    async fn executions(&self, owner: Scope) -> usize {
        let list = ListExecutions {
            status: None,
            workflow: None,
            options: false,
            before: None,
            limit: 100,
        };
        self.world.scoped(owner).executions(list).await.unwrap().len()
    }
}

#[tokio::test]
async fn it_sleeps_until_the_next_tick_and_a_second_at_most() {
    let scene = Scene::new().await;
    // Planned in the first look; the minute is full in 40 seconds.
    assert_eq!(scene.look().await, Duration::from_secs(1));
    scene.push(39_750_000);
    assert_eq!(scene.look().await, Duration::from_millis(250));
    assert_eq!(scene.executions(scene.world.acme).await, 0);
    scene.push(250_000);
    assert_eq!(scene.look().await, Duration::from_secs(1));
    assert_eq!(scene.executions(scene.world.acme).await, 1);
}

#[tokio::test]
async fn what_it_starts_wakes_a_worker_and_two_of_it_start_nothing_twice() {
    let scene = Scene::new().await;
    let stop = CancellationToken::new();
    let tickers =
        [scene.ticker(), scene.ticker()].map(|ticker| tokio::spawn(ticker.run(stop.clone())));
    scene.push(40_000_000);
    tokio::time::timeout(Duration::from_secs(60), scene.bells.work()).await.unwrap();
    scene.push(60_000_000);
    let acme = scene.world.acme;
    eventually("the next one starts", async || (scene.executions(acme).await == 2).then_some(()))
        .await;
    stop.cancel();
    for ticker in tickers {
        ticker.await.unwrap();
    }
    assert_eq!((scene.executions(acme).await, scene.executions(scene.world.globex).await), (2, 0));
}
