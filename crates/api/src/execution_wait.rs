//! Waiting for an execution to end: by the bell when it runs in this process, by looking now and
//! then when it runs elsewhere.

use crate::{extract::Signed, problem::Problem, state::ApiState};
use jobs::ExecutionWatch;
use serde::Deserialize;
use std::time::Duration;
use store::{Execution, StoreError};
use tokio::time::{Instant, timeout_at};
use utoipa::IntoParams;

const MAX_SECONDS: f64 = 60.0;
/// How often to look without a bell.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long to wait.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// Seconds to wait for the end, 0 to 60.
    #[param(minimum = 0, maximum = 60)]
    wait: Option<f64>,
}

impl WaitQuery {
    /// The time to wait, if it is within bounds.
    pub fn checked(&self) -> Result<Duration, Problem> {
        let seconds = self.wait.unwrap_or(0.0);
        if (0.0..=MAX_SECONDS).contains(&seconds) {
            Ok(Duration::from_secs_f64(seconds))
        } else {
            Err(Problem::invalid("/wait", "use 0 to 60 seconds"))
        }
    }
}

/// The execution once it has ended, or as it is after `wait`. `watch` was begun before
/// `execution` was read, so that no ring is missed in between.
pub async fn finished_within(
    state: &ApiState,
    signed: &Signed,
    mut watch: ExecutionWatch,
    mut execution: Execution,
    wait: Duration,
) -> Result<Execution, StoreError> {
    let end = Instant::now() + wait;
    let scoped = state.scoped(signed);
    let stopping = &state.leaving.stopping;
    while !execution.status.is_outcome() && Instant::now() < end && !stopping.is_cancelled() {
        let next_look = end.min(Instant::now() + LOOK_EVERY);
        // Rung or not, it is time to look.
        tokio::select! {
            () = stopping.cancelled() => {}
            _ = timeout_at(next_look, watch.changed()) => {}
        }
        if let Some(found) = scoped.execution(execution.id).await? {
            execution = found;
        }
    }
    Ok(execution)
}
