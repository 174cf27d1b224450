//! Executions as replies show them.

use domain::{
    Timestamp,
    execution::{Failure, LoadedModule, Progress, Status},
};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Execution, ExecutionSummary};
use utoipa::ToSchema;
use uuid::Uuid;

/// An execution.
#[derive(Serialize, ToSchema)]
#[schema(as = Execution)]
pub struct ExecutionReply {
    id: Uuid,
    /// `null` for Global.
    #[schema(required = true)]
    organization_id: Option<Uuid>,
    workflow: String,
    status: Status,
    #[schema(value_type = Object)]
    inputs: Box<RawValue>,
    /// What the workflow returned.
    #[schema(value_type = Option<Value>, required = true)]
    result: Option<Box<RawValue>>,
    #[schema(required = true)]
    error: Option<Failure>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    finished_at: Option<Timestamp>,
    /// How often it was started.
    attempt: u32,
    /// By whom, for people.
    requested_by: String,
    /// Before those of the organization with less, -10 to 10.
    priority: i64,
    /// Not before, if it was asked for later.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    start_at: Option<Timestamp>,
    /// The execution that started it.
    #[schema(required = true)]
    parent_id: Option<Uuid>,
    /// Generations below the execution that somebody asked for.
    depth: u32,
    /// `run`, or `options` when it asked what a parameter can be.
    kind: &'static str,
    /// How far it has come, as it said last.
    #[schema(required = true)]
    progress: Option<Progress>,
    /// The content type of the result: `application/json`, or what the workflow returned it as.
    #[schema(required = true)]
    result_type: Option<String>,
    /// Every workspace module it loaded.
    modules: Vec<LoadedModule>,
}

impl From<Execution> for ExecutionReply {
    fn from(it: Execution) -> Self {
        let plain = || it.result.is_some().then(|| "application/json".to_owned());
        Self {
            result_type: it.result_type.or_else(plain),
            parent_id: it.parent.map(|id| id.0),
            depth: it.depth,
            kind: if it.provider.is_some() { "options" } else { "run" },
            progress: it.progress,
            id: it.id.0,
            organization_id: it.scope.organization().map(|id| id.0),
            workflow: it.workflow,
            status: it.status,
            inputs: it.inputs,
            result: it.result,
            error: it.failure,
            created_at: it.created_at,
            started_at: it.started_at,
            finished_at: it.finished_at,
            attempt: it.attempt,
            requested_by: it.requested_by,
            priority: it.priority,
            start_at: it.start_at,
            modules: it.modules,
        }
    }
}

/// An execution in a list: without inputs, result, error and modules.
#[derive(Serialize, ToSchema)]
#[schema(as = ExecutionSummary)]
pub struct SummaryReply {
    id: Uuid,
    workflow: String,
    status: Status,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    finished_at: Option<Timestamp>,
    attempt: u32,
    requested_by: String,
}

impl From<ExecutionSummary> for SummaryReply {
    fn from(it: ExecutionSummary) -> Self {
        Self {
            id: it.id.0,
            workflow: it.workflow,
            status: it.status,
            created_at: it.created_at,
            started_at: it.started_at,
            finished_at: it.finished_at,
            attempt: it.attempt,
            requested_by: it.requested_by,
        }
    }
}
