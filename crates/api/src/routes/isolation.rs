//! The walls around runs of this process, as it found them when it started.

use crate::state::ApiState;
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// What keeps runs from the machine and from each other.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Isolation {
    /// Whether every required wall holds. A server without one starts only with
    /// `--isolation=best-effort`.
    pub whole: bool,
    /// In the order in which a run meets them.
    pub walls: Vec<Wall>,
}

/// One wall, which the server attacked itself when it started.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IsolationWall)]
pub struct Wall {
    /// In lower case with underscores; it does not change.
    #[schema(example = "system_calls")]
    pub name: &'static str,
    /// Whether a server refuses to start without it.
    pub required: bool,
    /// Whether the attack on it failed, as it should.
    pub holds: bool,
    /// What it is made of here; if it does not hold, what happened and what to do.
    pub how: String,
}

/// The walls around the runs of the server that answers. Others of the same installation may have
/// been started otherwise: ask each, or look at `bifrost_isolation_wall` in their figures.
#[utoipa::path(
    get, path = "/api/system/isolation", tag = "system", operation_id = "getIsolation",
    responses((status = 200, body = Isolation))
)]
pub async fn get(State(state): State<ApiState>) -> Json<Arc<Isolation>> {
    Json(state.isolation.clone())
}
