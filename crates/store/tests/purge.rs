//! Purging an organization: nothing of it stays, in no table and in no byte of an SQLite file.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{
    Access, ApiKeyId, ConfigKey, ExecutionId, Role, Scope, UserId,
    analysis::Workflow,
    audit::Event,
    execution::{LogLevel, LogLine, Outcome, Status},
};
use std::{collections::BTreeSet, time::Duration};
use store::{
    Finished, NewApiKey, NewConsoleSession, NewExecution, NewRefreshToken, NewUser,
    PURGE_STATEMENTS, Precondition, PurgeError, PutConfig, Reason, UpdateSettings,
    guard::{CATALOG, Kind},
};
use testkit::{World, peek::Peek, world::NOW};
use uuid::Uuid;

const CANARY: &str = "canary-7f3a";

#[test]
fn every_table_with_rows_of_organizations_is_purged() {
    let tenant = |kind| matches!(kind, Kind::Tenant | Kind::Shared);
    let tables = CATALOG.tables.iter().filter(|table| tenant(table.kind()));
    let tables: BTreeSet<_> = tables.map(|table| table.name()).collect();
    let purged: BTreeSet<_> = PURGE_STATEMENTS.iter().map(|(table, _)| *table).collect();
    assert_eq!(purged, tables);
    assert_eq!(purged.len(), PURGE_STATEMENTS.len(), "a table comes twice");
    for (table, sql) in PURGE_STATEMENTS {
        assert!(sql.starts_with(&format!("DELETE FROM {table} WHERE organization_id = $1")));
    }
}

/// Something in as many tables as the store can fill, with the canary in every text.
async fn fill(world: &World, scope: Scope) {
    let workflow = Workflow {
        name: CANARY.to_owned(),
        function: "run".to_owned(),
        line: 1,
        description: CANARY.to_owned(),
        is_async: false,
        parameters: serde_json::json!({ "type": "object" }),
        options: [("schedule".to_owned(), "@daily".into())].into_iter().collect(),
    };
    let long = format!("# {CANARY}\n").repeat(2_000);
    world.write_with(scope, "workflows/a.py", &long, vec![workflow]).await;
    for number in 0..5 {
        world.write(scope, &format!("{CANARY}/{number}.py"), CANARY).await;
    }
    let scoped = world.scoped(scope);
    let id = UserId(Uuid::now_v7());
    let user = NewUser {
        id,
        email: format!("{CANARY}@acme.test"),
        name: CANARY.to_owned(),
        role: Role::Admin,
        password_hash: Some(CANARY.to_owned()),
        now: NOW,
    };
    let user = scoped.create_user(user).await.unwrap();
    let key = NewApiKey {
        id: ApiKeyId(Uuid::now_v7()),
        hash: [1; 32],
        prefix: CANARY.to_owned(),
        name: CANARY.to_owned(),
        role: Role::Ops,
        expires_at: None,
        now: NOW,
    };
    scoped.create_api_key(key).await.unwrap();
    let system = world.store.system(Reason::SignIn);
    let family = Uuid::now_v7();
    let token = NewRefreshToken { hash: [2; 32], family, user: id, expires_at: NOW, now: NOW };
    system.create_refresh_token(scope, token, &user.actor()).await.unwrap();
    let session = NewConsoleSession { hash: [3; 32], user: id, epoch: 1, ends_at: NOW, now: NOW };
    system.create_console_session(scope, session, &user.actor()).await.unwrap();
    let event = Event::done("test.canary", CANARY);
    let audit = world.store.system(Reason::Audit);
    audit.append_audit(scope, &user.actor(), event, NOW).await.unwrap();
    set(world, scope).await;
    world.store.system(Reason::Schedule).plan_schedules(10).await.unwrap();
    run_one_and_queue_one(world, scope).await;
}

/// Settings with a history, a plain value and a sealed one with its data key.
async fn set(world: &World, scope: Scope) {
    let scoped = world.scoped(scope);
    let patch = serde_json::json!({ "executions": { "timeout_seconds": 60 } });
    let precondition = Precondition::Any;
    let update = UpdateSettings { patch: &patch, precondition, may_set_weight: false, now: NOW };
    scoped.update_settings(update).await.unwrap();
    for (name, secret) in [("canary_plain", false), ("canary_sealed", true)] {
        let key = ConfigKey::parse(name).unwrap();
        let value = serde_json::json!(CANARY);
        let put = PutConfig { key, value, secret, precondition, now: NOW };
        scoped.put_config(put).await.unwrap();
    }
}

