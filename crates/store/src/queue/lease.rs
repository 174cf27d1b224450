//! Keeping what was claimed, and hearing who wants it stopped.

use crate::{StoreError, System, row::FromRow};
use domain::{ExecutionId, Timestamp};
use std::time::Duration;
use uuid::Uuid;

/// What keeping a lease tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Executions the worker still holds.
    pub held: Vec<ExecutionId>,
    /// Those of them that somebody wants stopped.
    pub cancelled: Vec<ExecutionId>,
}

#[derive(FromRow)]
struct BeatRow {
    execution_id: Uuid,
    cancel_requested: bool,
}

const BEAT: &str = "UPDATE job_queue SET lease_until = $2 WHERE worker = $1
    RETURNING execution_id, cancel_requested";
const LET_GO: &str = "UPDATE job_queue SET lease_until = 0 WHERE worker = $1";

impl System {
    /// Holds on to everything `worker` has for another `lease`.
    pub async fn beat(
        &self,
        worker: Uuid,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Beat, StoreError> {
        let write = self.write_beside_others().await?;
        let values = [worker.into(), now.after(lease).0.into()];
        let rows = write.system().all::<BeatRow, 2>(BEAT, values).await?;
        write.commit().await?;
        let cancelled = rows.iter().filter(|row| row.cancel_requested);
        Ok(Beat {
            cancelled: cancelled.map(|row| ExecutionId(row.execution_id)).collect(),
            held: rows.iter().map(|row| ExecutionId(row.execution_id)).collect(),
        })
    }

    /// Gives up everything `worker` has: whoever looks for what was lost finds it at once. How many
    /// they are.
    pub async fn let_go(&self, worker: Uuid) -> Result<u64, StoreError> {
        let write = self.write_beside_others().await?;
        let held = write.system().run(LET_GO, [worker.into()]).await?;
        write.commit().await?;
        Ok(held)
    }
}
