//! Dealing: whose executions a claim takes, and taking them.

use super::lanes;
use crate::{StoreError, System, db::Write, gate::Gate, row::FromRow};
use domain::{Scope, Timestamp, fair};
use sea_orm::Value;
use std::time::Duration;
use uuid::Uuid;

/// What a claim is made with.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) worker: Uuid,
    pub(super) limit: u32,
    pub(super) lease: Duration,
    pub(super) now: Timestamp,
}

/// A row of the queue that was just claimed. Without its organization it has no generation.
#[derive(FromRow)]
pub(super) struct Taken {
    pub(super) execution_id: Uuid,
    pub(super) attempt: i64,
    pub(super) retries: i64,
    pub(super) retry_delay: i64,
    pub(super) own_generation: Option<i64>,
    pub(super) global_generation: i64,
    pub(super) slug: Option<String>,
    pub(super) name: Option<String>,
    pub(super) status: Option<String>,
    pub(super) settings_json: Option<String>,
    priority: i64,
    available_at: i64,
}

/// What was taken of one organization.
pub(super) struct Hand {
    pub(super) owner: Scope,
    pub(super) charged: i64,
    pub(super) taken: Vec<Taken>,
}

/// A lane that a claim has locked.
#[derive(FromRow)]
pub(super) struct LaneRow {
    organization_id: Uuid,
    virtual_time: i64,
    weight: i64,
    waiting: i64,
    places: i64,
    usual_cost: i64,
    joined: bool,
}

#[derive(FromRow)]
struct Level {
    least: Option<i64>,
    most: Option<i64>,
}

#[derive(FromRow)]
struct FirstLane {
    organization_id: Uuid,
}

#[derive(FromRow)]
struct Waiting {
    execution_id: Uuid,
}

/// No more lanes than executions are wanted: each of the first ones gets at least one.
const LANES: &str = "SELECT organization_id, virtual_time, weight, waiting,
    max_concurrent - running AS places, usual_cost, joined FROM queue_lanes WHERE eligible
    ORDER BY virtual_time, organization_id LIMIT $1 FOR UPDATE SKIP LOCKED";
/// For whoever found nothing: others may hold all there is, and not take all of it.
const FIRST_LANE: &str = "SELECT organization_id FROM queue_lanes WHERE eligible
    ORDER BY virtual_time, organization_id LIMIT 1";
/// One lane by its name. A lane that is locked and then seen to have changed is no row of the result
/// and stays locked: who looked for any lane would go on to wait for the next one with it in hand.
const WAIT_FOR_LANE: &str = "SELECT organization_id, virtual_time, weight, waiting,
    max_concurrent - running AS places, usual_cost, joined FROM queue_lanes
    WHERE organization_id = $1 AND eligible FOR UPDATE";
const LEVEL: &str = "SELECT (SELECT MIN(others.virtual_time) FROM queue_lanes AS others
        WHERE others.eligible AND others.joined) AS least,
    (SELECT MAX(everybody.virtual_time) FROM queue_lanes AS everybody) AS most";
