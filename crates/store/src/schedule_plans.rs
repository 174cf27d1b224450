//! Bringing the ticks of an organization up to date after something has changed.

use crate::{
    StoreError, System,
    db::Write,
    gate::Gate,
    row::FromRow,
    schedules::{self, Regional, State},
    workflows,
};
use domain::{Schedule, Scope, Timestamp, content_hash};
use std::collections::BTreeSet;
use uuid::Uuid;

#[derive(FromRow)]
struct Owner {
    organization_id: Uuid,
}

#[derive(FromRow)]
struct Check {
    due_at: i64,
    seen: Option<String>,
}

#[derive(FromRow)]
struct Kept {
    workflow: String,
}

#[derive(FromRow)]
struct Tick {
    #[expect(dead_code, reason = "that there is one is the answer")]
    tick_at: i64,
}

#[derive(FromRow)]
struct PathRow {
    path: String,
}

#[derive(FromRow)]
struct Said {
    name: String,
    path: String,
    parameters_json: String,
    options_json: String,
}

const CHANGED: &str = "SELECT organization_id FROM schedule_checks WHERE due_at IS NOT NULL
    ORDER BY due_at, organization_id LIMIT $1";
const HOLD: &str = "SELECT due_at, seen FROM schedule_checks
    WHERE organization_id = $1 AND due_at IS NOT NULL FOR UPDATE";
const LOOKED: &str = "UPDATE schedule_checks SET due_at = NULL, seen = $2
    WHERE organization_id = $1";
/// All of them, whatever they say just now: a row that another transaction is about to bring up to
/// date has to wait for it, and be looked at once more.
const EVERYBODY: &str = "UPDATE schedule_checks SET due_at = COALESCE(due_at, $1)
    WHERE organization_id <> $2";
const KEPT: &str = "SELECT workflow FROM schedules WHERE organization_id = $1";
const PATHS: &str = "SELECT path FROM workspace_files WHERE organization_id = $1 ORDER BY path";
const SAID: &str = "SELECT name, path, parameters_json, options_json FROM workflows
    WHERE organization_id = $1 AND scheduled ORDER BY name";
const HOLD_TICK: &str = "SELECT tick_at FROM schedule_ticks
    WHERE organization_id = $1 AND schedule_id = $2 FOR UPDATE";
const FORGET_TICK: &str =
    "DELETE FROM schedule_ticks WHERE organization_id = $1 AND schedule_id = $2";
const TICK: &str = "INSERT INTO schedule_ticks (organization_id, schedule_id, tick_at, due_at)
    VALUES ($1, $2, $3, $3) ON CONFLICT (organization_id, schedule_id) DO UPDATE
    SET tick_at = excluded.tick_at, due_at = excluded.due_at";
const PLAN: &str = "UPDATE schedules SET plan = $3, passed_over = NULL, passed_at = NULL
    WHERE organization_id = $1 AND id = $2";
const UNPLAN: &str = "UPDATE schedules SET plan = NULL WHERE organization_id = $1 AND id = $2";
const KEEP: &str = "INSERT INTO schedules
    (organization_id, id, workflow, own_enabled, global_enabled)
    VALUES ($1, $2, $3, TRUE, FALSE) ON CONFLICT (organization_id, workflow) DO NOTHING";
/// What nobody switched has nothing to remember once its workflow has gone.
const FORGET: &str = "DELETE FROM schedules
    WHERE organization_id = $1 AND id = $2 AND own_enabled AND NOT global_enabled";

/// Names looked at in one question.
const PAGE: u32 = 500;

impl System {
    /// Brings up to date what has changed, of up to `limit` organizations; of how many.
    pub async fn plan_schedules(&self, limit: u32) -> Result<usize, StoreError> {
        let changed = self.gate().all::<Owner, 1>(CHANGED, [i64::from(limit).into()]).await?;
        for row in &changed {
            self.plan_schedules_of(Scope::from_column(row.organization_id)).await?;
        }
        Ok(changed.len())
    }

