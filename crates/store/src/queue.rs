//! The queue: claiming work with a lease, keeping it, finishing it, and finding what was lost.
//!
//! A claim is `(organization, execution, worker, attempt)`. Whoever finishes must still hold it;
//! a worker that lost its lease can change nothing, so an execution ends once.

use crate::{
    OrganizationStatus, Scoped, StoreError, System, db::Write, execution_logs, files::count,
};
use domain::{
    Access, ExecutionId, Scope, Settings, Slug, Timestamp, UserId,
    execution::{Failure, LoadedModule, LogLine, Outcome, Status},
};
use sea_orm::FromQueryResult;
use std::time::Duration;
use uuid::Uuid;

/// An execution that a worker holds, with all it needs to run it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The right to act for its organization.
    pub access: Access,
    /// Which.
    pub execution: ExecutionId,
    /// Counts from 1.
    pub attempt: u32,
    /// The worker that holds it.
    pub worker: Uuid,
    /// The workflow's name.
    pub workflow: String,
    /// Where the workflow is now; `None` when it went away since it was asked for.
    pub entry: Option<ClaimedEntry>,
    /// Inputs as JSON text.
    pub inputs: String,
    /// What the workflow itself says, in seconds.
    pub timeout_seconds: Option<u32>,
    /// The organization's short name and name.
    pub organization: (Slug, String),
    /// Whether it may do anything; nothing of a suspended one runs.
    pub status: OrganizationStatus,
    /// Its settings.
    pub settings: Settings,
    /// The person who asked, with address and name.
    pub user: Option<(UserId, String, String)>,
    /// The generation of the organization's files at the claim.
    pub own_generation: i64,
    /// The generation of Global's files at the claim, read in the same statement.
    pub global_generation: i64,
}

/// The function a claimed execution calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedEntry {
    /// Dotted module name.
    pub module: String,
    /// Function in it.
    pub function: String,
}

/// What keeping a lease tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Executions the worker still holds.
    pub held: Vec<ExecutionId>,
    /// Those of them that somebody wants stopped.
    pub cancelled: Vec<ExecutionId>,
}

/// What a run leaves behind.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// What it loaded.
    pub modules: Vec<LoadedModule>,
    /// Lines of its log not yet appended.
    pub logs: Vec<LogLine>,
    /// The present.
    pub now: Timestamp,
}

/// An execution whose worker has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// Which.
    pub execution: ExecutionId,
    /// Whether it is over, or waits for its next attempt.
    pub lost: bool,
}

#[derive(FromQueryResult)]
struct ClaimRow {
    organization_id: Uuid,
    execution_id: Uuid,
    attempt: i64,
    own_generation: i64,
    global_generation: i64,
}

#[derive(FromQueryResult)]
struct StartedRow {
    workflow: String,
    inputs_json: String,
    timeout_seconds: Option<i64>,
    requested_by_user: Option<Uuid>,
}

#[derive(FromQueryResult)]
struct PeopleRow {
    slug: String,
    name: String,
    status: String,
    settings_json: String,
    person_email: Option<String>,
    person_name: Option<String>,
}

#[derive(FromQueryResult)]
struct BeatRow {
    execution_id: Uuid,
    cancel_requested: bool,
}

#[derive(FromQueryResult)]
struct ExpiredRow {
    organization_id: Uuid,
    execution_id: Uuid,
    attempt: i64,
    max_attempts: i64,
}

/// Both generations are read in the statement that claims: a write that was answered before is in.
const CLAIM: &str = "UPDATE job_queue SET worker = $1, lease_until = $2, attempt = attempt + 1
    WHERE (organization_id, execution_id) IN (
        SELECT waiting.organization_id, waiting.execution_id FROM job_queue AS waiting
        WHERE waiting.worker IS NULL AND waiting.available_at <= $3
        ORDER BY waiting.available_at, waiting.execution_id LIMIT $4)
    RETURNING organization_id, execution_id, attempt,
        (SELECT own.generation FROM organizations AS own
            WHERE own.id = job_queue.organization_id) AS own_generation,
        (SELECT everyones.generation FROM organizations AS everyones
            WHERE everyones.id = $5) AS global_generation";
