//! A call that is dropped wherever it stands, as when a client goes away, leaves nothing behind: no
//! lock, and no connection in somebody else's transaction.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;
use testkit::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_and_writes_that_nobody_waits_for_are_in_nobodys_way() {
    let world = World::new().await;
    let acme = world.acme;
    for micros in (0..4_000).step_by(20) {
        let life = Duration::from_micros(micros);
        let _dropped = tokio::time::timeout(life, world.read(acme, "a.py")).await;
        let text = micros.to_string();
        let _dropped = tokio::time::timeout(life, world.write(acme, "a.py", &text)).await;
    }
    // More than there are connections, so that each is used.
    let patience = Duration::from_secs(30);
    for number in 0..40 {
        let text = format!("after {number}");
        tokio::time::timeout(patience, world.write(acme, "a.py", &text)).await.unwrap();
        assert_eq!(world.read(acme, "a.py").await, Some(text));
    }
}
