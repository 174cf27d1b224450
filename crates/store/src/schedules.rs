//! Schedules, as the people of an organization see and switch them.
//!
//! What a schedule says is in the workflow; here is whether it counts. An organization's own
//! schedule counts until somebody pauses it, Global's from when somebody of the organization
//! switches it on.

use crate::{
    Scoped, StoreError, WorkflowEntry, gate::Gate, row::FromRow, schedule_checks, settings,
    workflows,
};
use domain::{
    ExecutionId, FilePath, Schedule, Scope, Timestamp,
    audit::Event,
    content_hash,
    schedule::{BadSchedule, Missed},
    scope::Side,
};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// A workflow's schedule, as one organization sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleEntry {
    /// The workflow's name.
    pub workflow: String,
    /// Whose file it is in.
    pub side: Side,
    /// The file.
    pub path: FilePath,
    /// The cron pattern, as it was given.
    pub schedule: String,
    /// The zone whose clocks count.
    pub timezone: String,
    /// What happens with missed ticks.
    pub missed: Missed,
    /// Whether it counts in the asking organization.
    pub enabled: bool,
    /// The tick that comes next; nothing while it does not count or can never start.
    pub next_at: Option<Timestamp>,
    /// When it started something for the last time.
    pub last_at: Option<Timestamp>,
    /// What it started.
    pub last_execution: Option<ExecutionId>,
    /// What is wrong with it.
    pub problem: Option<ScheduleProblem>,
}

/// What is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleProblem {
    /// It can never start.
    #[error(transparent)]
    Bad(#[from] BadSchedule),
    /// Its last tick came to nothing.
    #[error("the tick of {at} started nothing: {why}")]
    PassedOver {
        /// The tick.
        at: Timestamp,
        /// Why.
        why: PassedOver,
    },
}

/// Why a tick started nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassedOver {
    /// As many executions wait as the organization may have.
    #[error("as many executions were waiting as the settings allow")]
    QueueFull,
    /// Nobody looked in time.
    #[error("no server was there in time")]
    Missed,
}

impl PassedOver {
    /// The word in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Missed => "missed",
        }
    }

    fn from_column(word: &str) -> Self {
        if word == "queue_full" { Self::QueueFull } else { Self::Missed }
    }
}

/// What is kept of a schedule.
#[derive(FromRow)]
pub(crate) struct State {
    pub(crate) own_enabled: bool,
    pub(crate) global_enabled: bool,
    pub(crate) plan: Option<String>,
    pub(crate) tick_at: Option<i64>,
    last_at: Option<i64>,
    last_execution_id: Option<Uuid>,
    passed_over: Option<String>,
    passed_at: Option<i64>,
}

/// The organization whose schedules are looked at.
#[derive(FromRow)]
pub(crate) struct Regional {
    pub(crate) status: String,
    settings_json: String,
}

#[derive(FromRow)]
struct Name {
    name: String,
}

const GLOBAL_NAMES: &str = "SELECT name FROM workflows
    WHERE organization_id = $1 AND scheduled AND name > $2 ORDER BY name LIMIT $3";
/// Its own, and those in what it holds of Global.
const NAMES: &str = "SELECT name FROM workflows
    WHERE organization_id = $1 AND scheduled AND name > $2
    UNION SELECT name FROM pinned_workflows
    WHERE organization_id = $1 AND scheduled AND name > $2 ORDER BY name LIMIT $3";
const STATE: &str = "SELECT kept.own_enabled, kept.global_enabled, kept.plan,
    kept.last_at, kept.last_execution_id, kept.passed_over, kept.passed_at,
    ticks.tick_at FROM schedules AS kept
    LEFT JOIN schedule_ticks AS ticks ON ticks.organization_id = $1 AND ticks.schedule_id = kept.id
    WHERE kept.organization_id = $1 AND kept.workflow = $2";
const REGIONAL: &str = "SELECT status, settings_json FROM organizations WHERE id = $1";
const SWITCH_OWN: &str = "INSERT INTO schedules
    (organization_id, id, workflow, own_enabled, global_enabled) VALUES ($1, $2, $3, $4, FALSE)
    ON CONFLICT (organization_id, workflow) DO UPDATE SET own_enabled = excluded.own_enabled";
const SWITCH_GLOBAL: &str = "INSERT INTO schedules
    (organization_id, id, workflow, own_enabled, global_enabled) VALUES ($1, $2, $3, TRUE, $4)
    ON CONFLICT (organization_id, workflow) DO UPDATE SET global_enabled = excluded.global_enabled";

impl State {
    /// Whether the schedule counts when its workflow is in a file of this side.
    pub(crate) fn enabled(state: Option<&Self>, side: Side) -> bool {
        match side {
            Side::Own => state.is_none_or(|state| state.own_enabled),
            Side::Global => state.is_some_and(|state| state.global_enabled),
        }
    }

    fn problem(&self) -> Option<ScheduleProblem> {
        let (word, at) = (self.passed_over.as_deref()?, Timestamp(self.passed_at?));
        Some(ScheduleProblem::PassedOver { at, why: PassedOver::from_column(word) })
    }
}

impl Regional {
    pub(crate) async fn read(gate: &Gate<'_>, owner: Scope) -> Result<Self, StoreError> {
        let row = gate.one::<Self, 1>(REGIONAL, [owner.column().into()]).await?;
        row.ok_or_else(|| StoreError::unreadable("organization", "schedules without one"))
    }

    pub(crate) fn settings(&self) -> domain::Settings {
        settings::read(&self.settings_json).settings
    }
}

