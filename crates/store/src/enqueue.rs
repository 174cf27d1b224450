//! Accepting an execution: its row and its place in the queue, in one transaction.

use crate::{Execution, Scoped, StoreError, WorkflowEntry, db::Write, executions::Row};
use domain::{Actor, ExecutionId, Scope, Timestamp, audit::Event, execution::Status};
use sea_orm::FromQueryResult;
use serde_json::json;

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

/// How often an execution is started when its workers die, unless the workflow says `retries`.
const DEFAULT_ATTEMPTS: i64 = 3;

#[derive(FromQueryResult)]
struct Waiting {
    waiting: i64,
}

const BY_KEY: &str = "SELECT id, workflow, status, inputs_json, result_json, error_json,
    modules_json, created_at, started_at, finished_at, attempt, requested_by
    FROM executions WHERE organization_id = $1 AND idempotency_key = $2";
/// In two halves, because each is counted in an index of its own.
const WAITING: &str = "SELECT (SELECT COUNT(*) FROM job_queue AS standing
        WHERE standing.organization_id = $1 AND NOT standing.seated)
    + (SELECT COUNT(*) FROM job_queue AS sitting
        WHERE sitting.organization_id = $1 AND sitting.seated AND sitting.worker IS NULL)
    AS waiting";
const INSERT: &str = "INSERT INTO executions (organization_id, id, workflow, status, inputs_json,
    modules_json, attempt, timeout_seconds, requested_by, requested_by_user, idempotency_key,
    created_at)
    VALUES ($1, $2, $3, 'pending', $4, '[]', 0, $5, $6, $7, $8, $9)";
const ENQUEUE: &str = "INSERT INTO job_queue (organization_id, execution_id, available_at, attempt,
    max_attempts, cancel_requested, seated) VALUES ($1, $2, $3, 0, $4, FALSE,
        (SELECT COUNT(*) FROM job_queue AS taken
            WHERE taken.organization_id = $1 AND taken.seated)
        < (SELECT own.max_concurrent FROM organizations AS own WHERE own.id = $1))";

impl Scoped {
    /// Accepts an execution: its row and its place in the queue in one transaction.
    pub async fn enqueue(&self, new: NewExecution<'_>) -> Result<Enqueued, EnqueueError> {
        let write = self.write_beside_others().await?;
        let enqueued = write.enqueue(self.scope(), self.access().actor(), new).await?;
        write.commit().await?;
        Ok(enqueued)
    }
}

impl Write<'_> {
    /// Accepts an execution of `owner` as a part of this transaction. After an error the rest of
    /// the transaction must be dropped.
    pub(crate) async fn enqueue(
        &self,
        owner: Scope,
        actor: &Actor,
        new: NewExecution<'_>,
    ) -> Result<Enqueued, EnqueueError> {
        let gate = self.tenant(owner);
        if let Some(key) = &new.idempotency_key {
            let key = [owner.column().into(), key.as_str().into()];
            if let Some(row) = gate.one::<Row, 2>(BY_KEY, key).await? {
                return earlier(row.of(owner)?, &new);
            }
        }
        let waiting = gate.one::<Waiting, 1>(WAITING, [owner.column().into()]).await?;
        if waiting.is_some_and(|row| row.waiting >= i64::from(new.max_queued)) {
            return Err(EnqueueError::QueueFull(new.max_queued));
        }
        gate.run(INSERT, insert_values(owner, actor, &new)).await?;
        let attempts = max_attempts(new.workflow);
        let values = [owner.column().into(), new.id.0.into(), new.now.0.into(), attempts.into()];
        gate.run(ENQUEUE, values).await?;
        // An execution remembers by itself who asked for it. What it does not say is that they
        // were somebody else's people, and why they were here.
        if actor.acting().is_some() {
            let event = Event::done("execution.start", new.id.to_string())
                .with(json!({ "workflow": new.workflow.workflow.name }));
            self.audit(owner, actor, event, new.now).await?;
        }
        Ok(Enqueued { execution: pending(owner, actor, new)?, created: true })
    }
}

/// The execution that has the key already, if it was asked for in the same words.
fn earlier(execution: Execution, new: &NewExecution<'_>) -> Result<Enqueued, EnqueueError> {
    let inputs: serde_json::Value = serde_json::from_str(execution.inputs.get())
        .map_err(|e| StoreError::unreadable("execution", e))?;
    match execution.workflow == new.workflow.workflow.name && inputs == new.inputs {
        true => Ok(Enqueued { execution, created: false }),
        false => Err(EnqueueError::KeyReused),
    }
}

/// The execution that was just written.
fn pending(owner: Scope, actor: &Actor, new: NewExecution<'_>) -> Result<Execution, StoreError> {
    let inputs = serde_json::value::to_raw_value(&new.inputs);
    Ok(Execution {
        id: new.id,
        scope: owner,
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
        requested_by: actor.label(),
    })
}

fn insert_values(owner: Scope, actor: &Actor, new: &NewExecution<'_>) -> [sea_orm::Value; 9] {
    [
        owner.column().into(),
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

/// `@workflow(timeout=…)` in whole seconds, at least one.
fn timeout_seconds(workflow: &WorkflowEntry) -> Option<i64> {
    let seconds = workflow.workflow.options.get("timeout")?.as_f64()?;
    (seconds > 0.0).then_some((seconds.ceil() as i64).max(1))
}

fn max_attempts(workflow: &WorkflowEntry) -> i64 {
    let retries = workflow.workflow.options.get("retries").and_then(serde_json::Value::as_i64);
    retries.map_or(DEFAULT_ATTEMPTS, |retries| retries.clamp(0, 100) + 1)
}
