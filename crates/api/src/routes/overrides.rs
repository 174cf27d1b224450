//! The overrides of an organization: what they hide, what they began from, and whether Global has
//! moved on since.

use crate::{
    extract::{Query, Signed},
    page::{Page, PageQuery},
    problem::Problem,
    state::ApiState,
};
use axum::{Json, extract::State};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use store::{FileState, ListOverrides, OverrideEntry};
use utoipa::{IntoParams, ToSchema};

/// Which overrides.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OverridesQuery {
    /// Paths that start with this.
    #[serde(default)]
    prefix: String,
}

/// A content without its bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = FileState)]
pub struct StateReply {
    version: u32,
    /// SHA-256 in hex.
    hash: String,
    /// Bytes.
    size: u64,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<FileState> for StateReply {
    fn from(FileState { version, hash, size, updated_at }: FileState) -> Self {
        Self { version, hash, size, updated_at }
    }
}

/// A file of the organization that Global has too.
#[derive(Serialize, ToSchema)]
#[schema(as = Override)]
pub struct OverrideReply {
    path: String,
    own: StateReply,
    /// What Global had when the override began; `null` when it had no such file.
    #[schema(required = true)]
    base: Option<StateReply>,
    global: StateReply,
    /// Whether Global has another content by now than `base`.
    drift: bool,
}

impl From<OverrideEntry> for OverrideReply {
    fn from(entry: OverrideEntry) -> Self {
        let drift = entry.drift();
        Self {
            path: entry.path.into(),
            own: entry.own.into(),
            base: entry.base.map(Into::into),
            global: entry.global.into(),
            drift,
        }
    }
}

/// Overrides by path. Global itself has none.
#[utoipa::path(
    get, path = "/api/overrides", tag = "overrides", operation_id = "listOverrides",
    params(PageQuery, OverridesQuery), responses((status = 200, body = Page<OverrideReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
    Query(query): Query<OverridesQuery>,
) -> Result<Json<Page<OverrideReply>>, Problem> {
    let wanted = page.wanted("overrides", &state, &signed)?;
    let list = ListOverrides { prefix: query.prefix, after: wanted.after(), limit: wanted.rows() };
    let rows = state.scoped(&signed).overrides(list).await?;
    Ok(Json(wanted.page(rows, |entry| entry.path.as_str().to_owned())))
}
