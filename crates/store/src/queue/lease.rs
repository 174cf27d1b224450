//! Keeping what was claimed, and hearing who wants it stopped.

use crate::{StoreError, System};
use domain::{ExecutionId, Timestamp};
use sea_orm::FromQueryResult;
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

#[derive(FromQueryResult)]
struct BeatRow {
    execution_id: Uuid,
    cancel_requested: bool,
}

const BEAT: &str = "UPDATE job_queue SET lease_until = $2 WHERE worker = $1
    RETURNING execution_id, cancel_requested";

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
}
