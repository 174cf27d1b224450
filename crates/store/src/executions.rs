//! Executions: asked for, looked at, and cancelled by the people of an organization.

use crate::{Scoped, StoreError, WorkflowEntry, files::count};
use domain::{
    ExecutionId, Scope, Timestamp,
    execution::{Failure, LoadedModule, Status},
};
use sea_orm::FromQueryResult;
use serde_json::value::RawValue;
use uuid::Uuid;

/// One run of one workflow, with everything about it.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Which.
    pub id: ExecutionId,
    /// Whose.
    pub scope: Scope,
    /// The workflow's name.
    pub workflow: String,
    /// Where it stands.
    pub status: Status,
    /// What it was given.
    pub inputs: Box<RawValue>,
    /// What it returned, when it succeeded.
    pub result: Option<Box<RawValue>>,
    /// Why it did not.
    pub failure: Option<Failure>,
    /// What it loaded.
    pub modules: Vec<LoadedModule>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How often it was started.
    pub attempt: u32,
    /// By whom, for people.
    pub requested_by: String,
}

/// An execution in a list: without what can be large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionSummary {
    /// Which.
    pub id: ExecutionId,
    /// The workflow's name.
    pub workflow: String,
    /// Where it stands.
    pub status: Status,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How often it was started.
    pub attempt: u32,
    /// By whom, for people.
    pub requested_by: String,
}

/// What a new execution needs.
#[derive(Clone, Debug)]
pub struct NewExecution<'a> {
    /// A fresh UUIDv7.
    pub id: ExecutionId,
    /// The workflow.
    pub workflow: &'a WorkflowEntry,
    /// Inputs that fit the workflow's parameters.
    pub inputs: serde_json::Value,
    /// The same key again gives the same execution.
    pub idempotency_key: Option<String>,
    /// Executions that may wait in this organization.
    pub max_queued: u32,
    /// The present.
    pub now: Timestamp,
}

/// An accepted execution.
#[derive(Clone, Debug)]
pub struct Enqueued {
    /// The execution.
    pub execution: Execution,
    /// Whether it is new, and not an earlier one with the same key.
    pub created: bool,
}

/// Why an execution was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The organization has as many waiting as it may.
    #[error("{0} executions are waiting already")]
    QueueFull(u32),
    /// The key belongs to an execution of something else.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A page of executions, newest first.
#[derive(Clone, Debug)]
pub struct ListExecutions {
    /// Only in this state.
    pub status: Option<Status>,
    /// Only of this workflow.
    pub workflow: Option<String>,
    /// Older than this one.
    pub before: Option<ExecutionId>,
    /// At most so many.
    pub limit: u32,
}

/// How often an execution is started when its workers die, unless the workflow says `retries`.
const DEFAULT_ATTEMPTS: i64 = 3;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    workflow: String,
    status: String,
    inputs_json: String,
    result_json: Option<String>,
    error_json: Option<String>,
    modules_json: String,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    attempt: i64,
    requested_by: String,
}

#[derive(FromQueryResult)]
struct SummaryRow {
    id: Uuid,
    workflow: String,
    status: String,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    attempt: i64,
    requested_by: String,
}

#[derive(FromQueryResult)]
struct Waiting {
    waiting: i64,
}

const ONE: &str = "SELECT id, workflow, status, inputs_json, result_json, error_json, modules_json,
    created_at, started_at, finished_at, attempt, requested_by
    FROM executions WHERE organization_id = $1 AND id = $2";
const BY_KEY: &str = "SELECT id, workflow, status, inputs_json, result_json, error_json,
    modules_json, created_at, started_at, finished_at, attempt, requested_by
    FROM executions WHERE organization_id = $1 AND idempotency_key = $2";
const WAITING: &str = "SELECT COUNT(*) AS waiting FROM job_queue
    WHERE organization_id = $1 AND worker IS NULL";
const INSERT: &str = "INSERT INTO executions (organization_id, id, workflow, status, inputs_json,
    modules_json, attempt, timeout_seconds, requested_by, requested_by_user, idempotency_key,
    created_at)
    VALUES ($1, $2, $3, 'pending', $4, '[]', 0, $5, $6, $7, $8, $9)";
const ENQUEUE: &str = "INSERT INTO job_queue (organization_id, execution_id, available_at, attempt,
    max_attempts, cancel_requested) VALUES ($1, $2, $3, 0, $4, FALSE)";
