//! Ending a claimed execution, once, or putting it back for another attempt.

use super::lanes::{self, Change, Place};
use crate::{Claim, Scoped, StoreError, execution_logs, gate::Gate};
use domain::{
    ExecutionId, Scope, Timestamp,
    execution::{LoadedModule, LogLevel, LogLine, Outcome},
    retry,
};
use sea_orm::Value;

/// What a run leaves behind.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// What it loaded.
    pub modules: Vec<LoadedModule>,
    /// Lines of its log not yet appended.
    pub logs: Vec<LogLine>,
    /// The present.
    pub now: Timestamp,
}

/// What the end of an execution means for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Executions of the organization that can be claimed now.
    pub next: u64,
    /// When it is tried again, if it is not over.
    pub again: Option<Timestamp>,
}

const LEAVE: &str = "DELETE FROM job_queue
    WHERE organization_id = $1 AND execution_id = $2 AND worker = $3 AND attempt = $4
    RETURNING charged, claimed_at, lent, lent_at";
pub(super) const END: &str = "UPDATE executions
    SET status = $3, result_json = $4, error_json = $5, modules_json = $6, finished_at = $7,
    result_type = $8 WHERE organization_id = $1 AND id = $2";
const TRY_LATER: &str = "UPDATE job_queue SET worker = NULL, lease_until = NULL, delayed = TRUE,
    available_at = $5 WHERE organization_id = $1 AND execution_id = $2 AND worker = $3
    AND attempt = $4 AND NOT cancel_requested RETURNING charged, claimed_at, lent, lent_at";
pub(super) const WAIT_AGAIN: &str = "UPDATE executions SET status = 'pending'
    WHERE organization_id = $1 AND id = $2";

impl Scoped {
    /// Ends a claimed execution, or lets it wait for its next attempt; `None` when the lease was
    /// lost and nothing was changed.
    pub async fn finish(
        &self,
        claim: &Claim,
        mut finished: Finished,
    ) -> Result<Option<Ended>, StoreError> {
        let write = self.write_beside_others().await?;
        let gate = write.tenant(self.scope());
        let again = self.try_later(&gate, claim, &finished).await?;
        let place = match again {
            Some((_, place)) => Some(place),
            None => gate.one::<Place, 4>(LEAVE, held(claim)).await?,
        };
        let Some(place) = place else { return Ok(None) };
        let again = again.map(|(at, _)| at);
        finished.logs.extend(again.map(|at| tried_again(claim, &finished, at)));
        execution_logs::append(&gate, self.scope(), claim.execution, &finished.logs).await?;
        let mut change = Change::ended(place, finished.now);
        if again.is_some() {
            let [owner, execution, ..] = held(claim);
            gate.run_with_next(WAIT_AGAIN, [owner, execution]).await?;
            change.delayed = 1;
        } else {
            let values = end_values(self.scope(), claim.execution, finished)?;
            gate.run_with_next(END, values).await?;
        }
        let next = lanes::change_at_last(write, self.scope(), change).await?;
        Ok(Some(Ended { next, again }))
    }

    /// Puts a failed execution back, if its workflow wants that and it is still held; for when.
    async fn try_later(
        &self,
        gate: &Gate<'_>,
        claim: &Claim,
        finished: &Finished,
    ) -> Result<Option<(Timestamp, Place)>, StoreError> {
        if claim.attempt > claim.retries || !retry::may_help(finished.outcome.status) {
            return Ok(None);
        }
        let pause = retry::delay(claim.retry_delay, claim.attempt, jitter(claim));
        let at = finished.now.after(pause);
        let [owner, execution, worker, attempt] = held(claim);
        let values = [owner, execution, worker, attempt, at.0.into()];
        let place = gate.one::<Place, 5>(TRY_LATER, values).await?;
        Ok(place.map(|place| (at, place)))
    }
}

fn held(claim: &Claim) -> [Value; 4] {
    [
        claim.access.scope().column().into(),
        claim.execution.0.into(),
        claim.worker.into(),
        i64::from(claim.attempt).into(),
    ]
}

/// Other executions have others, and so has each attempt: the random end of its id, rotated.
fn jitter(claim: &Claim) -> f64 {
    let random = (claim.execution.0.as_u128() as u32).rotate_left(claim.attempt * 7);
    f64::from(random) / f64::from(u32::MAX)
}

fn tried_again(claim: &Claim, finished: &Finished, at: Timestamp) -> LogLine {
    let why = finished.outcome.failure.as_ref();
    let why = why.map(|failure| format!("{}: {}", failure.kind, failure.message));
    let why = why.unwrap_or_else(|| finished.outcome.status.as_str().to_owned());
    let (attempt, all) = (claim.attempt, claim.retries.saturating_add(1));
    let message = format!("attempt {attempt} of {all} failed ({why}); the next one is at {at}");
    LogLine { time: finished.now, level: LogLevel::Warning, message }
}

fn end_values(
    owner: Scope,
    execution: ExecutionId,
    finished: Finished,
) -> Result<[Value; 8], StoreError> {
    let json = |e: serde_json::Error| StoreError::unreadable("outcome", e);
    let failure = finished.outcome.failure.as_ref().map(serde_json::to_string).transpose();
    Ok([
        owner.column().into(),
        execution.0.into(),
        finished.outcome.status.as_str().into(),
        finished.outcome.result.into(),
        failure.map_err(json)?.into(),
        serde_json::to_string(&finished.modules).map_err(json)?.into(),
        finished.now.0.into(),
        finished.outcome.result_type.into(),
    ])
}
