//! The audit: what is written, that it hangs together, and that nobody can change it unseen.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{Access, Acting, Actor, OrganizationId, Role, Scope, UserId, audit::Event};
use store::{ListAudit, NewUser, Precondition, Reason, UserChange};
use testkit::{World, peek::Peek, world::NOW};
use uuid::Uuid;

async fn told(world: &World, scope: Scope) -> Vec<String> {
    let list = ListAudit { limit: 100, ..ListAudit::default() };
    let mut entries = world.scoped(scope).audit_entries(list).await.unwrap();
    entries.reverse();
    entries
        .into_iter()
        .map(|it| format!("{} {} {}", it.entry.who.name, it.entry.action, it.entry.object))
        .collect()
}

async fn fault(world: &World) -> Option<String> {
    world.store.system(Reason::Audit).verify_audit(world.acme, None).await.unwrap().fault
}

#[tokio::test]
async fn what_is_done_is_written_and_what_fails_is_not() {
    let world = World::new().await;
    let acme = world.scoped(world.acme);
    world.write(world.acme, "a.py", "1").await;
    world.write(world.acme, "a.py", "1").await;
    let path = domain::FilePath::parse("a.py").unwrap();
    acme.delete_file(&path, Precondition::Version(9), NOW).await.unwrap_err();
    acme.delete_file(&path, Precondition::Any, NOW).await.unwrap();
    let id = UserId(Uuid::now_v7());
    let new = || NewUser {
        id,
        email: "Ada@acme.test".to_owned(),
        name: "Ada".to_owned(),
        role: Role::Ops,
        password_hash: Some("a hash".to_owned()),
        now: NOW,
    };
    acme.create_user(new()).await.unwrap();
    acme.create_user(new()).await.unwrap_err();
    let change = UserChange { password_hash: Some("another".to_owned()), ..Default::default() };
    acme.update_user(id, change.clone(), NOW).await.unwrap().unwrap();
    assert!(acme.update_user(UserId(Uuid::now_v7()), change, NOW).await.unwrap().is_none());
    acme.delete_user(id, NOW).await.unwrap();
    let expected = [
        "operator organization.create acme",
        "operator file.write a.py",
        "operator file.delete a.py",
        "operator user.create ada@acme.test",
        "operator user.update ada@acme.test",
        "operator user.delete ada@acme.test",
    ];
    assert_eq!(told(&world, world.acme).await, expected);
    assert_eq!(told(&world, world.globex).await, ["operator organization.create globex"]);
    let list = ListAudit { limit: 100, action: Some("user.".to_owned()), before: None };
    let users = acme.audit_entries(list).await.unwrap();
    assert_eq!(users.len(), 3);
    assert!(users.iter().all(|it| !it.entry.detail.contains("hash")), "{users:?}");
    assert_eq!(fault(&world).await, None);
}

#[tokio::test]
async fn acting_is_in_both_audits_with_its_reason() {
    let world = World::new().await;
    let provider = Scope::Organization(OrganizationId::PROVIDER);
    let acting = Acting { home: OrganizationId::PROVIDER, reason: "ticket 12".to_owned() };
    let (id, email) = (UserId(Uuid::now_v7()), "eve@provider.test".to_owned());
    let actor = Actor::User { id, email, acting: Some(acting) };
    let system = world.store.system(Reason::Session);
    system.audit_acting((provider, world.acme), "acme", &actor, NOW).await.unwrap();
    for scope in [provider, world.acme] {
        let list = ListAudit { limit: 1, ..ListAudit::default() };
        let last = world.scoped(scope).audit_entries(list).await.unwrap().remove(0).entry;
        assert_eq!((last.action.as_str(), last.object.as_str()), ("auth.act", "acme"));
        assert_eq!(last.who.acting_from, Some(OrganizationId::PROVIDER));
        assert_eq!(last.who.reason.as_deref(), Some("ticket 12"));
    }
}

