//! Migrations up and down with data at each step, and databases that cannot be used.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use store::{Store, StoreError};
use testkit::{World, world::database_url};

#[tokio::test]
async fn down_to_nothing_and_up_again_with_data_at_each_step() {
    let world = World::new().await;
    world.write(world.acme, "a.py", "1").await;
    let store = &world.store;
    let all = store.migration_status().await.unwrap().len();
    for step in 0..all {
        let gone = store.migrate_down(Some(1)).await.unwrap();
        assert_eq!(gone.len(), 1, "step {step}");
        let left = store.migration_status().await.unwrap();
        assert_eq!(left.iter().filter(|state| state.applied).count(), all - step - 1);
        let outdated = Store::open(&database_url(&world.directory)).await;
        assert!(matches!(outdated, Err(StoreError::Outdated(_))));
        // There and back again, so that each step has been applied onto what the one before left.
        assert_eq!(store.migrate_up().await.unwrap().len(), step + 1);
        store.migrate_down(Some(step as u32 + 1)).await.unwrap();
    }
    assert_eq!(store.migrate_up().await.unwrap().len(), all);
    assert!(store.migrate_up().await.unwrap().is_empty());
    testkit::world::create_organization(store, "again").await;
    assert_eq!(store.migrate_down(None).await.unwrap().len(), all);
}

#[tokio::test]
async fn a_url_that_cannot_be_used_says_why() {
    let other = Store::open("mysql://localhost/x").await.err().unwrap();
    assert!(matches!(other, StoreError::Unsupported(_)), "{other:?}");
    let silent = Store::open("postgres://127.0.0.1:1/x").await.err().unwrap();
    assert!(matches!(silent, StoreError::Unavailable(_)), "{silent:?}");
    assert!(silent.to_string().contains("refused"), "{silent}");
}
