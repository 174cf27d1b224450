//! Executions: asked for, waited for, looked at, cancelled.

use crate::{
    execution_replies::{ExecutionReply, SummaryReply},
    execution_wait::{WaitQuery, finished_within},
    extract::{Body, Id, Query, Signed},
    page::{Page, PageQuery},
    problem::{FieldError, Problem},
    state::ApiState,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{ExecutionId, Timestamp, execution::Status};
use jobs::metrics::{self, Stage};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};
use store::{
    EnqueueError, Enqueued, Execution, ListExecutions, NewExecution, PRIORITIES, Place, StoreError,
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Why an execution was not started, read or cancelled.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionsError {
    /// Not there, or another organization's.
    #[error("not there")]
    NotThere,
    /// The inputs do not fit the workflow's parameters.
    #[error("the inputs do not fit the workflow's parameters")]
    BadInputs(Vec<FieldError>),
    /// When or before whom it should start makes no sense.
    #[error("the request is not valid")]
    BadPlace(Vec<FieldError>),
    /// The workflow's own parameters are no schema.
    #[error("{0}")]
    BadSchema(#[from] crate::inputs::BadSchema),
    /// `Idempotency-Key` is empty, long, or not ASCII.
    #[error("`Idempotency-Key` is 1 to 255 visible ASCII characters")]
    BadKey,
    /// The same key came with another workflow or other inputs.
    #[error("this `Idempotency-Key` was used for another request")]
    KeyReused,
    /// The organization has as many waiting as it may.
    #[error("too many executions are waiting")]
    QueueFull,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How long to wait before asking again when the queue is full.
const QUEUE_FULL_SECONDS: u64 = 5;

impl IntoResponse for ExecutionsError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        let unprocessable = |code, text| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, text);
        match self {
            Self::NotThere => Problem::not_found(),
            Self::BadInputs(errors) => unprocessable("invalid_inputs", text).with_errors(errors),
            Self::BadPlace(errors) => Problem::invalid_fields(errors),
            Self::BadSchema(_) => unprocessable("invalid_workflow_schema", text),
            Self::BadKey => Problem::new(StatusCode::BAD_REQUEST, "bad_idempotency_key", text),
            Self::KeyReused => Problem::new(StatusCode::CONFLICT, "idempotency_key_reused", text),
            Self::QueueFull => Problem::too_many(
                "queue_full",
                "the organization has as many executions waiting as its settings allow",
                QUEUE_FULL_SECONDS,
            ),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

impl From<EnqueueError> for ExecutionsError {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::QueueFull(_) => Self::QueueFull,
            EnqueueError::KeyReused => Self::KeyReused,
            EnqueueError::Store(error) => Self::Store(error),
        }
    }
}

/// What to run with.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = StartExecution)]
pub struct StartBody {
    /// By the workflow's `parameters`.
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
    /// Before those of the organization with less; what the workflow says if it is left out.
    #[schema(minimum = -10, maximum = 10)]
    priority: Option<i64>,
    /// Not before, at most a year from now.
    #[schema(format = DateTime)]
    start_at: Option<String>,
}

/// How far ahead an execution can be asked for.
const FARTHEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl StartBody {
    fn place(&self, now: Timestamp) -> Result<Place, ExecutionsError> {
        let mut faults = Vec::new();
        let (least, greatest) = PRIORITIES;
        if self.priority.is_some_and(|priority| !(least..=greatest).contains(&priority)) {
            faults.push(FieldError::new("/priority", format!("use {least} to {greatest}")));
        }
        let start_at = self.start_at.as_ref().map(|text| text.parse::<Timestamp>());
        match &start_at {
            Some(Err(error)) => faults.push(FieldError::new("/start_at", error.to_string())),
            Some(Ok(at)) if *at > now.after(FARTHEST) => {
                faults.push(FieldError::new("/start_at", "is more than a year from now"));
            }
            Some(Ok(_)) | None => {}
        }
        match faults.is_empty() {
            true => Ok(Place { priority: self.priority, start_at: start_at.and_then(Result::ok) }),
            false => Err(ExecutionsError::BadPlace(faults)),
        }
    }
}

/// Run a workflow.
#[utoipa::path(
    post, path = "/api/workflows/{name}/executions", tag = "executions",
    operation_id = "startExecution",
    params(
        ("name" = String, Path), WaitQuery,
        ("Idempotency-Key" = Option<String>, Header,
            description = "The same key again gives the same execution."),
    ),
    request_body = Option<StartBody>,
    responses(
        (status = 200, description = "It ended within `wait`.", body = ExecutionReply),
        (status = 202, description = "It has not ended yet.", body = ExecutionReply),
    )
)]
pub async fn start(
    State(state): State<ApiState>,
    signed: Signed,
    Path(name): Path<String>,
    Query(wait): Query<WaitQuery>,
    headers: HeaderMap,
    body: Option<Body<StartBody>>,
) -> Result<Response, Response> {
    let wait = wait.checked().map_err(IntoResponse::into_response)?;
    let asked = body.map(|Body(body)| body).unwrap_or_default();
    let id = ExecutionId(Uuid::now_v7());
    let watch = state.bells.watch_execution(id);
    let execution = enqueue(&state, &signed, &name, id, asked, &headers).await;
    let execution = execution.map_err(IntoResponse::into_response)?;
    // An earlier execution of the same key has a bell of its own.
    let watch = match execution.id == id {
        true => watch,
        false => state.bells.watch_execution(execution.id),
    };
    let execution = finished_within(&state, &signed, watch, execution, wait).await;
    let execution = execution.map_err(|error| Problem::from(error).into_response())?;
    Ok(started(execution))
}

