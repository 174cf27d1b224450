//! Bells between processes that meet in PostgreSQL only.

use domain::ExecutionId;
use jobs::{Bells, carry_bells};
use std::time::{Duration, Instant};
use store::Store;
use testkit::{World, world::database_url};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longer than any word takes, far shorter than looking now and then would.
const SOON: Duration = Duration::from_millis(400);

#[tokio::test]
async fn what_is_rung_in_one_process_is_heard_in_another() {
    let world = World::new().await;
    let stop = CancellationToken::new();
    let (here, there) = (Bells::default(), Bells::default());
    for bells in [&here, &there] {
        let store = Store::open(&database_url(&world.directory)).await.unwrap();
        tokio::spawn(carry_bells(store, bells.clone(), stop.clone()));
    }
    let id = ExecutionId(Uuid::now_v7());
    let mut watch = there.watch_execution(id);
    // Until both are connected nothing is carried.
    testkit::eventually("the first ring is carried", async || {
        here.ring_execution(id);
        tokio::time::timeout(Duration::from_millis(50), watch.changed()).await.ok()
    })
    .await;
    let began = Instant::now();
    here.ring_work();
    tokio::time::timeout(SOON, there.work()).await.unwrap();
    here.ring_cancel();
    tokio::time::timeout(SOON, there.cancel()).await.unwrap();
    println!("two words one after the other: {:?}", began.elapsed());
    assert!(tokio::time::timeout(SOON, here.cancel()).await.is_ok(), "its own ring is heard once");
    let again = tokio::time::timeout(SOON, here.cancel()).await;
    assert!(again.is_err(), "and does not come back from the other");
    // Connections are cut: they come back, and nobody is told less than before.
    testkit::database::administer(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 't%' AND \
         query LIKE 'LISTEN%' AND datname = '{}'",
        database_url(&world.directory).rsplit('/').next().unwrap()
    ));
    testkit::eventually("a ring after the cut is carried", async || {
        here.ring_execution(id);
        tokio::time::timeout(Duration::from_millis(50), watch.changed()).await.ok()
    })
    .await;
    stop.cancel();
}
