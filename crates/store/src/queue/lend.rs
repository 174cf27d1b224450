//! Places lent while a run waits for another one, and taken back in turn.
//!
//! A run that waits does nothing, and what it waits for may be behind it in the line of its own
//! organization. So it does not count while it waits. When it goes on it counts at once, so that
//! nothing new is claimed in its place, and runs when fewer than `max_concurrent` do.

use super::lanes::{self, Change};
use crate::{Claim, Scoped, StoreError, gate::Gate};
use domain::{ExecutionId, Scope, Timestamp};
use sea_orm::Value;
use uuid::Uuid;

const LEND: &str = "UPDATE job_queue SET lent = 1, lent_at = $5
    WHERE organization_id = $1 AND execution_id = $2 AND worker = $3 AND attempt = $4
    AND lent = 0";
const WANT: &str = "UPDATE job_queue SET lent = 2
    WHERE organization_id = $1 AND execution_id = $2 AND worker = $3 AND attempt = $4
    AND lent = 1";
/// The time it waited is taken off what it will have cost.
const HAVE: &str = "UPDATE job_queue SET lent = 0, claimed_at = claimed_at + $5 - lent_at
    WHERE organization_id = $1 AND execution_id = $2 AND worker = $3 AND attempt = $4
    AND lent = 2";
const SEAT: &str = "UPDATE queue_lanes SET coming_back = coming_back - 1
    WHERE organization_id = $1 AND running - coming_back < max_concurrent";

/// What a claim is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which execution.
    pub execution: ExecutionId,
    /// Who holds it.
    pub worker: Uuid,
    /// Which attempt.
    pub attempt: u32,
}

impl Claim {
    /// What this claim is told by.
    pub fn lease(&self) -> Lease {
        Lease { execution: self.execution, worker: self.worker, attempt: self.attempt }
    }
}

/// Whether a run that lent its place can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// It has a place.
    Seated,
    /// All are taken: ask again.
    NotYet,
    /// The lease was lost, or it has lent nothing.
    Gone,
}

impl Scoped {
    /// Lets others of the organization run in the place of one that waits; how many can be claimed
    /// now, or `None` when it has no place to lend.
    pub async fn lend_place(
        &self,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        let write = self.write_beside_others().await?;
        let gate = write.tenant(self.scope());
        let [owner, execution, worker, attempt] = held(self.scope(), lease);
        let values = [owner, execution, worker, attempt, now.0.into()];
        if gate.run(LEND, values).await? == 0 {
            return Ok(None);
        }
        let change = Change { running: -1, lent: 1, ..Change::default() };
        lanes::change_at_last(write, self.scope(), change).await.map(Some)
    }

    /// Asks for a lent place. From the first time on nobody else is given one before.
    pub async fn take_place_back(&self, lease: Lease, now: Timestamp) -> Result<Back, StoreError> {
        let write = self.write_beside_others().await?;
        let gate = write.tenant(self.scope());
        if gate.run(WANT, held(self.scope(), lease)).await? > 0 {
            let change = Change { running: 1, lent: -1, coming_back: 1, ..Change::default() };
            lanes::change(&gate, self.scope(), change).await?;
        }
        let back = self.seat(&gate, lease, now).await?;
        write.commit_early().await?;
        Ok(back)
    }

    async fn seat(
        &self,
        gate: &Gate<'_>,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Back, StoreError> {
        let [owner, execution, worker, attempt] = held(self.scope(), lease);
        let ours = [owner.clone(), execution, worker, attempt, now.0.into()];
        // Its own row first, as everybody does; given up again when there is no place.
        if gate.run(HAVE, ours).await? == 0 {
            return Ok(Back::Gone);
        }
        match gate.run(SEAT, [owner]).await? {
            0 => {
                gate.run(WAIT_ON, again(self.scope(), lease, now)).await?;
                Ok(Back::NotYet)
            }
            _ => Ok(Back::Seated),
        }
    }
}

/// Undoes [`HAVE`].
const WAIT_ON: &str = "UPDATE job_queue SET lent = 2, claimed_at = claimed_at - $5 + lent_at
    WHERE organization_id = $1 AND execution_id = $2 AND worker = $3 AND attempt = $4
    AND lent = 0";

fn again(owner: Scope, lease: Lease, now: Timestamp) -> [Value; 5] {
    let [owner, execution, worker, attempt] = held(owner, lease);
    [owner, execution, worker, attempt, now.0.into()]
}

fn held(owner: Scope, lease: Lease) -> [Value; 4] {
    let Lease { execution, worker, attempt } = lease;
    [owner.column().into(), execution.0.into(), worker.into(), i64::from(attempt).into()]
}
