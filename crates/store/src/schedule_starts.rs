//! Starting what is due: one execution per tick, over all servers.
//!
//! A tick is a row that moves to the next one in the transaction that enqueues the execution, and
//! is locked meanwhile. Whenever a server dies, either both have happened or neither has.

use crate::{
    EnqueueError, NewExecution, OrganizationStatus, StoreError, System, WorkflowEntry,
    db::Write,
    gate::Gate,
    row::FromRow,
    schedules::{self, PassedOver, Regional, State},
    workflows,
};
use domain::{
    Actor, ExecutionId, Schedule, Scope, Settings, Timestamp,
    schedule::{GRACE, Missed},
};
use std::time::Duration;
use uuid::Uuid;

/// What became of one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleTick {
    /// Whose.
    pub owner: Scope,
    /// When it was to be.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: TickOutcome,
}

/// What became of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickOutcome {
    /// It started this.
    Started(ExecutionId),
    /// It started nothing, and the organization is told why.
    PassedOver(PassedOver),
    /// It makes up for what was missed and waits until there is a place in the queue.
    Waits,
    /// It is no tick any more: the schedule was paused, has changed, or its organization is
    /// suspended.
    Void,
}

/// How long a start that makes up for others waits before it looks for a place again.
const FOR_A_PLACE: Duration = Duration::from_secs(10);

#[derive(FromRow)]
struct Due {
    organization_id: Uuid,
    schedule_id: Uuid,
    tick_at: i64,
}

#[derive(FromRow)]
struct DueAt {
    due_at: i64,
}

#[derive(FromRow)]
struct Name {
    workflow: String,
}

const NEXT: &str = "SELECT due_at FROM schedule_ticks ORDER BY due_at LIMIT 1";
const TAKE: &str = "SELECT organization_id, schedule_id, tick_at FROM schedule_ticks
    WHERE due_at <= $1 ORDER BY due_at, organization_id, schedule_id LIMIT 1
    FOR UPDATE SKIP LOCKED";
const TAKE_AGAIN: &str = "SELECT organization_id, schedule_id, tick_at FROM schedule_ticks
    WHERE organization_id = $1 AND schedule_id = $2 AND tick_at = $3 FOR UPDATE";
const WORKFLOW: &str = "SELECT workflow FROM schedules WHERE organization_id = $1 AND id = $2";
const MOVE: &str = "UPDATE schedule_ticks SET tick_at = $3, due_at = $3
    WHERE organization_id = $1 AND schedule_id = $2";
const DEFER: &str = "UPDATE schedule_ticks SET due_at = $3
    WHERE organization_id = $1 AND schedule_id = $2";
const REMOVE: &str = "DELETE FROM schedule_ticks WHERE organization_id = $1 AND schedule_id = $2";
const PLAN: &str = "UPDATE schedules SET plan = $3 WHERE organization_id = $1 AND id = $2";
const STARTED: &str = "UPDATE schedules SET last_at = $3, last_execution_id = $4,
    passed_over = NULL, passed_at = NULL WHERE organization_id = $1 AND id = $2";
const PASSED_OVER: &str = "UPDATE schedules SET passed_over = $3, passed_at = $4
    WHERE organization_id = $1 AND id = $2";

/// A tick with everything that decides about it, its row locked.
struct Tick<'a> {
    gate: Gate<'a>,
    owner: Scope,
    id: Uuid,
    at: Timestamp,
    now: Timestamp,
}

impl System {
    /// When the next tick is due, of whomever.
    pub async fn next_tick(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = self.gate().one::<DueAt, 0>(NEXT, []).await?;
        Ok(row.map(|row| Timestamp(row.due_at)))
    }

    /// Takes the tick that is due for the longest and that no other server has taken, and starts
    /// what it says as `execution`; nothing when none is due.
    pub async fn start_scheduled(
        &self,
        execution: ExecutionId,
        now: Timestamp,
    ) -> Result<Option<ScheduleTick>, StoreError> {
        let write = self.write_beside_others().await?;
        let Some(due) = write.system().one::<Due, 1>(TAKE, [now.0.into()]).await? else {
            return Ok(None);
        };
        let tick = Tick::of(&write, &due, now);
        let (owner, at) = (tick.owner, tick.at);
        let outcome = match tick.settle(&write, execution).await {
            Ok(outcome) => {
                write.commit().await?;
                outcome
            }
            Err(EnqueueError::Store(error)) => return Err(error),
            // A key with a space in it comes from nobody else.
            Err(EnqueueError::QueueFull(_) | EnqueueError::KeyReused) => {
                drop(write);
                self.without_a_place(&due, now).await?
            }
        };
        Ok(Some(ScheduleTick { owner, at, outcome }))
    }

    /// What was begun is undone; the tick waits, or is over.
    async fn without_a_place(&self, due: &Due, now: Timestamp) -> Result<TickOutcome, StoreError> {
        let write = self.write_beside_others().await?;
        let tick = Tick::of(&write, due, now);
        let key = [due.organization_id.into(), due.schedule_id.into(), due.tick_at.into()];
        // Another server has settled it meanwhile.
        if tick.gate.one::<Due, 3>(TAKE_AGAIN, key).await?.is_none() {
            return Ok(TickOutcome::Void);
        }
        let outcome = match tick.schedule().await? {
            None => TickOutcome::Void,
            Some(Found { schedule, .. }) if schedule.missed == Missed::Once => {
                let [owner, id] = tick.key();
                tick.gate.run(DEFER, [owner, id, now.after(FOR_A_PLACE).0.into()]).await?;
                tick.note(PassedOver::QueueFull).await?;
                TickOutcome::Waits
            }
            Some(Found { schedule, zone, .. }) => {
                tick.move_to(schedule.next(tick.at.max(tick.too_late()), &zone)).await?;
                tick.note(PassedOver::QueueFull).await?;
                TickOutcome::PassedOver(PassedOver::QueueFull)
            }
        };
        write.commit().await?;
        Ok(outcome)
    }
}

