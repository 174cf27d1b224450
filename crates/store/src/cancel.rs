//! Stopping an execution on request.

use crate::{
    Scoped, StoreError,
    executions::{ONE, Row, status},
    queue::lanes::{self, Change},
};
use domain::{
    ExecutionId, Timestamp,
    audit::Event,
    execution::{Failure, Status},
};
use sea_orm::FromQueryResult;

#[derive(FromQueryResult)]
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
    /// Stops an execution: at once while it waits, by its worker while it runs. The state after
    /// the call; `None` when there is no such execution.
    pub async fn request_cancel(
        &self,
        id: ExecutionId,
        now: Timestamp,
    ) -> Result<Option<Status>, StoreError> {
        let owner = self.scope().column();
        let write = self.write().await?;
        let gate = write.tenant(self.scope());
        let key = || [owner.into(), id.0.into()];
        let Some(row) = gate.one::<Row, 2>(ONE, key()).await? else { return Ok(None) };
        let status = status(&row.status)?;
        if status.is_outcome() {
            return Ok(Some(status));
        }
        let gone = gate.one::<Gone, 2>(CANCEL_WAITING, key()).await?;
        let cancelled = gone.is_some();
        if let Some(Gone { delayed }) = gone {
            let reason = Failure {
                kind: "Cancelled".to_owned(),
                message: format!(
                    "cancelled by {} before it started",
                    self.access().actor().label()
                ),
                traceback: String::new(),
            };
            let reason = serde_json::to_string(&reason);
            let reason = reason.map_err(|e| StoreError::unreadable("failure", e))?;
            let values = [owner.into(), id.0.into(), now.0.into(), reason.into()];
            gate.run(END_CANCELLED, values).await?;
            let (waiting, delayed) = if delayed { (0, -1) } else { (-1, 0) };
            let change = Change { waiting, delayed, ..Change::default() };
            lanes::change(&gate, self.scope(), change).await?;
        } else {
            gate.run(CANCEL_RUNNING, key()).await?;
        }
        let event = Event::done("execution.cancel", id.to_string());
        write.audit(self.scope(), self.access().actor(), event, now).await?;
        write.commit_early().await?;
        Ok(Some(if cancelled { Status::Cancelled } else { status }))
    }
}
