//! What runs leave: state for those after them, and files of results.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{ExecutionId, Scope};
use serde_json::json;
use store::{
    MAX_STATE_KEYS, NewExecution, NewExecutionFile, Place, Scoped, SetState, SetStateError,
};
use testkit::{
    World,
    world::{NOW, workflow},
};
use uuid::Uuid;

async fn set(scoped: &Scoped, key: &str, value: &str, expected: Option<i64>) -> Option<i64> {
    let set = SetState { workflow: "w", key, value, expected, now: NOW };
    match scoped.set_state(set).await {
        Ok(version) => Some(version),
        Err(SetStateError::Conflict(_) | SetStateError::TooMany) => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn state_is_per_organization_and_workflow_and_counts_versions() {
    let world = World::new().await;
    let (acme, globex) = (world.scoped(world.acme), world.scoped(world.globex));
    assert_eq!(set(&acme, "cursor", "1", None).await, Some(1));
    assert_eq!(set(&acme, "cursor", "2", None).await, Some(2));
    assert_eq!(set(&acme, "a", "{}", None).await, Some(1));
    let found = acme.state("w", "cursor").await.unwrap().unwrap();
    assert_eq!((found.value.get(), found.version), ("2", 2));
    assert!(acme.state("other", "cursor").await.unwrap().is_none());
    assert!(globex.state("w", "cursor").await.unwrap().is_none());
    assert_eq!(acme.state_keys("w").await.unwrap(), ["a", "cursor"]);
    assert_eq!(acme.states("w", "a", 9).await.unwrap().len(), 1);
    assert!(!globex.delete_state("w", "cursor").await.unwrap());
    assert!(acme.delete_state("w", "cursor").await.unwrap());
    assert!(!acme.delete_state("w", "cursor").await.unwrap());
}

#[tokio::test]
async fn of_two_who_expect_the_same_version_one_wins() {
    let world = World::new().await;
    let acme = world.scoped(world.acme);
    assert_eq!(set(&acme, "n", "0", Some(1)).await, None, "there is none yet");
    assert_eq!(set(&acme, "n", "0", Some(0)).await, Some(1));
    let (one, two) = tokio::join!(set(&acme, "n", "1", Some(1)), set(&acme, "n", "2", Some(1)));
    assert!(matches!((one, two), (Some(2), None) | (None, Some(2))), "{one:?} {two:?}");
}

#[tokio::test]
async fn a_workflow_keeps_a_thousand_values_and_no_more() {
    let world = World::new().await;
    let acme = world.scoped(world.acme);
    for n in 0..MAX_STATE_KEYS {
        assert_eq!(set(&acme, &format!("k{n}"), "1", None).await, Some(1));
    }
    assert_eq!(set(&acme, "more", "1", None).await, None);
    assert_eq!(set(&acme, "k1", "2", None).await, Some(2), "what is there can be changed");
}

#[tokio::test]
async fn files_of_an_execution_have_a_limit_together_and_are_its_organizations() {
    let world = World::new().await;
    world.write_with(Scope::Global, "w.py", "x", vec![workflow("w")]).await;
    let acme = world.scoped(world.acme);
    let entry = acme.workflow("w").await.unwrap().unwrap();
    let id = ExecutionId(Uuid::now_v7());
    let (workflow, inputs, idempotency_key) = (&entry, json!({}), None);
    let (place, max_queued, now) = (Place::default(), 10, NOW);
    let new = NewExecution { id, workflow, inputs, idempotency_key, place, max_queued, now };
    acme.enqueue(new).await.unwrap();
    let file = |name: &'static str, bytes: usize| NewExecutionFile {
        name,
        media_type: "text/csv",
        content: vec![b'x'; bytes],
        max_bytes: 100,
        now: NOW,
    };
    assert!(acme.keep_execution_file(id, file("a.csv", 60)).await.unwrap());
    assert!(!acme.keep_execution_file(id, file("b.csv", 41)).await.unwrap());
    assert!(acme.keep_execution_file(id, file("a.csv", 90)).await.unwrap(), "it is replaced");
    assert!(acme.keep_execution_file(id, file("b.csv", 10)).await.unwrap());
    let all = acme.execution_files(id, "", 9).await.unwrap().unwrap();
    let all: Vec<_> = all.iter().map(|file| (file.name.as_str(), file.size)).collect();
    assert_eq!(all, [("a.csv", 90), ("b.csv", 10)]);
    let (kind, content) = acme.execution_file(id, "b.csv").await.unwrap().unwrap();
    assert_eq!((kind.as_str(), content), ("text/csv", vec![b'x'; 10]));
    let globex = world.scoped(world.globex);
    assert!(globex.execution_files(id, "", 9).await.unwrap().is_none());
    assert!(globex.execution_file(id, "b.csv").await.unwrap().is_none());
}