/// The schedule that a tick is of, as it is now.
struct Found {
    entry: WorkflowEntry,
    schedule: Schedule,
    zone: String,
    plan: Option<String>,
    settings: Settings,
    active: bool,
}

impl<'a> Tick<'a> {
    fn of(write: &'a Write<'_>, due: &Due, now: Timestamp) -> Self {
        let owner = Scope::from_column(due.organization_id);
        let (gate, at) = (write.tenant(owner), Timestamp(due.tick_at));
        Self { gate, owner, id: due.schedule_id, at, now }
    }

    fn key(&self) -> [sea_orm::Value; 2] {
        [self.owner.column().into(), self.id.into()]
    }

    /// The latest moment whose ticks are missed.
    fn too_late(&self) -> Timestamp {
        let grace = i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.now.0.saturating_sub(grace).saturating_sub(1))
    }

    /// Nothing is believed that does not hold in this very transaction.
    async fn settle(
        &self,
        write: &Write<'_>,
        execution: ExecutionId,
    ) -> Result<TickOutcome, EnqueueError> {
        let Some(found) = self.schedule().await? else {
            self.gate.run(REMOVE, self.key()).await?;
            return Ok(TickOutcome::Void);
        };
        let (schedule, zone) = (&found.schedule, found.zone.as_str());
        let plan = schedule.plan(zone);
        if found.plan.as_ref() != Some(&plan) {
            let [owner, id] = self.key();
            self.gate.run(PLAN, [owner, id, plan.into()]).await?;
            if !schedule.ticks_at(self.at, zone) {
                self.move_to(schedule.next(self.at, zone)).await?;
                return Ok(TickOutcome::Void);
            }
        }
        if !found.active {
            self.move_to(schedule.next(self.now, zone)).await?;
            return Ok(TickOutcome::Void);
        }
        let missed = self.at <= self.too_late();
        if missed && schedule.missed == Missed::Skip {
            self.move_to(schedule.next(self.too_late(), zone)).await?;
            self.note(PassedOver::Missed).await?;
            return Ok(TickOutcome::PassedOver(PassedOver::Missed));
        }
        let over = if missed { self.now } else { self.at };
        self.move_to(schedule.next(over, zone)).await?;
        self.start(write, &found, execution).await
    }

    async fn start(
        &self,
        write: &Write<'_>,
        found: &Found,
        id: ExecutionId,
    ) -> Result<TickOutcome, EnqueueError> {
        self.remember(id).await?;
        let new = NewExecution {
            place: crate::enqueue::Place::default(),
            id,
            workflow: &found.entry,
            inputs: serde_json::json!({}),
            idempotency_key: Some(format!("schedule {} {}", found.entry.workflow.name, self.at)),
            max_queued: found.settings.executions.max_queued,
            now: self.now,
        };
        let enqueued = write.enqueue(self.owner, &Actor::Schedule, new).await?;
        if !enqueued.created {
            self.remember(enqueued.execution.id).await?;
        }
        Ok(TickOutcome::Started(enqueued.execution.id))
    }

    /// The schedule, unless it is gone, hidden, paused or no good.
    async fn schedule(&self) -> Result<Option<Found>, StoreError> {
        let Some(Name { workflow }) = self.gate.one(WORKFLOW, self.key()).await? else {
            return Ok(None);
        };
        let state = schedules::state(&self.gate, self.owner, &workflow).await?;
        let Some(entry) = workflows::find(&self.gate, self.owner, &workflow).await? else {
            return Ok(None);
        };
        let Some(Ok(schedule)) = Schedule::of(&entry.workflow) else { return Ok(None) };
        if !State::enabled(state.as_ref(), entry.side) {
            return Ok(None);
        }
        let organization = Regional::read(&self.gate, self.owner).await?;
        let status = OrganizationStatus::from_column(&organization.status);
        let settings = organization.settings();
        Ok(Some(Found {
            entry,
            schedule,
            zone: settings.regional.timezone.clone(),
            plan: state.and_then(|state| state.plan),
            settings,
            active: status == OrganizationStatus::Active,
        }))
    }

    async fn move_to(&self, next: Option<Timestamp>) -> Result<(), StoreError> {
        let [owner, id] = self.key();
        match next {
            Some(next) => self.gate.run(MOVE, [owner, id, next.0.into()]).await?,
            None => self.gate.run(REMOVE, [owner, id]).await?,
        };
        Ok(())
    }

    async fn remember(&self, execution: ExecutionId) -> Result<(), StoreError> {
        let [owner, id] = self.key();
        self.gate.run(STARTED, [owner, id, self.now.0.into(), execution.0.into()]).await?;
        Ok(())
    }

    async fn note(&self, why: PassedOver) -> Result<(), StoreError> {
        let [owner, id] = self.key();
        self.gate.run(PASSED_OVER, [owner, id, why.as_str().into(), self.at.0.into()]).await?;
        Ok(())
    }
}
