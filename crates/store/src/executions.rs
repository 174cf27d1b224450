//! Executions, as the people of an organization look at them.

use crate::{Scoped, StoreError, files::count, row::FromRow};
use domain::{
    ExecutionId, Scope, Timestamp,
    execution::{Failure, LoadedModule, Progress, Status},
};
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
    /// Before others of its organization when higher, -10 to 10.
    pub priority: i64,
    /// Not before, if it was asked for later.
    pub start_at: Option<Timestamp>,
    /// The execution that started it.
    pub parent: Option<ExecutionId>,
    /// Generations below the one that somebody asked for.
    pub depth: u32,
    /// The data provider that is asked instead of the workflow.
    pub provider: Option<String>,
    /// How far it has come, as it said last.
    pub progress: Option<Progress>,
    /// The content type of the result, when it has one of its own.
    pub result_type: Option<String>,
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

/// A page of executions, newest first.
#[derive(Clone, Debug)]
pub struct ListExecutions {
    /// Only in this state.
    pub status: Option<Status>,
    /// Only of this workflow.
    pub workflow: Option<String>,
    /// Those that ask a data provider, instead of those that run a workflow.
    pub options: bool,
    /// Older than this one.
    pub before: Option<ExecutionId>,
    /// At most so many.
    pub limit: u32,
}

#[derive(FromRow)]
pub(crate) struct Row {
    id: Uuid,
    workflow: String,
    pub(crate) status: String,
    inputs_json: String,
    result_json: Option<String>,
    error_json: Option<String>,
    modules_json: String,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    attempt: i64,
    requested_by: String,
    priority: i64,
    start_at: Option<i64>,
    parent_id: Option<Uuid>,
    depth: i64,
    provider: Option<String>,
    progress_json: Option<String>,
    result_type: Option<String>,
}

#[derive(FromRow)]
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

pub(crate) const ONE: &str =
    "SELECT id, workflow, status, inputs_json, result_json, error_json, modules_json,
    created_at, started_at, finished_at, attempt, requested_by, priority, start_at,
    parent_id, depth, provider, progress_json, result_type FROM executions WHERE organization_id = $1 AND id = $2";
const PAGE: &str = "SELECT id, workflow, status, created_at, started_at, finished_at, attempt,
    requested_by FROM executions WHERE organization_id = $1 AND id < $2
    AND (provider IS NOT NULL) = $4
    ORDER BY id DESC LIMIT $3";
const PAGE_OF_STATUS: &str = "SELECT id, workflow, status, created_at, started_at, finished_at,
    attempt, requested_by FROM executions WHERE organization_id = $1 AND id < $2 AND status = $4
    AND (provider IS NOT NULL) = $5
    ORDER BY id DESC LIMIT $3";
const PAGE_OF_WORKFLOW: &str = "SELECT id, workflow, status, created_at, started_at, finished_at,
    attempt, requested_by FROM executions WHERE organization_id = $1 AND id < $2 AND workflow = $4
    AND (provider IS NOT NULL) = $5
    ORDER BY id DESC LIMIT $3";
const PAGE_OF_BOTH: &str = "SELECT id, workflow, status, created_at, started_at, finished_at,
    attempt, requested_by FROM executions
    WHERE organization_id = $1 AND id < $2 AND status = $4 AND workflow = $5
    AND (provider IS NOT NULL) = $6
    ORDER BY id DESC LIMIT $3";
impl Scoped {
    /// One execution.
    pub async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        let values = [self.scope().column().into(), id.0.into()];
        let row = self.gate().one::<Row, 2>(ONE, values).await?;
        row.map(|row| row.of(self.scope())).transpose()
    }

    /// Executions, newest first.
    pub async fn executions(
        &self,
        list: ListExecutions,
    ) -> Result<Vec<ExecutionSummary>, StoreError> {
        let owner = self.scope().column().into();
        let before = list.before.map_or(Uuid::max(), |id| id.0).into();
        let limit = i64::from(list.limit).into();
        let options = list.options.into();
        let gate = self.gate();
        let rows: Vec<SummaryRow> = match (list.status.map(Status::as_str), list.workflow) {
            (None, None) => gate.all(PAGE, [owner, before, limit, options]).await?,
            (Some(status), None) => {
                gate.all(PAGE_OF_STATUS, [owner, before, limit, status.into(), options]).await?
            }
            (None, Some(workflow)) => {
                gate.all(PAGE_OF_WORKFLOW, [owner, before, limit, workflow.into(), options]).await?
            }
            (Some(status), Some(workflow)) => {
                let values = [owner, before, limit, status.into(), workflow.into(), options];
                gate.all(PAGE_OF_BOTH, values).await?
            }
        };
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

impl Row {
    /// The execution that a row of `owner` speaks of.
    pub(crate) fn of(self, owner: Scope) -> Result<Execution, StoreError> {
        let json = |e: serde_json::Error| StoreError::unreadable("execution", e);
        let failure = self.error_json.as_deref().map(serde_json::from_str).transpose();
        let progress = self.progress_json.as_deref().map(serde_json::from_str).transpose();
        Ok(Execution {
            id: ExecutionId(self.id),
            scope: owner,
            workflow: self.workflow,
            status: status(&self.status)?,
            inputs: RawValue::from_string(self.inputs_json).map_err(json)?,
            result: self.result_json.map(RawValue::from_string).transpose().map_err(json)?,
            failure: failure.map_err(json)?,
            modules: serde_json::from_str(&self.modules_json).map_err(json)?,
            created_at: Timestamp(self.created_at),
            started_at: self.started_at.map(Timestamp),
            finished_at: self.finished_at.map(Timestamp),
            attempt: count(self.attempt)?,
            requested_by: self.requested_by,
            priority: self.priority,
            start_at: self.start_at.map(Timestamp),
            parent: self.parent_id.map(ExecutionId),
            depth: count(self.depth)?,
            provider: self.provider,
            progress: progress.map_err(json)?,
            result_type: self.result_type,
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

pub(crate) fn status(word: &str) -> Result<Status, StoreError> {
    word.parse().map_err(|e| StoreError::unreadable("status", e))
}
