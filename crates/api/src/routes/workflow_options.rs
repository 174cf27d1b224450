//! What a parameter of a workflow can be, asked of its data provider while a form is filled in.

use super::executions::{ExecutionsError, started};
use crate::{
    execution_replies::ExecutionReply,
    execution_wait::{WaitQuery, finished_within},
    extract::{Body, Query, Signed},
    problem::Problem,
    state::ApiState,
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{ExecutionId, analysis::Workflow};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::{Execution, NewExecution, Place};
use utoipa::ToSchema;
use uuid::Uuid;

/// Somebody waits for the answer: before all else of the organization.
const PRIORITY: i64 = 10;

/// What the form has so far.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = AskOptions)]
pub struct AskBody {
    /// Those of them that the data provider takes are given to it.
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
}

/// Ask what a parameter can be. The answer is an execution whose result is a list of
/// `{"value", "label"}`; it is in no list of executions unless `kind=options` is asked for.
#[utoipa::path(
    post, path = "/api/workflows/{name}/options/{parameter}", tag = "workflows",
    operation_id = "askOptions",
    params(("name" = String, Path), ("parameter" = String, Path), WaitQuery),
    request_body = Option<AskBody>,
    responses(
        (status = 200, description = "It ended within `wait`.", body = ExecutionReply),
        (status = 202, description = "It has not ended yet.", body = ExecutionReply),
    )
)]
pub async fn ask(
    State(state): State<ApiState>,
    signed: Signed,
    Path((name, parameter)): Path<(String, String)>,
    Query(wait): Query<WaitQuery>,
    body: Option<Body<AskBody>>,
) -> Result<Response, Response> {
    let wait = wait.checked().map_err(IntoResponse::into_response)?;
    let asked = body.map(|Body(body)| body).unwrap_or_default();
    let id = ExecutionId(Uuid::now_v7());
    let watch = state.bells.watch_execution(id);
    let execution = enqueue(&state, &signed, (&name, &parameter), id, asked).await;
    let execution = execution.map_err(IntoResponse::into_response)?;
    let execution = finished_within(&state, &signed, watch, execution, wait).await;
    let execution = execution.map_err(|error| Problem::from(error).into_response())?;
    Ok(started(execution))
}

async fn enqueue(
    state: &ApiState,
    signed: &Signed,
    (name, parameter): (&str, &str),
    id: ExecutionId,
    asked: AskBody,
) -> Result<Execution, ExecutionsError> {
    let scoped = state.scoped(signed);
    let workflow = scoped.workflow(name).await?.ok_or(ExecutionsError::NotThere)?;
    let provider = provider(&workflow.workflow, parameter).ok_or(ExecutionsError::NotThere)?;
    let inputs = Value::Object(asked.inputs);
    // A form that is not filled in yet fits no schema; that it is not too deep is asked all the same.
    let faults = state.inputs.faults(&json!({ "type": "object" }), &inputs)?;
    if !faults.is_empty() {
        return Err(ExecutionsError::BadInputs(faults));
    }
    let new = NewExecution {
        id,
        workflow: &workflow,
        inputs,
        idempotency_key: None,
        place: Place { priority: Some(PRIORITY), start_at: None },
        max_queued: signed.session.organization.settings.executions.max_queued,
        now: state.now(),
    };
    let enqueued = scoped.enqueue_options(provider, new).await?;
    state.bells.ring_work();
    Ok(enqueued.execution)
}

/// The name of the function that the parameter's schema refers to.
fn provider<'a>(workflow: &'a Workflow, parameter: &str) -> Option<&'a str> {
    workflow.parameters.get("properties")?.get(parameter)?.get("x-options")?.as_str()
}
