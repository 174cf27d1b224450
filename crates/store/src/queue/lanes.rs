//! Lanes: what each organization has in the queue, what it may have, and what it was given.
//!
//! A lane's counters are changed in the transaction of what they count, and as the last thing in it,
//! so that its row is locked for a moment only. Whoever claims locks the lane first: that is what
//! keeps `max_concurrent` exact while many claim. Nobody else who holds a lane waits for anything but
//! the audit's chain, so nobody waits in a circle.

use crate::{StoreError, db::Write, gate::Gate, row::FromRow};
use domain::{Scope, Settings, Timestamp, fair};
use sea_orm::Value;

/// How a lane changes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    /// Ready, and not running.
    pub waiting: i64,
    /// Not ready yet.
    pub delayed: i64,
    /// Held by a worker.
    pub running: i64,
    /// Held by a worker, and not counted as running while they wait for others.
    pub lent: i64,
    /// Counted as running, and not running before they have a place again.
    pub coming_back: i64,
    /// What it was charged too little, in microseconds.
    pub correction: i64,
    /// What an execution cost, to know better next time.
    pub learned: Option<i64>,
}

impl Change {
    /// A run is over. What it waited for others is no cost of its own.
    pub(crate) fn ended(place: Place, now: Timestamp) -> Self {
        let (running, lent, coming_back) = match place.lent {
            HELD => (-1, 0, 0),
            LENT => (0, -1, 0),
            _ => (-1, 0, -1),
        };
        let until = if place.lent == HELD { now } else { Timestamp(place.lent_at) };
        let cost = fair::cost(Timestamp(place.claimed_at), until);
        let (correction, learned) = (cost.saturating_sub(place.charged), Some(cost));
        Self { running, lent, coming_back, correction, learned, ..Self::default() }
    }

    /// A run that was charged `charged` never began.
    pub(crate) fn unused(charged: i64) -> Self {
        let correction = fair::MINIMUM.saturating_sub(charged);
        Self { running: -1, correction, ..Self::default() }
    }

    /// Both changes in one. What was learned last counts.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            delayed: self.delayed + other.delayed,
            running: self.running + other.running,
            lent: self.lent + other.lent,
            coming_back: self.coming_back + other.coming_back,
            correction: self.correction.saturating_add(other.correction),
            learned: other.learned.or(self.learned),
        }
    }

    fn values(self, owner: Scope) -> [Value; 8] {
        [
            owner.column().into(),
            self.waiting.into(),
            self.delayed.into(),
            self.running.into(),
            self.correction.into(),
            self.learned.unwrap_or(0).into(),
            self.lent.into(),
            self.coming_back.into(),
        ]
    }
}

#[derive(FromRow)]
struct Now {
    waiting: i64,
    places: i64,
}

impl Now {
    fn claimable(self) -> u64 {
        self.waiting.min(self.places).max(0).unsigned_abs()
    }
}

/// What the queue says of a claimed execution: what it was charged, since when it runs (the time it
/// waited for others taken off), and whether it has lent its place.
#[derive(Clone, Copy, Debug, FromRow)]
pub(crate) struct Place {
    pub charged: i64,
    pub claimed_at: i64,
    pub lent: i64,
    pub lent_at: i64,
}

/// It has its place.
pub(crate) const HELD: i64 = 0;
/// It waits for another one and has lent its place.
pub(crate) const LENT: i64 = 1;

/// `joined` ends whenever the lane had nothing to claim: it joins anew at the claim that finds it.
const CHANGE: &str = "UPDATE queue_lanes SET waiting = waiting + $2, delayed = delayed + $3,
    running = running + $4, virtual_time = virtual_time + $5 / weight,
    usual_cost = CASE WHEN $6 > 0 THEN usual_cost + ($6 - usual_cost) / 8 ELSE usual_cost END,
    joined = joined AND eligible, lent = lent + $7, coming_back = coming_back + $8
    WHERE organization_id = $1
    RETURNING waiting, max_concurrent - running AS places";
const ENTER: &str = "UPDATE queue_lanes SET waiting = waiting + $2, delayed = delayed + $3,
    joined = joined AND eligible
    WHERE organization_id = $1 AND waiting + delayed < $4";
const ALLOW: &str = "UPDATE queue_lanes SET weight = $2, max_concurrent = $3,
    joined = joined AND eligible WHERE organization_id = $1";
const OPEN: &str = "INSERT INTO queue_lanes (organization_id, virtual_time, weight, max_concurrent,
    waiting, delayed, running, usual_cost, joined) VALUES ($1, 0, $2, $3, 0, 0, 0, $4, FALSE)";
const CLOSE: &str = "DELETE FROM queue_lanes WHERE organization_id = $1";

/// Changes a lane; how many executions of it can be claimed now.
pub(crate) async fn change(
    gate: &Gate<'_>,
    owner: Scope,
    change: Change,
) -> Result<u64, StoreError> {
    let now = gate.one::<Now, 8>(CHANGE, change.values(owner)).await?;
    Ok(now.map_or(0, Now::claimable))
}

/// As [`change`], as the last of a transaction that is kept.
pub(crate) async fn change_at_last(
    write: Write<'_>,
    owner: Scope,
    change: Change,
) -> Result<u64, StoreError> {
    let now = write.commit_early_with::<Now, 8>(CHANGE, owner, change.values(owner)).await?;
    Ok(now.map_or(0, Now::claimable))
}

/// Lets one more execution in, if no more than `most` are then waiting; whether it did.
pub(crate) async fn enter(
    gate: &Gate<'_>,
    owner: Scope,
    delayed: bool,
    most: u32,
) -> Result<bool, StoreError> {
    let (ready, later) = if delayed { (0_i64, 1_i64) } else { (1, 0) };
    let values = [owner.column().into(), ready.into(), later.into(), i64::from(most).into()];
    Ok(gate.run(ENTER, values).await? > 0)
}

/// Makes changed settings count from the next claim on.
pub(crate) async fn allow(
    gate: &Gate<'_>,
    owner: Scope,
    settings: &Settings,
) -> Result<(), StoreError> {
    let (weight, most) = (settings.executions.weight, settings.executions.max_concurrent);
    let values = [owner.column().into(), i64::from(weight).into(), i64::from(most).into()];
    gate.run(ALLOW, values).await.map(|_| ())
}

/// The lane of a new organization.
pub(crate) async fn open(
    gate: &Gate<'_>,
    owner: Scope,
    settings: &Settings,
) -> Result<(), StoreError> {
    let (weight, most) = (settings.executions.weight, settings.executions.max_concurrent);
    let values = [
        owner.column().into(),
        i64::from(weight).into(),
        i64::from(most).into(),
        fair::UNKNOWN.into(),
    ];
    gate.run(OPEN, values).await.map(|_| ())
}

/// Takes away the lane of an organization that goes.
pub(crate) async fn close(gate: &Gate<'_>, owner: Scope) -> Result<(), StoreError> {
    gate.run(CLOSE, [owner.column().into()]).await.map(|_| ())
}
