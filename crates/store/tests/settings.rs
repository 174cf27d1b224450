//! Settings: changed whole or not at all, remembered, and never lost to somebody else's change.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{OrganizationId, Scope};
use serde_json::{Value, json};
use store::{
    ListAudit, Precondition, Reason, UpdateSettings, UpdateSettingsError, VersionedSettings,
};
use testkit::{World, peek::Peek, world::NOW};

async fn change(
    world: &World,
    scope: Scope,
    patch: &Value,
    precondition: Precondition,
) -> Result<VersionedSettings, UpdateSettingsError> {
    let update = UpdateSettings { patch, precondition, may_set_weight: false, now: NOW };
    world.scoped(scope).update_settings(update).await
}

async fn audited(world: &World, scope: Scope) -> Vec<Value> {
    let list = ListAudit { limit: 100, action: Some("settings.".to_owned()), before: None };
    let entries = world.scoped(scope).audit_entries(list).await.unwrap();
    entries.iter().map(|it| serde_json::from_str(&it.entry.detail).unwrap()).collect()
}

#[tokio::test]
async fn a_change_is_a_version_with_its_history_and_its_audit() {
    let world = World::new().await;
    let acme = world.scoped(world.acme);
    let first = acme.settings().await.unwrap();
    assert_eq!((first.version, &first.settings), (1, &domain::Settings::default()));
    let patch = json!({"executions": {"timeout_seconds": 60}});
    let second = change(&world, world.acme, &patch, Precondition::Version(1)).await.unwrap();
    assert_eq!((second.version, second.settings.executions.timeout_seconds), (2, 60));
    assert_eq!(acme.settings().await.unwrap(), second);
    // What is there already is no change.
    let same = change(&world, world.acme, &patch, Precondition::Version(2)).await.unwrap();
    assert_eq!(same, second);
    let patch = json!({"executions": null, "modules": {"max_file_kb": 5}});
    change(&world, world.acme, &patch, Precondition::Any).await.unwrap();
    let history = acme.settings_history(None, 10).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|it| {
            let timeout = |document: &Value| document["executions"]["timeout_seconds"].clone();
            (it.version, it.changed_by.as_str(), timeout(&it.before), timeout(&it.after))
        })
        .collect();
    let expected = [(3, "operator", json!(60), json!(300)), (2, "operator", json!(300), json!(60))];
    assert_eq!(told, expected);
    assert_eq!(history[0].before, history[1].after, "whole documents");
    assert_eq!(acme.settings_history(Some(3), 10).await.unwrap(), history[1..]);
    let expected = [
        json!({"version": 3, "changes": {
            "executions.timeout_seconds": {"from": 60, "to": 300},
            "modules.max_file_kb": {"from": 1024, "to": 5}}}),
        json!({"version": 2, "changes": {"executions.timeout_seconds": {"from": 300, "to": 60}}}),
    ];
    assert_eq!(audited(&world, world.acme).await, expected);
    assert_eq!(world.scoped(world.globex).settings().await.unwrap().version, 1);
    assert!(world.scoped(world.globex).settings_history(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let world = World::new().await;
    let refused = async |patch: Value, precondition| {
        change(&world, world.acme, &patch, precondition).await.unwrap_err()
    };
    let good = json!({"modules": {"max_file_kb": 5}});
    let error = refused(good.clone(), Precondition::None).await;
    assert!(matches!(error, UpdateSettingsError::PreconditionRequired), "{error:?}");
    let error = refused(good, Precondition::Version(2)).await;
    assert!(matches!(error, UpdateSettingsError::Stale), "{error:?}");
    let half = json!({"modules": {"max_file_kb": 5}, "executions": {"max_queued": 0}});
    let error = refused(half, Precondition::Any).await;
    assert!(matches!(error, UpdateSettingsError::Invalid(faults) if faults.len() == 1));
    let weight = json!({"modules": {"max_file_kb": 5}, "executions": {"weight": 2}});
    let error = refused(weight, Precondition::Any).await;
    assert!(matches!(error, UpdateSettingsError::ProviderOnly), "{error:?}");
    let acme = world.scoped(world.acme);
    let now = acme.settings().await.unwrap();
    assert_eq!((now.version, now.settings), (1, domain::Settings::default()));
    assert!(acme.settings_history(None, 10).await.unwrap().is_empty());
    assert!(audited(&world, world.acme).await.is_empty());
}

#[tokio::test]
async fn a_share_is_the_provider_s_to_change_and_may_be_repeated() {
    let world = World::new().await;
    let patch = json!({"executions": {"weight": 7}});
    let update = UpdateSettings {
        patch: &patch,
        precondition: Precondition::Any,
        may_set_weight: true,
        now: NOW,
    };
    world.scoped(world.acme).update_settings(update).await.unwrap();
    let patch = json!({"executions": {"weight": 7, "memory_mb": 256}});
    change(&world, world.acme, &patch, Precondition::Any).await.unwrap();
    let reset = json!({"executions": null});
    let error = change(&world, world.acme, &reset, Precondition::Any).await.unwrap_err();
    assert!(matches!(error, UpdateSettingsError::ProviderOnly), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_saw_the_same_version_one_changes_it() {
    let world = std::sync::Arc::new(World::new().await);
    let tries = (1..=10u32).map(|n| {
        let world = world.clone();
        tokio::spawn(async move {
            let patch = json!({"modules": {"max_file_kb": n}});
            change(&world, world.acme, &patch, Precondition::Version(1)).await.is_ok()
        })
    });
    let mut changed = 0;
    for attempt in tries.collect::<Vec<_>>() {
        changed += u32::from(attempt.await.unwrap());
    }
    assert_eq!(changed, 1);
    let acme = world.scoped(world.acme);
    assert_eq!(acme.settings_history(None, 100).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_history_goes_with_its_organization_and_not_before() {
    let world = World::new().await;
    let patch = json!({"modules": {"max_file_kb": 5}});
    change(&world, world.globex, &patch, Precondition::Any).await.unwrap();
    change(&world, Scope::Global, &patch, Precondition::Any).await.unwrap();
    let peek = Peek::new(world.directory.path()).await;
    for sql in ["DELETE FROM settings_history", "UPDATE settings_history SET changed_by = 'x'"] {
        let error = peek.try_run(sql, Vec::new()).await.unwrap_err().to_string();
        assert!(error.contains("rows of settings_history are never"), "{error}");
    }
    let id = world.globex.organization().unwrap();
    let by = domain::Access::for_operator(Scope::Organization(OrganizationId::PROVIDER));
    let system = world.store.system(Reason::Organizations);
    assert!(system.delete_organization(id, &by, NOW).await.unwrap());
    assert_eq!(world.scoped(Scope::Global).settings_history(None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_newer_version_kept_does_not_stop_a_server() {
    let world = World::new().await;
    let peek = Peek::new(world.directory.path()).await;
    let newer = "UPDATE organizations SET settings_json = \
        '{\"executions\":{\"gpu\":true,\"max_queued\":5},\"network\":\"v2\"}' WHERE slug = 'acme'";
    peek.run(newer, Vec::new()).await;
    let system = world.store.system(Reason::Session);
    let acme = system.organization(world.acme).await.unwrap().unwrap();
    assert_eq!(acme.settings.executions.max_queued, 5);
    assert_eq!(acme.settings.network.allowed_hosts, [""; 0]);
    let patch = json!({"executions": {"max_queued": 6}});
    change(&world, world.acme, &patch, Precondition::Any).await.unwrap();
    let row = "SELECT settings_json FROM organizations WHERE slug = 'acme'";
    let kept = peek.texts(row).await;
    assert_eq!(kept, [r#"{"executions":{"gpu":true,"max_queued":6},"network":"v2"}"#]);
}