const PAGE: &str = "SELECT id, workflow, status, created_at, started_at, finished_at, attempt,
    requested_by FROM executions WHERE organization_id = $1 AND id < $2
    ORDER BY id DESC LIMIT $3";
const PAGE_OF_STATUS: &str = "SELECT id, workflow, status, created_at, started_at, finished_at,
    attempt, requested_by FROM executions WHERE organization_id = $1 AND id < $2 AND status = $4
    ORDER BY id DESC LIMIT $3";
const PAGE_OF_WORKFLOW: &str = "SELECT id, workflow, status, created_at, started_at, finished_at,
    attempt, requested_by FROM executions WHERE organization_id = $1 AND id < $2 AND workflow = $4
    ORDER BY id DESC LIMIT $3";
const PAGE_OF_BOTH: &str = "SELECT id, workflow, status, created_at, started_at, finished_at,
    attempt, requested_by FROM executions
    WHERE organization_id = $1 AND id < $2 AND status = $4 AND workflow = $5
    ORDER BY id DESC LIMIT $3";
const CANCEL_WAITING: &str = "DELETE FROM job_queue
    WHERE organization_id = $1 AND execution_id = $2 AND worker IS NULL";
const CANCEL_RUNNING: &str = "UPDATE job_queue SET cancel_requested = TRUE
    WHERE organization_id = $1 AND execution_id = $2";
const END_CANCELLED: &str = "UPDATE executions SET status = 'cancelled', finished_at = $3,
    error_json = $4 WHERE organization_id = $1 AND id = $2";

impl Scoped {
    /// Accepts an execution: its row and its place in the queue in one transaction.
    pub async fn enqueue(&self, new: NewExecution<'_>) -> Result<Enqueued, EnqueueError> {
        let owner = self.scope().column();
        let write = self.write().await?;
        let gate = write.tenant(self.scope());
        if let Some(key) = &new.idempotency_key {
            let earlier = gate.one::<Row, 2>(BY_KEY, [owner.into(), key.as_str().into()]).await?;
            if let Some(row) = earlier {
                let execution = self.execution_of(row)?;
                let inputs: serde_json::Value = serde_json::from_str(execution.inputs.get())
                    .map_err(|e| StoreError::unreadable("execution", e))?;
                let same = execution.workflow == new.workflow.workflow.name && inputs == new.inputs;
                return match same {
                    true => Ok(Enqueued { execution, created: false }),
                    false => Err(EnqueueError::KeyReused),
                };
            }
        }
        let waiting = gate.one::<Waiting, 1>(WAITING, [owner.into()]).await?;
        if waiting.is_some_and(|row| row.waiting >= i64::from(new.max_queued)) {
            return Err(EnqueueError::QueueFull(new.max_queued));
        }
        gate.run(INSERT, self.insert_values(&new)).await?;
        let values =
            [owner.into(), new.id.0.into(), new.now.0.into(), max_attempts(new.workflow).into()];
        gate.run(ENQUEUE, values).await?;
        write.commit().await?;
        Ok(Enqueued { execution: self.pending(new)?, created: true })
    }

    /// The execution that was just written.
    fn pending(&self, new: NewExecution<'_>) -> Result<Execution, StoreError> {
        let inputs = serde_json::value::to_raw_value(&new.inputs);
        Ok(Execution {
            id: new.id,
            scope: self.scope(),
            workflow: new.workflow.workflow.name.clone(),
            status: Status::Pending,
            inputs: inputs.map_err(|e| StoreError::unreadable("inputs", e))?,
            result: None,
            failure: None,
            modules: Vec::new(),
            created_at: new.now,
            started_at: None,
            finished_at: None,
            attempt: 0,
            requested_by: self.access().actor().label(),
        })
    }

