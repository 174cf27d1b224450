//! Schedules: which workflows start by themselves, when, and whether they do so here.

use crate::{
    extract::{Body, Query, Signed},
    page::{Page, PageQuery},
    problem::Problem,
    state::ApiState,
};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{ExecutionId, Timestamp, schedule::Missed, scope::Side};
use serde::{Deserialize, Serialize};
use store::{ScheduleEntry, StoreError};
use utoipa::ToSchema;

/// Why a schedule was not read or switched.
#[derive(Debug, thiserror::Error)]
pub enum SchedulesError {
    /// There is no such workflow here, or it has no schedule.
    #[error("not there")]
    NotThere,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for SchedulesError {
    fn into_response(self) -> Response {
        match self {
            Self::NotThere => Problem::not_found(),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

/// A workflow's schedule.
#[derive(Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleReply {
    /// The workflow's name.
    workflow: String,
    scope: Side,
    /// The file it is in.
    path: String,
    /// The cron pattern: minute, hour, day of month, month, weekday.
    schedule: String,
    /// The zone whose clocks count.
    timezone: String,
    /// What happens with ticks for which no server was there.
    missed: Missed,
    /// Whether it starts anything in the token's organization. An own one does until it is paused,
    /// Global's when it has been switched on here.
    enabled: bool,
    /// When it starts next; `null` while it does not.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    next_at: Option<Timestamp>,
    /// When it last started something.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    last_at: Option<Timestamp>,
    /// What it started then.
    #[schema(value_type = Option<uuid::Uuid>, required = true)]
    last_execution_id: Option<ExecutionId>,
    /// Why it never starts, or why its last tick started nothing.
    #[schema(required = true)]
    problem: Option<String>,
}

impl From<ScheduleEntry> for ScheduleReply {
    fn from(entry: ScheduleEntry) -> Self {
        Self {
            workflow: entry.workflow,
            scope: entry.side,
            path: entry.path.into(),
            schedule: entry.schedule,
            timezone: entry.timezone,
            missed: entry.missed,
            enabled: entry.enabled,
            next_at: entry.next_at,
            last_at: entry.last_at,
            last_execution_id: entry.last_execution,
            problem: entry.problem.map(|problem| problem.to_string()),
        }
    }
}

/// Whether a schedule starts anything.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SwitchSchedule)]
pub struct SwitchBody {
    /// `false` pauses it, `true` lets it go on from now.
    enabled: bool,
}

/// Workflows that have a schedule, by name.
#[utoipa::path(
    get, path = "/api/schedules", tag = "schedules", operation_id = "listSchedules",
    params(PageQuery), responses((status = 200, body = Page<ScheduleReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ScheduleReply>>, Problem> {
    let wanted = page.wanted("schedules", &state, &signed)?;
    let scoped = state.scoped(&signed);
    let rows = scoped.schedules(wanted.after(), wanted.rows(), state.now()).await?;
    Ok(Json(wanted.page(rows, |entry| entry.workflow.clone())))
}

/// The schedule of one workflow.
#[utoipa::path(
    get, path = "/api/schedules/{workflow}", tag = "schedules", operation_id = "getSchedule",
    params(("workflow" = String, Path)), responses((status = 200, body = ScheduleReply))
)]
pub async fn get(
    State(state): State<ApiState>,
    signed: Signed,
    Path(workflow): Path<String>,
) -> Result<Json<ScheduleReply>, SchedulesError> {
    let found = state.scoped(&signed).schedule(&workflow, state.now()).await?;
    found.map(|found| Json(found.into())).ok_or(SchedulesError::NotThere)
}

/// Pause a schedule in the token's organization, or let it go on. What was missed meanwhile is not
/// made up for.
#[utoipa::path(
    patch, path = "/api/schedules/{workflow}", tag = "schedules", operation_id = "switchSchedule",
    params(("workflow" = String, Path)), request_body = SwitchBody,
    responses((status = 200, description = "As it is now.", body = ScheduleReply))
)]
pub async fn switch(
    State(state): State<ApiState>,
    signed: Signed,
    Path(workflow): Path<String>,
    Body(body): Body<SwitchBody>,
) -> Result<Json<ScheduleReply>, SchedulesError> {
    let scoped = state.scoped(&signed);
    let found = scoped.switch_schedule(&workflow, body.enabled, state.now()).await?;
    found.map(|found| Json(found.into())).ok_or(SchedulesError::NotThere)
}