/// Both generations are read in the statement that claims: a write that was answered before is in.
/// The one to take is compared with `=`, so that it is looked for once: with `IN` a planner may look
/// again for each row, and find another one each time, since it skips what it has locked itself.
const TAKE_ONE: &str = "UPDATE job_queue SET worker = $2, lease_until = $3, claimed_at = $4,
    charged = $5, attempt = attempt + 1, lent = 0
    WHERE organization_id = $1 AND execution_id = (
        SELECT first.execution_id FROM job_queue AS first
        WHERE first.organization_id = $1 AND first.worker IS NULL AND NOT first.delayed
        ORDER BY first.priority DESC, first.available_at, first.execution_id
        LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING execution_id, attempt, retries, retry_delay, priority, available_at,
        (SELECT own.generation FROM organizations AS own WHERE own.id = $1) AS own_generation,
        (SELECT own.slug FROM organizations AS own WHERE own.id = $1) AS slug,
        (SELECT own.name FROM organizations AS own WHERE own.id = $1) AS name,
        (SELECT own.status FROM organizations AS own WHERE own.id = $1) AS status,
        (SELECT own.settings_json FROM organizations AS own WHERE own.id = $1) AS settings_json,
        (SELECT everyones.generation FROM organizations AS everyones
            WHERE everyones.id = $6) AS global_generation";
/// The limit is in the text, because a planner that does not know it may read the whole table.
const FIRST: &str = "SELECT execution_id FROM job_queue
    WHERE organization_id = $1 AND worker IS NULL AND NOT delayed
    ORDER BY priority DESC, available_at, execution_id LIMIT 16 FOR UPDATE SKIP LOCKED";
/// As many as [`FIRST`] finds; who wants fewer repeats one.
const TAKE_SOME: &str = "UPDATE job_queue SET worker = $2, lease_until = $3, claimed_at = $4,
    charged = $5, attempt = attempt + 1, lent = 0
    WHERE organization_id = $1 AND execution_id IN
        ($7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
    RETURNING execution_id, attempt, retries, retry_delay, priority, available_at,
        (SELECT own.generation FROM organizations AS own WHERE own.id = $1) AS own_generation,
        (SELECT own.slug FROM organizations AS own WHERE own.id = $1) AS slug,
        (SELECT own.name FROM organizations AS own WHERE own.id = $1) AS name,
        (SELECT own.status FROM organizations AS own WHERE own.id = $1) AS status,
        (SELECT own.settings_json FROM organizations AS own WHERE own.id = $1) AS settings_json,
        (SELECT everyones.generation FROM organizations AS everyones
            WHERE everyones.id = $6) AS global_generation";
const CHARGE: &str = "UPDATE queue_lanes SET waiting = waiting - $2, running = running + $2,
    virtual_time = $3, joined = TRUE WHERE organization_id = $1";
const ANY: &str = "SELECT ready.execution_id FROM job_queue AS ready
    WHERE ready.organization_id = $1 AND ready.worker IS NULL AND NOT ready.delayed
    ORDER BY ready.priority DESC, ready.available_at, ready.execution_id LIMIT 1";

/// What [`TAKE_SOME`] takes at most.
const SOME: usize = 16;

impl System {
    /// The lanes a claim deals from, locked in its transaction; `None` when nothing waits.
    pub(super) async fn lanes(
        &self,
        limit: u32,
    ) -> Result<Option<(Write<'_>, Vec<LaneRow>)>, StoreError> {
        let mut locked = self.write_beside_others().await?;
        let mut rows = locked.system().all::<LaneRow, 1>(LANES, [i64::from(limit).into()]).await?;
        while rows.is_empty() {
            // Whoever waits must hold nothing, or two wait for each other.
            locked.commit_early().await?;
            let first = self.gate().one::<FirstLane, 0>(FIRST_LANE, []).await?;
            let Some(FirstLane { organization_id }) = first else { return Ok(None) };
            locked = self.write_beside_others().await?;
            let owner = [organization_id.into()];
            rows = locked.system().all::<LaneRow, 1>(WAIT_FOR_LANE, owner).await?;
        }
        Ok(Some((locked, rows)))
    }

    /// Takes what is next of the lanes, of as many organizations as it takes.
    pub(super) async fn deal(
        &self,
        write: &Write<'_>,
        asked: Asked,
        rows: Vec<LaneRow>,
    ) -> Result<Vec<Hand>, StoreError> {
        let gate = write.system();
        let mut deck = deck(&gate, &rows).await?;
        let starts: Vec<i64> = deck.iter().map(|lane| lane.virtual_time).collect();
        let shares = fair::share(&mut deck, asked.limit);
        let mut hands = Vec::new();
        for (at, share) in shares.into_iter().enumerate().filter(|(_, share)| *share > 0) {
            let owner = Scope::from_column(rows[at].organization_id);
            let charged = rows[at].usual_cost;
            let taken = take(&gate, asked, owner, charged, share).await?;
            if taken.is_empty() {
                recount(&gate, owner, rows[at].waiting).await?;
                continue;
            }
            let times = i64::try_from(taken.len()).unwrap_or(i64::MAX);
            let advanced = starts[at].saturating_add(deck[at].step().saturating_mul(times));
            let values = [owner.column().into(), times.into(), advanced.into()];
            gate.run_with_next(CHARGE, values).await?;
            hands.push(Hand { owner, charged, taken });
        }
        Ok(hands)
    }
}

/// The lanes as the rule wants them: those that come back stand beside the others.
async fn deck(gate: &Gate<'_>, rows: &[LaneRow]) -> Result<Vec<fair::Lane>, StoreError> {
    let mut level = 0;
    if rows.iter().any(|row| !row.joined) {
        let found = gate.one::<Level, 0>(LEVEL, []).await?;
        level = found.and_then(|found| found.least.or(found.most)).unwrap_or(0);
    }
    let lane = |row: &LaneRow| {
        let mut lane = fair::Lane {
            virtual_time: row.virtual_time,
            weight: u32::try_from(row.weight).unwrap_or(1),
            usual_cost: row.usual_cost,
            room: u32::try_from(row.waiting.min(row.places)).unwrap_or(0),
        };
        if !row.joined {
            lane.join(level);
        }
        lane
    };
    Ok(rows.iter().map(lane).collect())
}

/// Up to `share` of an organization's executions, the most urgent and then the oldest first.
async fn take(
    gate: &Gate<'_>,
    asked: Asked,
    owner: Scope,
    charged: i64,
    share: u32,
) -> Result<Vec<Taken>, StoreError> {
    let common = || {
        [
            owner.column().into(),
            asked.worker.into(),
            asked.now.after(asked.lease).0.into(),
            asked.now.0.into(),
            charged.into(),
            Scope::Global.column().into(),
        ]
    };
    let mut taken: Vec<Taken> = Vec::new();
    while let left @ 1.. = share.saturating_sub(u32::try_from(taken.len()).unwrap_or(share)) {
        let more = match left {
            1 => gate.all::<Taken, 6>(TAKE_ONE, common()).await?,
            _ => {
                let mut first = gate.all::<Waiting, 1>(FIRST, [owner.column().into()]).await?;
                first.truncate(left as usize);
                let Some(last) = first.last() else { break };
                let mut common = common().into_iter();
                let values: [Value; SOME + 6] = std::array::from_fn(|at| match common.next() {
                    Some(value) => value,
                    None => first.get(at - 6).unwrap_or(last).execution_id.into(),
                });
                gate.all::<Taken, { SOME + 6 }>(TAKE_SOME, values).await?
            }
        };
        if more.is_empty() {
            break;
        }
        taken.extend(more);
    }
    taken.sort_by_key(|it| (std::cmp::Reverse(it.priority), it.available_at, it.execution_id));
    Ok(taken)
}

/// A lane that says that something waits although nothing does would be first for ever. What is just
/// being cancelled is still seen here.
async fn recount(gate: &Gate<'_>, owner: Scope, waiting: i64) -> Result<(), StoreError> {
    if gate.one::<Waiting, 1>(ANY, [owner.column().into()]).await?.is_none() {
        tracing::error!(organization = %owner.column(), waiting,
            "a lane of the queue counted executions that are not there; it counts anew");
        let change = lanes::Change { waiting: -waiting, ..lanes::Change::default() };
        lanes::change(gate, owner, change).await?;
    }
    Ok(())
}
