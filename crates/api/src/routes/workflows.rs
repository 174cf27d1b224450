//! Workflows, as the asking organization sees them through the cascade.

use crate::{
    extract::{Query, Signed},
    page::{Page, PageQuery},
    problem::Problem,
    state::ApiState,
};
use axum::{
    Json,
    extract::{Path, State},
};
use domain::scope::Side;
use serde::Serialize;
use serde_json::Value;
use store::WorkflowEntry;
use utoipa::ToSchema;

/// A workflow.
#[derive(Serialize, ToSchema)]
#[schema(as = Workflow)]
pub struct WorkflowReply {
    name: String,
    scope: Side,
    /// The file it is in.
    path: String,
    /// The function in that file.
    function: String,
    description: String,
    /// JSON Schema (2020-12) of the inputs.
    #[schema(value_type = Object)]
    parameters: Value,
    /// Whether this is the organization's and Global has one of the same name.
    overrides: bool,
    /// Whether it is in a file of Global that the organization holds at a version.
    pinned: bool,
}

impl From<WorkflowEntry> for WorkflowReply {
    fn from(entry: WorkflowEntry) -> Self {
        Self {
            name: entry.workflow.name,
            scope: entry.side,
            path: entry.path.into(),
            function: entry.workflow.function,
            description: entry.workflow.description,
            parameters: entry.workflow.parameters,
            overrides: entry.overrides,
            pinned: entry.pinned,
        }
    }
}

/// Workflows by name.
#[utoipa::path(
    get, path = "/api/workflows", tag = "workflows", operation_id = "listWorkflows",
    params(PageQuery), responses((status = 200, body = Page<WorkflowReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<WorkflowReply>>, Problem> {
    let wanted = page.wanted("workflows", &state, &signed)?;
    let rows = state.scoped(&signed).workflows(wanted.after(), wanted.rows()).await?;
    Ok(Json(wanted.page(rows, |entry| entry.workflow.name.clone())))
}

/// One workflow.
#[utoipa::path(
    get, path = "/api/workflows/{name}", tag = "workflows", operation_id = "getWorkflow",
    params(("name" = String, Path)), responses((status = 200, body = WorkflowReply))
)]
pub async fn get(
    State(state): State<ApiState>,
    signed: Signed,
    Path(name): Path<String>,
) -> Result<Json<WorkflowReply>, Problem> {
    let found = state.scoped(&signed).workflow(&name).await?;
    found.map(|entry| Json(entry.into())).ok_or_else(Problem::not_found)
}