    /// One execution.
    pub async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        let values = [self.scope().column().into(), id.0.into()];
        let row = self.gate().one::<Row, 2>(ONE, values).await?;
        row.map(|row| self.execution_of(row)).transpose()
    }

    /// Executions, newest first.
    pub async fn executions(
        &self,
        list: ListExecutions,
    ) -> Result<Vec<ExecutionSummary>, StoreError> {
        let owner = self.scope().column().into();
        let before = list.before.map_or(Uuid::max(), |id| id.0).into();
        let limit = i64::from(list.limit).into();
        let gate = self.gate();
        let rows: Vec<SummaryRow> = match (list.status.map(Status::as_str), list.workflow) {
            (None, None) => gate.all(PAGE, [owner, before, limit]).await?,
            (Some(status), None) => {
                gate.all(PAGE_OF_STATUS, [owner, before, limit, status.into()]).await?
            }
            (None, Some(workflow)) => {
                gate.all(PAGE_OF_WORKFLOW, [owner, before, limit, workflow.into()]).await?
            }
            (Some(status), Some(workflow)) => {
                let values = [owner, before, limit, status.into(), workflow.into()];
                gate.all(PAGE_OF_BOTH, values).await?
            }
        };
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Stops an execution: at once while it waits, by its worker while it runs. The state after
    /// the call; `None` when there is no such execution.
    pub async fn request_cancel(
        &self,
        id: ExecutionId,
        now: Timestamp,
    ) -> Result<Option<Status>, StoreError> {
        let owner = self.scope().column();
        let write = self.write().await?;
        let gate = write.tenant(self.scope());
        let key = || [owner.into(), id.0.into()];
        let Some(row) = gate.one::<Row, 2>(ONE, key()).await? else { return Ok(None) };
        let status = status(&row.status)?;
        if status.is_outcome() {
            return Ok(Some(status));
        }
        let cancelled = gate.run(CANCEL_WAITING, key()).await? > 0;
        if cancelled {
            let reason = Failure {
                kind: "Cancelled".to_owned(),
                message: format!(
                    "cancelled by {} before it started",
                    self.access().actor().label()
                ),
                traceback: String::new(),
            };
            let reason = serde_json::to_string(&reason);
            let reason = reason.map_err(|e| StoreError::unreadable("failure", e))?;
            let values = [owner.into(), id.0.into(), now.0.into(), reason.into()];
            gate.run(END_CANCELLED, values).await?;
        } else {
            gate.run(CANCEL_RUNNING, key()).await?;
        }
        write.commit().await?;
        Ok(Some(if cancelled { Status::Cancelled } else { status }))
    }

    fn insert_values(&self, new: &NewExecution<'_>) -> [sea_orm::Value; 9] {
        let actor = self.access().actor();
        [
            self.scope().column().into(),
            new.id.0.into(),
            new.workflow.workflow.name.as_str().into(),
            new.inputs.to_string().into(),
            timeout_seconds(new.workflow).into(),
            actor.label().into(),
            actor.user().map(|user| user.0).into(),
            new.idempotency_key.clone().into(),
            new.now.0.into(),
        ]
    }

    fn execution_of(&self, row: Row) -> Result<Execution, StoreError> {
        let json = |e: serde_json::Error| StoreError::unreadable("execution", e);
        let failure = row.error_json.as_deref().map(serde_json::from_str).transpose();
        Ok(Execution {
            id: ExecutionId(row.id),
            scope: self.scope(),
            workflow: row.workflow,
            status: status(&row.status)?,
            inputs: RawValue::from_string(row.inputs_json).map_err(json)?,
            result: row.result_json.map(RawValue::from_string).transpose().map_err(json)?,
            failure: failure.map_err(json)?,
            modules: serde_json::from_str(&row.modules_json).map_err(json)?,
            created_at: Timestamp(row.created_at),
            started_at: row.started_at.map(Timestamp),
            finished_at: row.finished_at.map(Timestamp),
            attempt: count(row.attempt)?,
            requested_by: row.requested_by,
        })
    }
}

impl TryFrom<SummaryRow> for ExecutionSummary {
    type Error = StoreError;

    fn try_from(row: SummaryRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ExecutionId(row.id),
            workflow: row.workflow,
            status: status(&row.status)?,
            created_at: Timestamp(row.created_at),
            started_at: row.started_at.map(Timestamp),
            finished_at: row.finished_at.map(Timestamp),
            attempt: count(row.attempt)?,
            requested_by: row.requested_by,
        })
    }
}

fn status(word: &str) -> Result<Status, StoreError> {
    word.parse().map_err(|e| StoreError::unreadable("status", e))
}

/// `@workflow(timeout=…)` in whole seconds, at least one.
fn timeout_seconds(workflow: &WorkflowEntry) -> Option<i64> {
    let seconds = workflow.workflow.options.get("timeout")?.as_f64()?;
    (seconds > 0.0).then_some((seconds.ceil() as i64).max(1))
}

fn max_attempts(workflow: &WorkflowEntry) -> i64 {
    let retries = workflow.workflow.options.get("retries").and_then(serde_json::Value::as_i64);
    retries.map_or(DEFAULT_ATTEMPTS, |retries| retries.clamp(0, 100) + 1)
}