const START: &str = "UPDATE executions SET status = 'running', started_at = $3, attempt = $4
    WHERE organization_id = $1 AND id = $2
    RETURNING workflow, inputs_json, timeout_seconds, requested_by_user";
const PEOPLE: &str = "SELECT organizations.slug, organizations.name, organizations.status,
    organizations.settings_json, users.email AS person_email, users.name AS person_name
    FROM organizations LEFT JOIN users ON users.organization_id = $1 AND users.id = $2
    WHERE organizations.id = $1";
const BEAT: &str = "UPDATE job_queue SET lease_until = $2 WHERE worker = $1
    RETURNING execution_id, cancel_requested";
const LEAVE: &str = "DELETE FROM job_queue
    WHERE organization_id = $1 AND execution_id = $2 AND worker = $3 AND attempt = $4";
const END: &str = "UPDATE executions
    SET status = $3, result_json = $4, error_json = $5, modules_json = $6, finished_at = $7
    WHERE organization_id = $1 AND id = $2";
const EXPIRED: &str = "SELECT organization_id, execution_id, attempt, max_attempts FROM job_queue
    WHERE worker IS NOT NULL AND lease_until < $1 LIMIT 100";
const REQUEUE: &str = "UPDATE job_queue SET worker = NULL, lease_until = NULL
    WHERE organization_id = $1 AND execution_id = $2";
const WAIT_AGAIN: &str = "UPDATE executions SET status = 'pending'
    WHERE organization_id = $1 AND id = $2";
const REMOVE: &str = "DELETE FROM job_queue WHERE organization_id = $1 AND execution_id = $2";