    /// Alone in its organization, so that no file and no switch changes meanwhile. What Global
    /// writes meanwhile makes the organization be looked at once more.
    async fn plan_schedules_of(&self, owner: Scope) -> Result<(), StoreError> {
        let write = self.write(owner).await?;
        let gate = write.tenant(owner);
        // Another server was faster.
        let Some(check) = gate.one::<Check, 1>(HOLD, [owner.column().into()]).await? else {
            return Ok(());
        };
        let zone = Regional::read(&gate, owner).await?.settings().regional.timezone;
        for name in names(&gate, owner).await? {
            apply(&gate, owner, &name, (Timestamp(check.due_at), &zone)).await?;
        }
        let seen = match owner {
            Scope::Global => Some(tell_everybody(&write, &check).await?),
            Scope::Organization(_) => None,
        };
        gate.run(LOOKED, [owner.column().into(), seen.into()]).await?;
        write.commit().await
    }
}

/// What Global says about schedules, and which names it hides from others, as a hash. If it is
/// another one than before, every organization has to be looked at.
async fn tell_everybody(write: &Write<'_>, check: &Check) -> Result<String, StoreError> {
    let (gate, global) = (write.tenant(Scope::Global), Scope::Global.column());
    let mut all = String::new();
    for row in gate.all::<PathRow, 1>(PATHS, [global.into()]).await? {
        all.extend([&row.path, "\n"]);
    }
    for row in gate.all::<Said, 1>(SAID, [global.into()]).await? {
        let Said { name, path, parameters_json, options_json } = row;
        all.extend([&name, "\t", &path, "\t", &parameters_json, "\t", &options_json, "\n"]);
    }
    let seen = content_hash(all.as_bytes());
    if check.seen.as_ref() != Some(&seen) {
        write.system().run(EVERYBODY, [check.due_at.into(), global.into()]).await?;
    }
    Ok(seen)
}

/// Everything that has a schedule or had one.
async fn names(gate: &Gate<'_>, owner: Scope) -> Result<BTreeSet<String>, StoreError> {
    let kept = gate.all::<Kept, 1>(KEPT, [owner.column().into()]).await?;
    let mut all: BTreeSet<String> = kept.into_iter().map(|row| row.workflow).collect();
    let mut after = String::new();
    loop {
        let page = schedules::names(gate, owner, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after.clone_from(last);
        all.extend(page);
    }
}

/// What a name means for the organization's clock.
enum Planned {
    /// There is no such workflow, or it has no schedule.
    Gone,
    /// It has one that does not count, or can never start.
    Idle,
    /// It starts by itself.
    Ticks(Box<Schedule>),
}

async fn plan(
    gate: &Gate<'_>,
    owner: Scope,
    name: &str,
    state: Option<&State>,
) -> Result<Planned, StoreError> {
    let entry = workflows::find(gate, owner, name).await?;
    let Some((side, read)) = entry.and_then(|it| Some((it.side, Schedule::of(&it.workflow)?)))
    else {
        return Ok(Planned::Gone);
    };
    Ok(match read {
        Ok(schedule) if State::enabled(state, side) => Planned::Ticks(Box::new(schedule)),
        _ => Planned::Idle,
    })
}

/// Ticks first, then what is kept of the schedule: in this order a start locks them too.
async fn apply(
    gate: &Gate<'_>,
    owner: Scope,
    name: &str,
    (since, zone): (Timestamp, &str),
) -> Result<(), StoreError> {
    let id = schedules::id(owner, name);
    let key = || [owner.column().into(), id.into()];
    let ticks = gate.one::<Tick, 2>(HOLD_TICK, key()).await?.is_some();
    let state = schedules::state(gate, owner, name).await?;
    let planned = plan(gate, owner, name, state.as_ref()).await?;
    if let Planned::Ticks(schedule) = &planned {
        let text = schedule.plan(zone);
        let stands = ticks && state.is_some_and(|state| state.plan.as_ref() == Some(&text));
        if stands {
            return Ok(());
        }
        if let Some(next) = schedule.next(since, zone) {
            gate.run(KEEP, [owner.column().into(), id.into(), name.into()]).await?;
            gate.run(TICK, [owner.column().into(), id.into(), next.0.into()]).await?;
            gate.run(PLAN, [owner.column().into(), id.into(), text.into()]).await?;
            return Ok(());
        }
    }
    gate.run(FORGET_TICK, key()).await?;
    if matches!(planned, Planned::Gone) {
        gate.run(FORGET, key()).await?;
    }
    gate.run(UNPLAN, key()).await?;
    Ok(())
}
