//! `executions.*`: other workflows of the organization, started as children and waited for.

use super::{parse, refused, wrong};
use crate::{
    RunRequest,
    frames::Wrong,
    place::Place,
    sources::{SourceError, Sources, now},
};
use domain::{Access, ExecutionId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use store::{ChildError, EnqueueError, Execution, NewExecution, PRIORITIES, StoreError};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// How often to look at an execution without a bell.
const LOOK: Duration = Duration::from_millis(500);
/// The longest that anybody waits; a run is over before.
const FOREVER: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How far ahead an execution can be asked for.
const FARTHEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

#[derive(Deserialize)]
struct Start {
    workflow: String,
    inputs: serde_json::Map<String, Value>,
    idempotency_key: Option<String>,
    priority: Option<i64>,
    start_at: Option<String>,
}

#[derive(Deserialize)]
struct Get {
    id: Uuid,
}

#[derive(Deserialize)]
struct Wait {
    id: Uuid,
    timeout: Option<f64>,
}

/// Starts a child of the run.
pub(super) async fn start(
    request: &RunRequest,
    sources: &Sources,
    arguments: Value,
) -> Result<Value, Wrong> {
    let start: Start = parse(arguments)?;
    let place = place(&start)?;
    let scoped = sources.scoped(&request.access);
    let found = scoped.workflow(&start.workflow).await.map_err(failed)?;
    let workflow = found.ok_or_else(|| {
        wrong("LookupError", format!("there is no workflow `{}`", start.workflow))
    })?;
    let new = NewExecution {
        id: ExecutionId(Uuid::now_v7()),
        workflow: &workflow,
        inputs: Value::Object(start.inputs),
        idempotency_key: start.idempotency_key,
        place,
        max_queued: request.limits.max_queued,
        now: now(),
    };
    let enqueued = scoped.enqueue_child(request.execution, new).await.map_err(not_started)?;
    if let Some(bells) = request.place.bells().filter(|_| enqueued.created) {
        bells.ring_work();
    }
    Ok(shown(&enqueued.execution))
}

fn place(start: &Start) -> Result<store::Place, Wrong> {
    let (least, greatest) = PRIORITIES;
    if start.priority.is_some_and(|priority| !(least..=greatest).contains(&priority)) {
        return Err(wrong("ValueError", format!("`priority` is {least} to {greatest}")));
    }
    let key = start.idempotency_key.as_ref();
    let plain =
        |key: &String| (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if !key.is_none_or(plain) {
        let text = "`idempotency_key` is 1 to 255 visible ASCII characters";
        return Err(wrong("ValueError", text.to_owned()));
    }
    let start_at = start.start_at.as_ref().map(|text| text.parse::<Timestamp>()).transpose();
    let start_at = start_at.map_err(|error| wrong("ValueError", format!("`start_at` {error}")))?;
    if start_at.is_some_and(|at| at > now().after(FARTHEST)) {
        return Err(wrong("ValueError", "`start_at` is more than a year from now".to_owned()));
    }
    Ok(store::Place { priority: start.priority, start_at })
}

/// An execution of the organization as it is.
pub(super) async fn get(
    access: &Access,
    sources: &Sources,
    arguments: Value,
) -> Result<Value, Wrong> {
    let Get { id } = parse(arguments)?;
    let found = sources.scoped(access).execution(ExecutionId(id)).await.map_err(failed)?;
    found.map(|found| shown(&found)).ok_or_else(|| missing(id))
}

/// One wait of a run, apart from its other calls.
pub(crate) struct Waiting {
    pub access: Access,
    pub execution: ExecutionId,
    pub sources: Sources,
    pub place: Place,
    pub arguments: Value,
}

impl Waiting {
    /// The execution when it has ended. Meanwhile the run's place is lent.
    pub(crate) async fn wait(self) -> Result<Value, Wrong> {
        let Wait { id, timeout } = parse(self.arguments.clone())?;
        let id = ExecutionId(id);
        if id == self.execution {
            return Err(wrong("ValueError", "an execution cannot wait for itself".to_owned()));
        }
        let limit = timeout.unwrap_or(FOREVER.as_secs_f64()).clamp(0.0, FOREVER.as_secs_f64());
        let until = Instant::now() + Duration::from_secs_f64(limit);
        let scoped = self.sources.scoped(&self.access);
        let known = scoped.execution(id).await.map_err(failed)?;
        let known = known.ok_or_else(|| missing(id.0))?;
        if known.status.is_outcome() {
            return Ok(shown(&known));
        }
        self.place.lend(&scoped).await.map_err(failed)?;
        let found = self.ended(id, until).await;
        self.place.take_back(&scoped).await.map_err(failed)?;
        let found = found.map_err(failed)?.ok_or_else(|| missing(id.0))?;
        match found.status.is_outcome() {
            true => Ok(shown(&found)),
            false => Err(wrong("TimeoutError", format!("the execution {id} has not ended yet"))),
        }
    }

    /// As it is when it has ended or the time is up.
    async fn ended(
        &self,
        id: ExecutionId,
        until: Instant,
    ) -> Result<Option<Execution>, StoreError> {
        let scoped = self.sources.scoped(&self.access);
        // Watched before it is read, so that no ring is missed in between.
        let mut watch = self.place.bells().map(|bells| bells.watch_execution(id));
        loop {
            let found = scoped.execution(id).await?;
            let over = found.as_ref().is_none_or(|found| found.status.is_outcome());
            if over || Instant::now() >= until {
                return Ok(found);
            }
            let look = until.min(Instant::now() + LOOK);
            let rang = async {
                match &mut watch {
                    Some(watch) => watch.changed().await,
                    None => std::future::pending().await,
                }
            };
            // Rung or not, it is time to look.
            let _rang = timeout_at(look, rang).await;
        }
    }
}

fn shown(execution: &Execution) -> Value {
    let error = execution.failure.as_ref();
    json!({
        "id": execution.id,
        "workflow": execution.workflow,
        "status": execution.status,
        "result": execution.result,
        "result_type": execution.result_type,
        "error": error.map(|error| json!({ "type": error.kind, "message": error.message })),
        "parent_id": execution.parent,
    })
}

fn missing(id: Uuid) -> Wrong {
    wrong("LookupError", format!("there is no execution {id}"))
}

fn failed(error: StoreError) -> Wrong {
    refused(SourceError::Failed(error))
}

fn not_started(error: ChildError) -> Wrong {
    let kind = match &error {
        ChildError::TooDeep => "bifrost.TooDeep",
        ChildError::Enqueue(EnqueueError::KeyReused) => "ValueError",
        ChildError::ParentStopped | ChildError::Enqueue(EnqueueError::QueueFull(_)) => {
            "bifrost.BifrostError"
        }
        ChildError::Enqueue(EnqueueError::Store(_)) => {
            let ChildError::Enqueue(EnqueueError::Store(error)) = error else { unreachable!() };
            return failed(error);
        }
    };
    wrong(kind, error.to_string())
}
