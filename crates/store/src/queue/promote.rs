//! Delayed executions whose time has come stand in line with the others.

use super::lanes::{self, Change};
use crate::{StoreError, System, row::FromRow};
use domain::{Scope, Timestamp};
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(FromRow)]
struct Due {
    organization_id: Uuid,
}

const ANY_DUE: &str = "SELECT organization_id FROM job_queue
    WHERE delayed AND available_at <= $1 ORDER BY available_at LIMIT 1";
const PROMOTE: &str = "UPDATE job_queue SET delayed = FALSE
    WHERE (organization_id, execution_id) IN (
        SELECT due.organization_id, due.execution_id FROM job_queue AS due
        WHERE due.delayed AND due.available_at <= $1
        ORDER BY due.available_at LIMIT 200 FOR UPDATE SKIP LOCKED)
    RETURNING organization_id";

impl System {
    /// Lets some of the executions that are due by `now` be claimed, the earliest first; how many.
    pub async fn promote(&self, now: Timestamp) -> Result<u64, StoreError> {
        if self.gate().one::<Due, 1>(ANY_DUE, [now.0.into()]).await?.is_none() {
            return Ok(0);
        }
        let write = self.write_beside_others().await?;
        let gate = write.system();
        let rows = gate.all::<Due, 1>(PROMOTE, [now.0.into()]).await?;
        // In one order, whoever does it: nobody waits in a circle.
        let mut lanes: BTreeMap<Uuid, i64> = BTreeMap::new();
        for row in &rows {
            *lanes.entry(row.organization_id).or_default() += 1;
        }
        for (owner, ready) in lanes {
            let change = Change { waiting: ready, delayed: -ready, ..Change::default() };
            lanes::change(&gate, Scope::from_column(owner), change).await?;
        }
        write.commit_early().await?;
        Ok(rows.len() as u64)
    }
}
