//! The state of a workflow, as its runs have left it in the asking organization. Only runs write it.

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
use domain::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use store::StateEntry;
use utoipa::ToSchema;

/// A value of a workflow's state.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowState)]
pub struct StateReply {
    key: String,
    #[schema(value_type = Value)]
    value: Box<RawValue>,
    /// Counts its writes from 1.
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<StateEntry> for StateReply {
    fn from(entry: StateEntry) -> Self {
        let StateEntry { key, value, version, updated_at } = entry;
        Self { key, value, version, updated_at }
    }
}

/// What runs of a workflow have left for those after them, by key.
#[utoipa::path(
    get, path = "/api/workflows/{name}/state", tag = "workflows",
    operation_id = "listWorkflowState", params(("name" = String, Path), PageQuery),
    responses((status = 200, body = Page<StateReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Path(name): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<StateReply>>, Problem> {
    let wanted = page.wanted("workflow_state", &state, &signed)?;
    let scoped = state.scoped(&signed);
    scoped.workflow(&name).await?.ok_or_else(Problem::not_found)?;
    let after = wanted.after().unwrap_or_else(String::new);
    let rows = scoped.states(&name, &after, wanted.rows()).await?;
    Ok(Json(wanted.page(rows, |entry| entry.key.clone())))
}