/// More log lines than one batch takes, and an execution that waits.
async fn run_one_and_queue_one(world: &World, scope: Scope) {
    let scoped = world.scoped(scope);
    let entry = scoped.workflow(CANARY).await.unwrap().unwrap();
    let new = || NewExecution {
        id: ExecutionId(Uuid::now_v7()),
        workflow: &entry,
        inputs: serde_json::json!({ CANARY: CANARY }),
        idempotency_key: None,
        place: store::Place::default(),
        max_queued: 10,
        now: NOW,
    };
    scoped.enqueue(new()).await.unwrap();
    let system = world.store.system(Reason::Claim);
    let claims = system.claim(Uuid::now_v7(), 1, Duration::from_secs(10), NOW).await.unwrap();
    let line = || LogLine { time: NOW, level: LogLevel::Info, message: CANARY.to_owned() };
    let logs = (0..1200).map(|_| line()).collect();
    let result = Some(format!("\"{CANARY}\""));
    let outcome = Outcome { status: Status::Succeeded, result, failure: None };
    let finished = Finished { outcome, modules: Vec::new(), logs, now: NOW };
    let claimed = world.store.scoped(&claims.claims[0].access);
    assert!(claimed.finish(&claims.claims[0], finished).await.unwrap().is_some());
    scoped.enqueue(new()).await.unwrap();
}

#[tokio::test]
async fn nothing_of_it_stays_in_any_table() {
    let world = World::new().await;
    fill(&world, world.acme).await;
    let id = world.acme.organization().unwrap();
    let peek = Peek::new(world.directory.path()).await;
    let marks = [CANARY.to_owned(), id.to_string(), id.0.simple().to_string()];
    let before = peek.tables_with(&marks).await;
    let never_filled = ["setup_links", "seaql_migrations", "master_key_check"];
    let all = CATALOG.tables.iter().map(|table| table.name());
    let expected: BTreeSet<_> =
        all.filter(|name| !never_filled.contains(name)).map(str::to_owned).collect();
    assert_eq!(before.intersection(&expected).count(), expected.len(), "{before:?}");

    let system = world.store.system(Reason::Organizations);
    system.begin_purge(id, &Access::for_operator(Scope::Global), NOW).await.unwrap();
    assert_eq!(system.purges().await.unwrap(), [id]);
    system.purge(id).await.unwrap();
    assert_eq!(peek.tables_with(&marks).await, BTreeSet::new());
    assert!(system.purges().await.unwrap().is_empty());
    assert!(system.organization(world.globex).await.unwrap().is_some(), "the other one stays");
}

/// On a file of its own, because PostgreSQL leaves the bytes to its vacuum.
mod on_sqlite {
    use super::*;

    #[tokio::test]
    async fn nothing_of_it_stays_in_any_byte_of_the_files() {
        let world = World::new().await;
        fill(&world, world.acme).await;
        let id = world.acme.organization().unwrap();
        let peek = Peek::new(world.directory.path()).await;
        assert!(peek.is_on_disk(CANARY.as_bytes()).await && peek.is_on_disk(id.0.as_bytes()).await);
        let system = world.store.system(Reason::Organizations);
        system.begin_purge(id, &Access::for_operator(Scope::Global), NOW).await.unwrap();
        system.purge(id).await.unwrap();
        assert!(!peek.is_on_disk(CANARY.as_bytes()).await, "the canary is in a free page");
        assert!(!peek.is_on_disk(id.0.as_bytes()).await, "the id is in a free page");
    }
}

#[tokio::test]
async fn a_purge_that_was_interrupted_goes_on_and_never_back() {
    let world = World::new().await;
    fill(&world, world.acme).await;
    let id = world.acme.organization().unwrap();
    let system = world.store.system(Reason::Organizations);
    let by = Access::for_operator(Scope::Global);
    system.begin_purge(id, &by, NOW).await.unwrap();
    system.begin_purge(id, &by, NOW).await.unwrap();
    let status = Some(store::OrganizationStatus::Active);
    let change = store::OrganizationChange { name: None, status };
    assert!(system.update_organization(id, change, &by, NOW).await.unwrap().is_none());
    // Stopped somewhere in between, as a killed server is.
    let _stopped = tokio::time::timeout(Duration::from_millis(3), system.purge(id)).await;
    let (one, two) = tokio::join!(system.purge(id), system.purge(id));
    one.and(two).unwrap();
    assert!(system.organization(world.acme).await.unwrap().is_none());
    let provider = Scope::Organization(domain::OrganizationId::PROVIDER);
    let list = store::ListAudit {
        action: Some("organization.purge".to_owned()),
        limit: 10,
        ..store::ListAudit::default()
    };
    let told = world.scoped(provider).audit_entries(list).await.unwrap();
    assert_eq!(told.len(), 1, "told once");
    let again = system.begin_purge(id, &by, NOW).await;
    assert!(matches!(again, Err(PurgeError::NotThere)), "{again:?}");
    let global = system.begin_purge(domain::OrganizationId(Uuid::nil()), &by, NOW).await;
    assert!(matches!(global, Err(PurgeError::NotThere)), "{global:?}");
    let own = system.begin_purge(domain::OrganizationId::PROVIDER, &by, NOW).await;
    assert!(matches!(own, Err(PurgeError::Provider)), "{own:?}");
}
