//! What a dead worker held goes back to the queue for its next attempt, or is lost.

use super::{
    finish::{END, WAIT_AGAIN},
    lanes::{self, Change, Place},
};
use crate::{StoreError, System, db::Write, row::FromRow};
use domain::{
    ExecutionId, Scope, Timestamp,
    execution::{Failure, Status},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// An execution whose worker has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// Which.
    pub execution: ExecutionId,
    /// Whether it is over, or waits for its next attempt.
    pub lost: bool,
}

#[derive(FromRow)]
struct ExpiredRow {
    organization_id: Uuid,
    execution_id: Uuid,
    attempt: i64,
    max_attempts: i64,
    charged: i64,
    claimed_at: i64,
    lent: i64,
    lent_at: i64,
}

impl ExpiredRow {
    fn place(&self) -> Place {
        let Self { charged, claimed_at, lent, lent_at, .. } = *self;
        Place { charged, claimed_at, lent, lent_at }
    }
}

const ANY_EXPIRED: &str = "SELECT organization_id, execution_id, attempt, max_attempts, charged,
    claimed_at, lent, lent_at FROM job_queue WHERE worker IS NOT NULL AND lease_until < $1 LIMIT 1";
const EXPIRED: &str = "SELECT organization_id, execution_id, attempt, max_attempts, charged,
    claimed_at, lent, lent_at FROM job_queue WHERE worker IS NOT NULL AND lease_until < $1
    LIMIT 100 FOR UPDATE SKIP LOCKED";
const REQUEUE: &str = "UPDATE job_queue SET worker = NULL, lease_until = NULL
    WHERE organization_id = $1 AND execution_id = $2";
const REMOVE: &str = "DELETE FROM job_queue WHERE organization_id = $1 AND execution_id = $2";

impl System {
    /// Puts back, or ends as lost, what workers held whose lease has run out.
    pub async fn rescue(&self, now: Timestamp) -> Result<Vec<Rescued>, StoreError> {
        if self.gate().one::<ExpiredRow, 1>(ANY_EXPIRED, [now.0.into()]).await?.is_none() {
            return Ok(Vec::new());
        }
        let write = self.write_beside_others().await?;
        let mut rescued = Vec::new();
        let mut lanes: BTreeMap<Uuid, Change> = BTreeMap::new();
        for row in write.system().all::<ExpiredRow, 1>(EXPIRED, [now.0.into()]).await? {
            let lost = row.attempt >= row.max_attempts;
            let mut change = Change::ended(row.place(), now);
            match lost {
                true => lose(&write, &row, now).await?,
                false => put_back(&write, &row).await?,
            }
            // How long a worker was dead says nothing about the next execution.
            (change.waiting, change.learned) = (i64::from(!lost), None);
            let lane = lanes.entry(row.organization_id).or_default();
            *lane = lane.and(change);
            rescued.push(Rescued { execution: ExecutionId(row.execution_id), lost });
        }
        // In one order, whoever does it: nobody waits in a circle.
        for (owner, change) in lanes {
            lanes::change(&write.system(), Scope::from_column(owner), change).await?;
        }
        write.commit_early().await?;
        Ok(rescued)
    }
}

async fn lose(write: &Write<'_>, row: &ExpiredRow, now: Timestamp) -> Result<(), StoreError> {
    let gate = write.tenant(Scope::from_column(row.organization_id));
    let failure = Failure {
        kind: "Lost".to_owned(),
        message: format!("its worker died, {} time(s)", row.attempt),
        traceback: String::new(),
        details: None,
    };
    let failure = serde_json::to_string(&failure);
    let failure = failure.map_err(|e| StoreError::unreadable("failure", e))?;
    let values = [
        row.organization_id.into(),
        row.execution_id.into(),
        Status::Lost.as_str().into(),
        None::<String>.into(),
        failure.into(),
        "[]".into(),
        now.0.into(),
        None::<String>.into(),
    ];
    gate.run(END, values).await?;
    gate.run(REMOVE, [row.organization_id.into(), row.execution_id.into()]).await?;
    Ok(())
}

async fn put_back(write: &Write<'_>, row: &ExpiredRow) -> Result<(), StoreError> {
    let gate = write.tenant(Scope::from_column(row.organization_id));
    let key = || [row.organization_id.into(), row.execution_id.into()];
    gate.run(REQUEUE, key()).await?;
    gate.run(WAIT_AGAIN, key()).await?;
    Ok(())
}
