//! The log of an execution: a list, or a stream that follows until the execution ends.

use crate::{
    extract::{Id, Query, Signed},
    log_stream::{self, Follow},
    page::{Page, PageQuery},
    problem::Problem,
    state::ApiState,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{ExecutionId, Timestamp, execution::LogLevel};
use serde::Serialize;
use store::NumberedLine;
use utoipa::ToSchema;

/// How loud a line is.
#[derive(ToSchema)]
#[schema(as = LogLevel, rename_all = "lowercase")]
#[allow(dead_code, reason = "the schema of `domain::execution::LogLevel`")]
pub enum LevelReply {
    /// For whoever looks for a fault.
    Debug,
    /// What `print` writes.
    Info,
    /// What goes to standard error.
    Warning,
    /// Something failed.
    Error,
}

/// A line of a log.
#[derive(Serialize, ToSchema)]
#[schema(as = LogLine)]
pub struct LineReply {
    /// Counts from 1 within an execution.
    pub seq: i64,
    /// When the workflow wrote it.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// How loud.
    #[schema(value_type = LevelReply)]
    pub level: LogLevel,
    /// At most 64 KiB.
    pub message: String,
}

impl From<NumberedLine> for LineReply {
    fn from(NumberedLine { seq, line }: NumberedLine) -> Self {
        Self { seq, time: line.time, level: line.level, message: line.message }
    }
}

/// The log of an execution. With `Accept: text/event-stream` it follows: `log` events with the
/// line's number as their id, then one `end` event with the status.
#[utoipa::path(
    get, path = "/api/executions/{id}/logs", tag = "executions", operation_id = "listExecutionLogs",
    params(
        ("id" = Uuid, Path), PageQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "Resumes a stream after this line."),
    ),
    responses(
        (status = 200, content((Page<LineReply>), (String = "text/event-stream"))),
    )
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Id(id): Id<ExecutionId>,
    Query(page): Query<PageQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if accepts_events(&headers) {
        let after = last_event_id(&headers)?;
        let exists = state.scoped(&signed).logs(id, 0, 1).await?.is_some();
        return match exists {
            true => Ok(log_stream::reply(Follow::new(state, signed, id, after))),
            false => Err(Problem::not_found()),
        };
    }
    let wanted = page.wanted("execution logs", &state, &signed)?;
    let after = wanted.after().unwrap_or(0);
    let rows = state.scoped(&signed).logs(id, after, wanted.rows()).await?;
    let rows = rows.ok_or_else(Problem::not_found)?;
    let page: Page<LineReply> = wanted.page(rows, |row| row.seq.to_string());
    Ok(Json(page).into_response())
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.to_ascii_lowercase().contains("text/event-stream"))
}

fn last_event_id(headers: &HeaderMap) -> Result<i64, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(0) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.filter(|number| *number >= 0).ok_or_else(|| {
        let detail = "`Last-Event-ID` is the number of a line";
        Problem::new(StatusCode::BAD_REQUEST, "bad_last_event_id", detail)
    })
}
