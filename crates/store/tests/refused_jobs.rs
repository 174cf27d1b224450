//! Jobs whose row does not fit the tables of its organization: each ends without running, is in an
//! audit, and keeps nobody else waiting.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{Access, ExecutionId, OrganizationId, Scope, execution::Status};
use std::time::Duration;
use store::{
    Claimed, JobRefusal, ListAudit, NewExecution, OrganizationChange, OrganizationStatus, Reason,
};
use testkit::{World, peek::Peek, world::NOW};
use uuid::Uuid;

async fn world() -> World {
    let world = World::new().await;
    world.write_with(Scope::Global, "w.py", "x", vec![testkit::world::workflow("w")]).await;
    world
}

async fn enqueue(world: &World, scope: Scope) -> ExecutionId {
    let scoped = world.scoped(scope);
    let entry = scoped.workflow("w").await.unwrap().unwrap();
    let id = ExecutionId(Uuid::now_v7());
    let (workflow, inputs) = (&entry, serde_json::json!({}));
    let new = NewExecution {
        id,
        workflow,
        inputs,
        idempotency_key: None,
        place: store::Place::default(),
        max_queued: 10,
        now: NOW,
    };
    scoped.enqueue(new).await.unwrap().execution.id
}

async fn claim(world: &World) -> Claimed {
    let system = world.store.system(Reason::Claim);
    system.claim(Uuid::now_v7(), 10, Duration::from_secs(10), NOW).await.unwrap()
}

async fn peek(world: &World) -> Peek {
    Peek::new(world.directory.path()).await
}

async fn denied(world: &World, scope: Scope) -> Vec<String> {
    let list = ListAudit { limit: 10, action: Some("execution.run".to_owned()), before: None };
    let entries = world.scoped(scope).audit_entries(list).await.unwrap();
    entries.into_iter().map(|it| format!("{} {}", it.entry.object, it.entry.verdict)).collect()
}

/// Claims once: the job is refused for `why`, and that of Globex behind it runs.
async fn refused(world: &World, id: ExecutionId, why: JobRefusal) {
    let neighbour = enqueue(world, world.globex).await;
    let claimed = claim(world).await;
    let found: Vec<_> = claimed.refused.iter().map(|it| (it.execution, it.why)).collect();
    assert_eq!(found, [(id, why)]);
    let runs: Vec<_> = claimed.claims.iter().map(|it| it.execution).collect();
    assert_eq!(runs, [neighbour]);
    assert!(claim(world).await.refused.is_empty(), "it is gone from the queue");
}

#[tokio::test]
async fn a_suspended_organizations_job_fails_and_is_audited() {
    let world = world().await;
    let id = enqueue(&world, world.acme).await;
    let status = Some(OrganizationStatus::Suspended);
    let change = OrganizationChange { name: None, status };
    let by = Access::for_operator(Scope::Global);
    let acme = world.acme.organization().unwrap();
    let system = world.store.system(Reason::Organizations);
    system.update_organization(acme, change, &by, NOW).await.unwrap().unwrap();
    refused(&world, id, JobRefusal::OrganizationSuspended).await;
    let ended = world.scoped(world.acme).execution(id).await.unwrap().unwrap();
    assert_eq!(ended.status, Status::Failed);
    assert_eq!(ended.failure.unwrap().kind, "OrganizationSuspended");
    assert_eq!(denied(&world, world.acme).await, [format!("{id} denied")]);
}

/// PostgreSQL looks at the key again when a row changes twice in one transaction, and refuses.
mod on_sqlite {
    use super::*;

    #[tokio::test]
    async fn a_job_of_an_organization_that_is_gone_ends_and_the_provider_reads_it() {
        let world = world().await;
        let id = enqueue(&world, world.acme).await;
        let peek = peek(&world).await;
        let acme = peek.id(world.acme.column());
        peek.lawless(&[&format!("DELETE FROM organizations WHERE id = {acme}")]).await;
        refused(&world, id, JobRefusal::OrganizationUnknown).await;
        let provider = Scope::Organization(OrganizationId::PROVIDER);
        assert_eq!(denied(&world, provider).await, [format!("{id} denied")]);
    }
}

#[tokio::test]
async fn a_row_that_claims_another_organizations_execution_ends_and_that_execution_is_untouched() {
    let world = world().await;
    let id = enqueue(&world, world.acme).await;
    let peek = peek(&world).await;
    let globex = peek.id(world.globex.column());
    let columns = "execution_id, available_at, attempt, max_attempts, cancel_requested";
    let forged = format!(
        "INSERT INTO job_queue (organization_id, {columns}) SELECT {globex}, {columns} FROM job_queue"
    );
    let others = format!("DELETE FROM job_queue WHERE organization_id <> {globex}");
    let lane = format!("UPDATE queue_lanes SET waiting = 1 WHERE organization_id = {globex}");
    peek.lawless(&[&forged, &lane, &others]).await;
    refused(&world, id, JobRefusal::ExecutionMissing).await;
    assert_eq!(denied(&world, world.globex).await, [format!("{id} denied")]);
    assert!(denied(&world, world.acme).await.is_empty());
    let untouched = world.scoped(world.acme).execution(id).await.unwrap().unwrap();
    assert_eq!((untouched.status, untouched.started_at), (Status::Pending, None));
    assert!(world.scoped(world.globex).execution(id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_job_without_an_execution_ends() {
    let world = world().await;
    let id = enqueue(&world, world.acme).await;
    peek(&world).await.lawless(&["DELETE FROM executions"]).await;
    refused(&world, id, JobRefusal::ExecutionMissing).await;
    assert_eq!(denied(&world, world.acme).await, [format!("{id} denied")]);
}

#[tokio::test]
async fn an_organization_that_cannot_be_read_stops_its_own_jobs_only() {
    let world = world().await;
    let id = enqueue(&world, world.acme).await;
    let peek = peek(&world).await;
    let acme = peek.id(world.acme.column());
    let spoil = format!("UPDATE organizations SET settings_json = 'no' WHERE id = {acme}");
    peek.lawless(&[&spoil]).await;
    refused(&world, id, JobRefusal::OrganizationUnreadable).await;
    assert_eq!(denied(&world, world.acme).await, [format!("{id} denied")]);
}

#[tokio::test]
async fn a_job_without_an_organization_cannot_be_written() {
    let world = world().await;
    let peek = peek(&world).await;
    let sql = format!(
        "INSERT INTO job_queue (organization_id, execution_id, available_at, attempt,
        max_attempts, cancel_requested) VALUES (NULL, {}, 0, 0, 1, FALSE)",
        peek.id(Uuid::now_v7())
    );
    let refused = peek.try_run(&sql, Vec::new()).await.unwrap_err().to_string().to_lowercase();
    let named = refused.contains("organization_id") && refused.contains("not null");
    assert!(named || refused.contains("not-null"), "{refused}");
}
