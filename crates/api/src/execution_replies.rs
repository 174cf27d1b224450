//! Executions as replies show them.

use crate::wire::ScopeWord;
use domain::{
    Timestamp,
    execution::{Failure, LoadedModule, Status},
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
    #[schema(value_type = StatusReply)]
    status: Status,
    #[schema(value_type = Object)]
    inputs: Box<RawValue>,
    /// What the workflow returned.
    #[schema(value_type = Option<Value>, required = true)]
    result: Option<Box<RawValue>>,
    #[schema(value_type = Option<FailureReply>, required = true)]
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
    /// Every workspace module it loaded.
    #[schema(value_type = Vec<LoadedModuleReply>)]
    modules: Vec<LoadedModule>,
}

/// Where an execution stands. The last seven are outcomes: once there, it stays.
#[derive(ToSchema)]
#[schema(as = ExecutionStatus, rename_all = "snake_case")]
#[allow(dead_code, reason = "the schema of `domain::execution::Status`")]
pub enum StatusReply {
    /// In the queue.
    Pending,
    /// A worker holds it.
    Running,
    /// Returned.
    Succeeded,
    /// Raised, or returned what JSON cannot hold.
    Failed,
    /// Killed at its time limit.
    TimedOut,
    /// Stopped on request.
    Cancelled,
    /// Killed for memory.
    OutOfMemory,
    /// The process went without an end.
    Crashed,
    /// Its workers died, as often as it may be tried.
    Lost,
}

/// Why an execution did not succeed.
#[derive(ToSchema)]
#[schema(as = Failure)]
#[allow(dead_code, reason = "the schema of `domain::execution::Failure`")]
pub struct FailureReply {
    /// The Python exception's type, or a word of the platform.
    r#type: String,
    message: String,
    /// Empty when there is none.
    traceback: String,
}

/// A workspace module that an execution loaded.
#[derive(ToSchema)]
#[schema(as = LoadedModule)]
#[allow(dead_code, reason = "the schema of `domain::execution::LoadedModule`")]
pub struct LoadedModuleReply {
    name: String,
    scope: ScopeWord,
    path: String,
    version: u32,
    hash: String,
}

impl From<Execution> for ExecutionReply {
    fn from(it: Execution) -> Self {
        Self {
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
    #[schema(value_type = StatusReply)]
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
