//! Ending a claimed execution, once.

use super::seats;
use crate::{Claim, Scoped, StoreError, execution_logs};
use domain::{
    Timestamp,
    execution::{LoadedModule, LogLine, Outcome},
};

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
    /// Executions of the organization that had to wait for it and can be claimed now.
    pub next: u64,
}

const LEAVE: &str = "DELETE FROM job_queue
    WHERE organization_id = $1 AND execution_id = $2 AND worker = $3 AND attempt = $4";
pub(super) const END: &str = "UPDATE executions
    SET status = $3, result_json = $4, error_json = $5, modules_json = $6, finished_at = $7
    WHERE organization_id = $1 AND id = $2";

impl Scoped {
    /// Ends a claimed execution; `None` when the lease was lost and nothing was changed.
    pub async fn finish(
        &self,
        claim: &Claim,
        finished: Finished,
    ) -> Result<Option<Ended>, StoreError> {
        let owner = self.scope().column();
        let write = self.write_beside_others().await?;
        let gate = write.tenant(self.scope());
        let held = [
            owner.into(),
            claim.execution.0.into(),
            claim.worker.into(),
            i64::from(claim.attempt).into(),
        ];
        if gate.run(LEAVE, held).await? == 0 {
            return Ok(None);
        }
        execution_logs::append(&gate, self.scope(), claim.execution, &finished.logs).await?;
        let json = |e: serde_json::Error| StoreError::unreadable("outcome", e);
        let failure = finished.outcome.failure.as_ref().map(serde_json::to_string).transpose();
        let values = [
            owner.into(),
            claim.execution.0.into(),
            finished.outcome.status.as_str().into(),
            finished.outcome.result.into(),
            failure.map_err(json)?.into(),
            serde_json::to_string(&finished.modules).map_err(json)?.into(),
            finished.now.0.into(),
        ];
        gate.run(END, values).await?;
        let next = seats::give(&gate, self.scope()).await?;
        write.commit().await?;
        Ok(Some(Ended { next }))
    }
}