/// The id of a schedule: the same whenever it is made, and telling nothing.
pub(crate) fn id(owner: Scope, workflow: &str) -> Uuid {
    let hash = content_hash(format!("{} {workflow}", owner.column()).as_bytes());
    let digits = hash.get(..32).and_then(|digits| u128::from_str_radix(digits, 16).ok());
    Uuid::from_u128(digits.unwrap_or_default())
}

/// Names of scheduled workflows of one scope, in order.
pub(crate) async fn names(
    gate: &Gate<'_>,
    owner: Scope,
    after: &str,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    let values = [owner.column().into(), after.into(), i64::from(limit).into()];
    let rows = match owner {
        Scope::Global => gate.all::<Name, 3>(GLOBAL_NAMES, values).await?,
        Scope::Organization(_) => gate.all::<Name, 3>(NAMES, values).await?,
    };
    Ok(rows.into_iter().map(|row| row.name).collect())
}

pub(crate) async fn state(
    gate: &Gate<'_>,
    owner: Scope,
    workflow: &str,
) -> Result<Option<State>, StoreError> {
    gate.one(STATE, [owner.column().into(), workflow.into()]).await
}

impl Scoped {
    /// Schedules by the names of their workflows.
    pub async fn schedules(
        &self,
        after: Option<String>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<ScheduleEntry>, StoreError> {
        let gate = self.gate();
        let mut after = after.unwrap_or_default();
        let mut found = Vec::new();
        // Global's that the organization hides leave gaps.
        loop {
            let own = names(&gate, self.scope(), &after, limit).await?;
            let global = names(&gate, Scope::Global, &after, limit).await?;
            let page: BTreeSet<String> = own.into_iter().chain(global).collect();
            let page: Vec<String> = page.into_iter().take(limit as usize).collect();
            let Some(last) = page.last() else { return Ok(found) };
            after.clone_from(last);
            for name in &page {
                found.extend(self.schedule(name, now).await?);
                if found.len() == limit as usize {
                    return Ok(found);
                }
            }
        }
    }

    /// The schedule of one workflow, if it has one.
    pub async fn schedule(
        &self,
        workflow: &str,
        now: Timestamp,
    ) -> Result<Option<ScheduleEntry>, StoreError> {
        let gate = self.gate();
        let Some(entry) = workflows::find(&gate, self.scope(), workflow).await? else {
            return Ok(None);
        };
        self.schedule_of(&gate, entry, now).await
    }

    /// Switches a schedule on or off in the asking organization; as it is then.
    pub async fn switch_schedule(
        &self,
        workflow: &str,
        enabled: bool,
        now: Timestamp,
    ) -> Result<Option<ScheduleEntry>, StoreError> {
        let owner = self.scope();
        let write = self.write().await?;
        let gate = write.tenant(owner);
        let entry = workflows::find(&gate, owner, workflow).await?;
        let Some(entry) = entry.filter(|entry| Schedule::is_in(&entry.workflow)) else {
            return Ok(None);
        };
        let before = state(&gate, owner, workflow).await?;
        if State::enabled(before.as_ref(), entry.side) != enabled {
            let id = id(owner, workflow).into();
            let values = [owner.column().into(), id, workflow.into(), enabled.into()];
            match entry.side {
                Side::Own => gate.run(SWITCH_OWN, values).await?,
                Side::Global => gate.run(SWITCH_GLOBAL, values).await?,
            };
            let action = if enabled { "schedule.resume" } else { "schedule.pause" };
            let event = Event::done(action, workflow).with(json!({ "scope": entry.side }));
            write.audit(owner, self.access().actor(), event, now).await?;
            schedule_checks::begin(&gate, owner, now).await?;
        }
        let after = self.schedule_of(&gate, entry, now).await?;
        write.commit().await?;
        Ok(after)
    }

    async fn schedule_of(
        &self,
        gate: &Gate<'_>,
        entry: WorkflowEntry,
        now: Timestamp,
    ) -> Result<Option<ScheduleEntry>, StoreError> {
        let Some(read) = Schedule::of(&entry.workflow) else { return Ok(None) };
        let settings = Regional::read(gate, self.scope()).await?.settings();
        let regional = settings.regional.timezone.as_str();
        let state = state(gate, self.scope(), &entry.workflow.name).await?;
        let enabled = State::enabled(state.as_ref(), entry.side);
        let option = |name| entry.workflow.options.get(name).and_then(|value| value.as_str());
        let next = |schedule: &Schedule| next(schedule, state.as_ref(), regional, now);
        let own_zone = option("timezone").unwrap_or(regional).to_owned();
        let good = read.as_ref().ok();
        Ok(Some(ScheduleEntry {
            schedule: option("schedule").unwrap_or_default().to_owned(),
            timezone: good.map_or(own_zone, |good| good.zone(regional).name().to_owned()),
            missed: good.map(|good| good.missed).unwrap_or_default(),
            enabled,
            next_at: good.filter(|_| enabled).and_then(next),
            last_at: state.as_ref().and_then(|state| state.last_at).map(Timestamp),
            last_execution: state
                .as_ref()
                .and_then(|state| state.last_execution_id)
                .map(ExecutionId),
            problem: match read {
                Err(fault) => Some(fault.into()),
                Ok(_) => state.as_ref().and_then(State::problem),
            },
            workflow: entry.workflow.name,
            side: entry.side,
            path: entry.path,
        }))
    }
}

/// The tick that is kept, unless something has changed that nobody has looked at yet.
fn next(
    schedule: &Schedule,
    state: Option<&State>,
    regional: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let kept = state.filter(|state| state.plan.as_deref() == Some(&schedule.plan(regional)));
    let kept = kept.and_then(|state| state.tick_at).map(Timestamp);
    kept.or_else(|| schedule.next(now, regional))
}
