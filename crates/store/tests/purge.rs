//! Purging an organization: nothing of it stays, in no table and in no byte of an SQLite file.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod filling;

use domain::{Access, Scope};
use filling::{CANARY, fill};
use std::{collections::BTreeSet, time::Duration};
use store::{
    PURGE_STATEMENTS, PurgeError, Reason,
    guard::{CATALOG, Kind},
};
use testkit::{World, peek::Peek, world::NOW};
use uuid::Uuid;

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

#[tokio::test]
async fn nothing_of_it_stays_in_any_table() {
    let world = World::new().await;
    fill(&world, world.acme).await;
    let id = world.acme.organization().unwrap();
    let peek = Peek::new(world.directory.path()).await;
    let marks = [CANARY.to_owned(), id.to_string(), id.0.simple().to_string()];
    let before = peek.tables_with(&marks).await;
    let never_filled = ["setup_links", "seaql_migrations", "master_key_check", "imports"];
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
