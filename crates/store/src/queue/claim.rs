//! Claiming: who takes what, and everything needed to run it, in one transaction.

use super::refuse::{Refusal, Refused, refuse};
use crate::{OrganizationStatus, Scoped, StoreError, System, db::Write, files::count, settings};
use domain::{Access, ExecutionId, Scope, Settings, Slug, Timestamp, UserId};
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
    /// Its settings.
    pub settings: Settings,
    /// The person who asked, with address and name.
    pub user: Option<(UserId, String, String)>,
    /// The generation of the organization's files at the claim.
    pub own_generation: i64,
    /// The generation of Global's files at the claim, read in the same statement.
    pub global_generation: i64,
}

/// What a worker got from the queue.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// What it holds now.
    pub claims: Vec<Claim>,
    /// What nobody may run; it has ended.
    pub refused: Vec<Refused>,
}

/// The function a claimed execution calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedEntry {
    /// Dotted module name.
    pub module: String,
    /// Function in it.
    pub function: String,
}

/// A row of the queue that was just claimed. Without its organization it has no generation.
#[derive(FromQueryResult)]
pub(super) struct ClaimRow {
    pub(super) organization_id: Uuid,
    pub(super) execution_id: Uuid,
    attempt: i64,
    own_generation: Option<i64>,
    global_generation: i64,
}

#[derive(FromQueryResult)]
struct StartedRow {
    workflow: String,
    inputs_json: String,
    timeout_seconds: Option<i64>,
    requested_by: String,
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

/// Both generations are read in the statement that claims: a write that was answered before is in.
/// Who is seated ([`super::seats`]) stays within what its organization may run at a time.
const CLAIM: &str = "UPDATE job_queue SET worker = $1, lease_until = $2, attempt = attempt + 1
    WHERE (organization_id, execution_id) IN (
        SELECT waiting.organization_id, waiting.execution_id FROM job_queue AS waiting
        WHERE waiting.worker IS NULL AND waiting.seated AND waiting.available_at <= $3
        ORDER BY waiting.available_at, waiting.execution_id LIMIT $4)
    RETURNING organization_id, execution_id, attempt,
        (SELECT own.generation FROM organizations AS own
            WHERE own.id = job_queue.organization_id) AS own_generation,
        (SELECT everyones.generation FROM organizations AS everyones
            WHERE everyones.id = $5) AS global_generation";
const START: &str = "UPDATE executions SET status = 'running', started_at = $3, attempt = $4
    WHERE organization_id = $1 AND id = $2
    RETURNING workflow, inputs_json, timeout_seconds, requested_by, requested_by_user";
const PEOPLE: &str = "SELECT organizations.slug, organizations.name, organizations.status,
    organizations.settings_json, users.email AS person_email, users.name AS person_name
    FROM organizations LEFT JOIN users ON users.organization_id = $1 AND users.id = $2
    WHERE organizations.id = $1";

impl System {
    /// Takes up to `limit` waiting executions for `worker`, oldest first, and of no organization
    /// more than it may run at a time.
    pub async fn claim(
        &self,
        worker: Uuid,
        limit: u32,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Claimed, StoreError> {
        let write = self.write_beside_others().await?;
        let values = [
            worker.into(),
            now.after(lease).0.into(),
            now.0.into(),
            i64::from(limit).into(),
            Scope::Global.column().into(),
        ];
        let rows = write.system().all::<ClaimRow, 5>(CLAIM, values).await?;
        let mut claimed = Claimed::default();
        for row in rows {
            match self.start(&write, &row, worker, now).await {
                Ok(claim) => claimed.claims.push(claim),
                Err(NotStarted::Refused(why)) => {
                    claimed.refused.push(refuse(&write, &row, why, now).await?);
                }
                Err(NotStarted::Store(error)) => return Err(error),
            }
        }
        write.commit().await?;
        Ok(claimed)
    }

    /// Makes a claimed row an execution that runs. Nothing is believed that the tables of its
    /// organization do not say as well.
    async fn start(
        &self,
        write: &Write<'_>,
        row: &ClaimRow,
        worker: Uuid,
        now: Timestamp,
    ) -> Result<Claim, NotStarted> {
        let scope = Scope::from_column(row.organization_id);
        let execution = ExecutionId(row.execution_id);
        let access = Access::from_claimed_job(scope, execution);
        let gate = write.tenant(scope);
        let owner = || row.organization_id.into();
        let values = [owner(), row.execution_id.into(), now.0.into(), row.attempt.into()];
        let started = gate.one::<StartedRow, 4>(START, values).await?;
        let started = started.ok_or(Refusal::ExecutionMissing)?;
        let asked_by = started.requested_by_user;
        let people = gate.one::<PeopleRow, 2>(PEOPLE, [owner(), asked_by.into()]).await?;
        let organization = people.ok_or(Refusal::OrganizationUnknown)?;
        if OrganizationStatus::from_column(&organization.status) != OrganizationStatus::Active {
            return Err(Refusal::OrganizationSuspended.into());
        }
        let stored = settings::read(&organization.settings_json);
        if stored.damaged {
            return Err(Refusal::OrganizationUnreadable.into());
        }
        let slug = Slug::parse(&organization.slug).map_err(|_| Refusal::OrganizationUnreadable)?;
        let own_generation = row.own_generation.ok_or(Refusal::OrganizationUnknown)?;
        let person = organization.person_email.zip(organization.person_name);
        // A provider's person who acts is no user of the organization: their address must do.
        let stranger = || (started.requested_by.clone(), started.requested_by.clone());
        let user = asked_by.map(|id| {
            let (email, name) = person.unwrap_or_else(stranger);
            (UserId(id), email, name)
        });
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
            organization: (slug, organization.name),
            settings: stored.settings,
            user,
            own_generation,
            global_generation: row.global_generation,
        })
    }
}

/// Why a claimed row does not run.
enum NotStarted {
    /// This one may not.
    Refused(Refusal),
    /// The database failed: nothing is claimed.
    Store(StoreError),
}

impl From<Refusal> for NotStarted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for NotStarted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