#[tokio::test]
async fn writers_of_one_organization_at_once_make_one_chain() {
    let world = World::new().await;
    let writers = (0..20).map(|n| {
        let system = world.store.system(Reason::Audit);
        let event = Event::denied("test", n.to_string());
        async move { system.append_audit(world.acme, &Actor::Platform, event, NOW).await }
    });
    for written in futures_util::future::join_all(writers).await {
        written.unwrap();
    }
    let chain = world.store.system(Reason::Audit).verify_audit(world.acme, None).await.unwrap();
    assert_eq!((chain.entries, chain.fault), (21, None));
}

#[tokio::test]
async fn rows_can_be_neither_changed_nor_removed() {
    let world = World::new().await;
    let peek = Peek::new(world.directory.path()).await;
    for sql in [
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE seq = 1",
    ] {
        let refused = peek.try_run(sql, Vec::new()).await.unwrap_err().to_string();
        assert!(refused.contains("never"), "{sql}: {refused}");
    }
    assert_eq!(fault(&world).await, None);
}

#[tokio::test]
async fn whoever_gets_around_the_triggers_is_found_out() {
    let attacks = [
        ("UPDATE audit_log SET actor = 'nobody' WHERE seq = 2", "entry 2 is not what was written"),
        ("UPDATE audit_log SET at = at + 1 WHERE seq = 3", "entry 3 is not what was written"),
        ("DELETE FROM audit_log WHERE seq = 2", "entry 2 is missing"),
        ("DELETE FROM audit_log WHERE seq = 4", "the last entry should be 4"),
        ("DELETE FROM audit_log", "the last entry should be 4"),
        (
            "UPDATE audit_log SET hash = (SELECT it.hash FROM audit_log AS it WHERE it.seq = 1
                AND it.organization_id = audit_log.organization_id) WHERE seq = 2",
            "entry 2 is not what was written",
        ),
    ];
    for (sql, expected) in attacks {
        let world = World::new().await;
        for path in ["a.py", "b.py", "c.py"] {
            world.write(world.acme, path, "1").await;
        }
        Peek::new(world.directory.path()).await.lawless(&[sql]).await;
        let fault = fault(&world).await.unwrap_or_default();
        assert!(fault.contains(expected), "{sql}: {fault}");
    }
}

#[tokio::test]
async fn an_empty_organization_takes_its_audit_along_and_leaves_a_word_elsewhere() {
    let world = World::new().await;
    let id = world.globex.organization().unwrap();
    let by = Access::for_operator(Scope::Global);
    let system = world.store.system(Reason::Organizations);
    assert!(system.delete_organization(id, &by, NOW).await.unwrap());
    assert!(told(&world, world.globex).await.is_empty());
    let global = told(&world, Scope::Global).await;
    assert_eq!(global.last().unwrap(), "operator organization.delete globex");
}

#[tokio::test]
async fn a_chain_that_was_written_anew_does_not_go_through_the_head_that_was_noted() {
    let world = World::new().await;
    world.write(world.acme, "a.py", "1").await;
    let system = world.store.system(Reason::Audit);
    let noted = system.verify_audit(world.acme, None).await.unwrap();
    world.write(world.acme, "b.py", "1").await;
    let later = system.verify_audit(world.acme, Some(&noted)).await.unwrap();
    assert_eq!((later.entries, later.fault), (3, None));
    let rewritten = store::Chain { head: "0".repeat(64), ..noted.clone() };
    let fault = system.verify_audit(world.acme, Some(&rewritten)).await.unwrap().fault.unwrap();
    assert!(fault.contains("entry 2 is not the one"), "{fault}");
    let longer = store::Chain { entries: 9, ..noted };
    let fault = system.verify_audit(world.acme, Some(&longer)).await.unwrap().fault.unwrap();
    assert!(fault.contains("9 entries were seen"), "{fault}");
}