pub(crate) fn started(execution: Execution) -> Response {
    let status = match execution.status.is_outcome() {
        true => StatusCode::OK,
        false => StatusCode::ACCEPTED,
    };
    let location = HeaderValue::from_str(&format!("/api/executions/{}", execution.id));
    let mut response = (status, Json(ExecutionReply::from(execution))).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

async fn enqueue(
    state: &ApiState,
    signed: &Signed,
    name: &str,
    id: ExecutionId,
    asked: StartBody,
    headers: &HeaderMap,
) -> Result<Execution, ExecutionsError> {
    let idempotency_key = idempotency_key(headers)?;
    let now = state.now();
    let scoped = state.scoped(signed);
    let workflow = scoped.workflow(name).await?.ok_or(ExecutionsError::NotThere)?;
    let place = asked.place(now)?;
    let inputs = Value::Object(asked.inputs);
    let faults = state.inputs.faults(&workflow.workflow.parameters, &inputs)?;
    if !faults.is_empty() {
        return Err(ExecutionsError::BadInputs(faults));
    }
    let new = NewExecution {
        id,
        workflow: &workflow,
        inputs,
        idempotency_key,
        place,
        max_queued: signed.session.organization.settings.executions.max_queued,
        now,
    };
    let begun = Instant::now();
    let Enqueued { execution, created } = scoped.enqueue(new).await?;
    if created {
        metrics::spent(Stage::Enqueue, begun.elapsed());
        state.bells.ring_work();
    }
    Ok(execution)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ExecutionsError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map_err(|_| ExecutionsError::BadKey)?;
    let good = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if good { Ok(Some(text.to_owned())) } else { Err(ExecutionsError::BadKey) }
}

/// Which executions a list has.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExecutionsQuery {
    /// Only in this state.
    status: Option<String>,
    /// Only of this workflow.
    workflow: Option<String>,
    /// `run`, which is meant unless told, or `options`: those that asked what a parameter can be.
    #[param(inline)]
    kind: Option<Kind>,
}

/// What an execution runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ExecutionKind)]
pub enum Kind {
    /// A workflow.
    Run,
    /// A data provider.
    Options,
}

/// Executions, newest first.
#[utoipa::path(
    get, path = "/api/executions", tag = "executions", operation_id = "listExecutions",
    params(PageQuery, ExecutionsQuery), responses((status = 200, body = Page<SummaryReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
    Query(query): Query<ExecutionsQuery>,
) -> Result<Json<Page<SummaryReply>>, Problem> {
    let wanted = page.wanted("executions", &state, &signed)?;
    let status = query.status.as_deref().map(str::parse::<Status>).transpose();
    let list = ListExecutions {
        status: status.map_err(|error| Problem::invalid("/status", error.to_string()))?,
        workflow: query.workflow,
        options: query.kind == Some(Kind::Options),
        before: wanted.after(),
        limit: wanted.rows(),
    };
    let rows = state.scoped(&signed).executions(list).await?;
    Ok(Json(wanted.page(rows, |row| row.id.to_string())))
}

/// One execution with everything about it.
#[utoipa::path(
    get, path = "/api/executions/{id}", tag = "executions", operation_id = "getExecution",
    params(("id" = Uuid, Path)), responses((status = 200, body = ExecutionReply))
)]
pub async fn get(
    State(state): State<ApiState>,
    signed: Signed,
    Id(id): Id<ExecutionId>,
) -> Result<Json<ExecutionReply>, ExecutionsError> {
    let found = state.scoped(&signed).execution(id).await?;
    found.map(|found| Json(found.into())).ok_or(ExecutionsError::NotThere)
}

/// Stop an execution: one that waits at once, one that runs as soon as its worker hears of it.
/// One that has ended stays as it is.
#[utoipa::path(
    post, path = "/api/executions/{id}/cancel", tag = "executions",
    operation_id = "cancelExecution", params(("id" = Uuid, Path)),
    responses((status = 200, description = "As it is now.", body = ExecutionReply))
)]
pub async fn cancel(
    State(state): State<ApiState>,
    signed: Signed,
    Id(id): Id<ExecutionId>,
) -> Result<Json<ExecutionReply>, ExecutionsError> {
    let scoped = state.scoped(&signed);
    scoped.request_cancel(id, state.now()).await?.ok_or(ExecutionsError::NotThere)?;
    state.bells.ring_cancel();
    // If it waited, somebody else has its place now.
    state.bells.ring_work();
    state.bells.ring_execution(id);
    let found = scoped.execution(id).await?;
    found.map(|found| Json(found.into())).ok_or(ExecutionsError::NotThere)
}