impl System {
    /// Takes up to `limit` waiting executions for `worker`, oldest first.
    pub async fn claim(
        &self,
        worker: Uuid,
        limit: u32,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<Claim>, StoreError> {
        let write = self.write().await?;
        let values = [
            worker.into(),
            now.after(lease).0.into(),
            now.0.into(),
            i64::from(limit).into(),
            Scope::Global.column().into(),
        ];
        let rows = write.system().all::<ClaimRow, 5>(CLAIM, values).await?;
        let mut claims = Vec::with_capacity(rows.len());
        for row in rows {
            claims.push(self.start(&write, row, worker, now).await?);
        }
        write.commit().await?;
        Ok(claims)
    }

    /// Holds on to everything `worker` has for another `lease`.
    pub async fn beat(
        &self,
        worker: Uuid,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Beat, StoreError> {
        let write = self.write().await?;
        let values = [worker.into(), now.after(lease).0.into()];
        let rows = write.system().all::<BeatRow, 2>(BEAT, values).await?;
        write.commit().await?;
        let cancelled = rows.iter().filter(|row| row.cancel_requested);
        Ok(Beat {
            cancelled: cancelled.map(|row| ExecutionId(row.execution_id)).collect(),
            held: rows.iter().map(|row| ExecutionId(row.execution_id)).collect(),
        })
    }

    /// Puts back, or ends as lost, what workers held whose lease has run out.
    pub async fn rescue(&self, now: Timestamp) -> Result<Vec<Rescued>, StoreError> {
        if self.gate().all::<ExpiredRow, 1>(EXPIRED, [now.0.into()]).await?.is_empty() {
            return Ok(Vec::new());
        }
        let write = self.write().await?;
        let mut rescued = Vec::new();
        for row in write.system().all::<ExpiredRow, 1>(EXPIRED, [now.0.into()]).await? {
            let lost = row.attempt >= row.max_attempts;
            match lost {
                true => lose(&write, &row, now).await?,
                false => put_back(&write, &row).await?,
            }
            rescued.push(Rescued { execution: ExecutionId(row.execution_id), lost });
        }
        write.commit().await?;
        Ok(rescued)
    }

    async fn start(
        &self,
        write: &Write<'_>,
        row: ClaimRow,
        worker: Uuid,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let scope = Scope::from_column(row.organization_id);
        let execution = ExecutionId(row.execution_id);
        let access = Access::from_claimed_job(scope, execution);
        let gate = write.tenant(scope);
        let owner = || row.organization_id.into();
        let gone = || StoreError::unreadable("queue", "an entry without its execution");
        let values = [owner(), row.execution_id.into(), now.0.into(), row.attempt.into()];
        let started = gate.one::<StartedRow, 4>(START, values).await?.ok_or_else(gone)?;
        let asked_by = started.requested_by_user;
        let people = gate.one::<PeopleRow, 2>(PEOPLE, [owner(), asked_by.into()]).await?;
        let organization = people.ok_or_else(gone)?;
        let person = organization.person_email.zip(organization.person_name);
        let user = asked_by.zip(person).map(|(id, (email, name))| (UserId(id), email, name));
        let settings = serde_json::from_str(&organization.settings_json);
        let slug = Slug::parse(&organization.slug);
        let scoped = Scoped::within(self, &access);
        let found = scoped.workflow_through(&gate, &started.workflow).await?;
        let entry = found.and_then(|found| {
            let module = found.path.module()?.to_string();
            Some(ClaimedEntry { module, function: found.workflow.function })
        });
        Ok(Claim {
            access,
            execution,
            attempt: count(row.attempt)?,
            worker,
            workflow: started.workflow,
            entry,
            inputs: started.inputs_json,
            timeout_seconds: started.timeout_seconds.map(count).transpose()?,
            organization: (slug.map_err(|e| StoreError::unreadable("slug", e))?, organization.name),
            status: OrganizationStatus::from_column(&organization.status),
            settings: settings.map_err(|e| StoreError::unreadable("settings", e))?,
            user,
            own_generation: row.own_generation,
            global_generation: row.global_generation,
        })
    }
}

impl Scoped {
    /// Ends a claimed execution; `false` when the lease was lost and nothing was changed.
    pub async fn finish(&self, claim: &Claim, finished: Finished) -> Result<bool, StoreError> {
        let owner = self.scope().column();
        let write = self.write().await?;
        let gate = write.tenant(self.scope());
        let held = [
            owner.into(),
            claim.execution.0.into(),
            claim.worker.into(),
            i64::from(claim.attempt).into(),
        ];
        if gate.run(LEAVE, held).await? == 0 {
            return Ok(false);
        }
        execution_logs::append(&gate, self.scope(), claim.execution, &finished.logs).await?;
        let json = |e: serde_json::Error| StoreError::unreadable("outcome", e);
        let failure = finished.outcome.failure.as_ref().map(serde_json::to_string).transpose();
        let values = [
            owner.into(),
            claim.execution.0.into(),
            finished.outcome.status.as_str().into(),
            finished.outcome.result.into(),
            failure.map_err(json)?.into(),
            serde_json::to_string(&finished.modules).map_err(json)?.into(),
            finished.now.0.into(),
        ];
        gate.run(END, values).await?;
        write.commit().await?;
        Ok(true)
    }
}

async fn lose(write: &Write<'_>, row: &ExpiredRow, now: Timestamp) -> Result<(), StoreError> {
    let scope = Scope::from_column(row.organization_id);
    let gate = write.tenant(scope);
    let failure = Failure {
        kind: "Lost".to_owned(),
        message: format!("its worker died, {} time(s)", row.attempt),
        traceback: String::new(),
    };
    let failure = serde_json::to_string(&failure);
    let failure = failure.map_err(|e| StoreError::unreadable("failure", e))?;
    let values = [
        row.organization_id.into(),
        row.execution_id.into(),
        Status::Lost.as_str().into(),
        None::<String>.into(),
        failure.into(),
        "[]".into(),
        now.0.into(),
    ];
    gate.run(END, values).await?;
    gate.run(REMOVE, [row.organization_id.into(), row.execution_id.into()]).await?;
    Ok(())
}

async fn put_back(write: &Write<'_>, row: &ExpiredRow) -> Result<(), StoreError> {
    let gate = write.tenant(Scope::from_column(row.organization_id));
    let key = || [row.organization_id.into(), row.execution_id.into()];
    gate.run(REQUEUE, key()).await?;
    gate.run(WAIT_AGAIN, key()).await?;
    Ok(())
}
