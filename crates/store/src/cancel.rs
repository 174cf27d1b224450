//! Stopping an execution on request, and with it whatever it has started.

use crate::{
    Scoped, StoreError, children,
    executions::{ONE, Row, status},
    gate::Gate,
    queue::lanes::{self, Change},
    row::FromRow,
};
use domain::{
    ExecutionId, Scope, Timestamp,
    audit::Event,
    execution::{Failure, Status},
};
use serde_json::json;

#[derive(FromRow)]
struct Gone {
    delayed: bool,
}

const CANCEL_WAITING: &str = "DELETE FROM job_queue
    WHERE organization_id = $1 AND execution_id = $2 AND worker IS NULL RETURNING delayed";
const CANCEL_RUNNING: &str = "UPDATE job_queue SET cancel_requested = TRUE
    WHERE organization_id = $1 AND execution_id = $2";
const END_CANCELLED: &str = "UPDATE executions SET status = 'cancelled', finished_at = $3,
    error_json = $4 WHERE organization_id = $1 AND id = $2";

impl Scoped {
    /// Stops an execution: at once while it waits, by its worker while it runs. What it has started
    /// is stopped as well. The state after the call; `None` when there is no such execution.
    pub async fn request_cancel(
        &self,
        id: ExecutionId,
        now: Timestamp,
    ) -> Result<Option<Status>, StoreError> {
        let owner = self.scope().column();
        let write = self.write().await?;
        let gate = write.tenant(self.scope());
        let Some(row) = gate.one::<Row, 2>(ONE, [owner.into(), id.0.into()]).await? else {
            return Ok(None);
        };
        let status = status(&row.status)?;
        if status.is_outcome() {
            return Ok(Some(status));
        }
        let who = self.access().actor().label();
        let (cancelled, mut change) = stop(&gate, self.scope(), id, (&who, now)).await?;
        // After its own row, which keeps it from starting more.
        let children = children::descendants(&gate, self.scope(), id).await?;
        for child in &children {
            let (_, with_it) = stop(&gate, self.scope(), *child, (&who, now)).await?;
            change = change.and(with_it);
        }
        if change.waiting != 0 || change.delayed != 0 {
            lanes::change(&gate, self.scope(), change).await?;
        }
        let mut event = Event::done("execution.cancel", id.to_string());
        if !children.is_empty() {
            event = event.with(json!({ "children": children.len() }));
        }
        write.audit(self.scope(), self.access().actor(), event, now).await?;
        write.commit_early().await?;
        Ok(Some(if cancelled { Status::Cancelled } else { status }))
    }
}

/// Stops one; whether it is over already, and what that changes in its lane.
async fn stop(
    gate: &Gate<'_>,
    owner: Scope,
    id: ExecutionId,
    (who, now): (&str, Timestamp),
) -> Result<(bool, Change), StoreError> {
    let key = || [owner.column().into(), id.0.into()];
    let Some(Gone { delayed }) = gate.one::<Gone, 2>(CANCEL_WAITING, key()).await? else {
        gate.run(CANCEL_RUNNING, key()).await?;
        return Ok((false, Change::default()));
    };
    let reason = Failure {
        kind: "Cancelled".to_owned(),
        message: format!("cancelled by {who} before it started"),
        traceback: String::new(),
        details: None,
    };
    let reason = serde_json::to_string(&reason);
    let reason = reason.map_err(|e| StoreError::unreadable("failure", e))?;
    let values = [owner.column().into(), id.0.into(), now.0.into(), reason.into()];
    gate.run(END_CANCELLED, values).await?;
    let (waiting, delayed) = if delayed { (0, -1) } else { (-1, 0) };
    Ok((true, Change { waiting, delayed, ..Change::default() }))
}
