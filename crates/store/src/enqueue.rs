//! Accepting an execution: its row and its place in the queue, in one transaction.

use crate::{
    Execution, Scoped, StoreError, WorkflowEntry, db::Write, executions::Row, queue::lanes,
};
use domain::{Actor, ExecutionId, Scope, Timestamp, audit::Event, execution::Status, retry};
use serde_json::{Value, json};
use std::time::Duration;

/// What a new execution needs.
#[derive(Clone, Debug)]
pub struct NewExecution<'a> {
    /// A fresh UUIDv7.
    pub id: ExecutionId,
    /// The workflow.
    pub workflow: &'a WorkflowEntry,
    /// Inputs that fit the workflow's parameters.
    pub inputs: Value,
    /// The same key again gives the same execution.
    pub idempotency_key: Option<String>,
    /// When it starts, and before whom.
    pub place: Place,
    /// Executions that may wait in this organization.
    pub max_queued: u32,
    /// The present.
    pub now: Timestamp,
}

/// Where in the queue of its organization an execution stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Before those with less, -10 to 10; what the workflow says if nothing is said here.
    pub priority: Option<i64>,
    /// Not before.
    pub start_at: Option<Timestamp>,
}

/// The least and the greatest priority.
pub const PRIORITIES: (i64, i64) = (-10, 10);

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

const BY_KEY: &str = "SELECT id, workflow, status, inputs_json, result_json, error_json,
    modules_json, created_at, started_at, finished_at, attempt, requested_by, priority, start_at,
    parent_id, depth, provider, progress_json, result_type FROM executions WHERE organization_id = $1 AND idempotency_key = $2";
/// Of two that come with one key, the second waits here for the first.
const INSERT: &str = "INSERT INTO executions (organization_id, id, workflow, status, inputs_json,
    modules_json, attempt, timeout_seconds, requested_by, requested_by_user, idempotency_key,
    created_at, priority, start_at)
    VALUES ($1, $2, $3, 'pending', $4, '[]', 0, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (organization_id, idempotency_key) DO NOTHING";
const ENQUEUE: &str = "INSERT INTO job_queue (organization_id, execution_id, available_at, delayed,
    priority, attempt, max_attempts, retries, retry_delay, cancel_requested)
    VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, FALSE)";

impl Scoped {
    /// Accepts an execution: its row and its place in the queue in one transaction.
    pub async fn enqueue(&self, new: NewExecution<'_>) -> Result<Enqueued, EnqueueError> {
        let write = self.write_beside_others().await?;
        let enqueued = write.enqueue(self.scope(), self.access().actor(), new).await?;
        write.commit_early().await?;
        Ok(enqueued)
    }
}

impl Write<'_> {
    /// Accepts an execution of `owner` as a part of this transaction. After an error nothing of the
    /// transaction may stay.
    pub(crate) async fn enqueue(
        &self,
        owner: Scope,
        actor: &Actor,
        new: NewExecution<'_>,
    ) -> Result<Enqueued, EnqueueError> {
        let gate = self.tenant(owner);
        let values = insert_values(owner, actor, &new);
        if new.idempotency_key.is_none() {
            gate.run_with_next(INSERT, values).await?;
        } else if gate.run(INSERT, values).await? == 0 {
            return self.earlier(owner, &new).await;
        }
        gate.run_with_next(ENQUEUE, queue_values(owner, &new)).await?;
        let entered = lanes::enter(&gate, owner, delayed(&new), new.max_queued).await?;
        if !entered {
            return Err(EnqueueError::QueueFull(new.max_queued));
        }
        // An execution remembers by itself who asked for it. What it does not say is that they
        // were somebody else's people, and why they were here.
        if actor.acting().is_some() {
            let event = Event::done("execution.start", new.id.to_string())
                .with(json!({ "workflow": new.workflow.workflow.name }));
            self.audit(owner, actor, event, new.now).await?;
        }
        Ok(Enqueued { execution: pending(owner, actor, new)?, created: true })
    }

    /// The execution that has the key already, if it was asked for with the same.
    async fn earlier(
        &self,
        owner: Scope,
        new: &NewExecution<'_>,
    ) -> Result<Enqueued, EnqueueError> {
        let gate = self.tenant(owner);
        let key = [owner.column().into(), new.idempotency_key.clone().into()];
        let row = gate.one::<Row, 2>(BY_KEY, key).await?.ok_or(EnqueueError::KeyReused)?;
        let execution = row.of(owner)?;
        let inputs: Value = serde_json::from_str(execution.inputs.get())
            .map_err(|e| StoreError::unreadable("execution", e))?;
        let same = execution.workflow == new.workflow.workflow.name
            && inputs == new.inputs
            && new.place.priority.is_none_or(|priority| priority == execution.priority)
            && execution.start_at == new.place.start_at;
        match same {
            true => Ok(Enqueued { execution, created: false }),
            false => Err(EnqueueError::KeyReused),
        }
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
        priority: priority(&new),
        start_at: new.place.start_at,
        parent: None,
        depth: 0,
        provider: None,
        progress: None,
        result_type: None,
    })
}

fn insert_values(owner: Scope, actor: &Actor, new: &NewExecution<'_>) -> [sea_orm::Value; 11] {
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
        priority(new).into(),
        new.place.start_at.map(|at| at.0).into(),
    ]
}

fn queue_values(owner: Scope, new: &NewExecution<'_>) -> [sea_orm::Value; 8] {
    let retries = retries(new.workflow);
    let available = new.place.start_at.map_or(new.now, |at| at.max(new.now));
    [
        owner.column().into(),
        new.id.0.into(),
        available.0.into(),
        delayed(new).into(),
        priority(new).into(),
        retries.map_or(DEFAULT_ATTEMPTS, |retries| retries + 1).into(),
        retries.unwrap_or(0).into(),
        i64::try_from(retry_delay(new.workflow).as_micros()).unwrap_or(i64::MAX).into(),
    ]
}

fn delayed(new: &NewExecution<'_>) -> bool {
    new.place.start_at.is_some_and(|at| at > new.now)
}

/// What was asked for, else what `@workflow(priority=…)` says.
fn priority(new: &NewExecution<'_>) -> i64 {
    let own = || new.workflow.workflow.options.get("priority").and_then(Value::as_i64);
    let (least, greatest) = PRIORITIES;
    new.place.priority.or_else(own).unwrap_or(0).clamp(least, greatest)
}

/// `@workflow(timeout=…)` in whole seconds, at least one.
fn timeout_seconds(workflow: &WorkflowEntry) -> Option<i64> {
    let seconds = workflow.workflow.options.get("timeout")?.as_f64()?;
    (seconds > 0.0).then_some((seconds.ceil() as i64).max(1))
}

fn retries(workflow: &WorkflowEntry) -> Option<i64> {
    let retries = workflow.workflow.options.get("retries").and_then(Value::as_i64);
    retries.map(|retries| retries.clamp(0, 100))
}

fn retry_delay(workflow: &WorkflowEntry) -> Duration {
    let seconds = workflow.workflow.options.get("retry_delay").and_then(Value::as_f64);
    let delay = seconds.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)));
    delay.map_or(retry::DEFAULT_DELAY, |delay| delay.unwrap_or(retry::LONGEST_DELAY))
}
