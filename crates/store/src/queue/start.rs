//! Starting: what was taken of one organization becomes executions that run.

use super::{
    Claim, Claimed, ClaimedEntry,
    deal::{Asked, Hand, Taken},
    refuse::{Refusal, refuse},
};
use crate::{
    OrganizationStatus, Scoped, StoreError, System, db::Write, files::count, row::FromRow, settings,
};
use domain::{Access, ExecutionId, Settings, Slug, Timestamp, UserId};
use sea_orm::Value;
use std::{collections::HashMap, time::Duration};
use uuid::Uuid;

#[derive(FromRow)]
struct StartedRow {
    id: Uuid,
    workflow: String,
    inputs_json: String,
    timeout_seconds: Option<i64>,
    provider: Option<String>,
    requested_by: String,
    requested_by_user: Option<Uuid>,
    person_email: Option<String>,
    person_name: Option<String>,
}

/// As many as one claim takes of one organization at a time; who wants fewer repeats one.
const START: &str =
    "UPDATE executions SET status = 'running', started_at = $2, progress_json = NULL,
    attempt = COALESCE((SELECT held.attempt FROM job_queue AS held
        WHERE held.organization_id = $1 AND held.execution_id = executions.id), attempt)
    WHERE organization_id = $1
        AND id IN ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    RETURNING id, workflow, inputs_json, timeout_seconds, provider, requested_by, requested_by_user,
        (SELECT person.email FROM users AS person WHERE person.organization_id = $1
            AND person.id = executions.requested_by_user) AS person_email,
        (SELECT person.name FROM users AS person WHERE person.organization_id = $1
            AND person.id = executions.requested_by_user) AS person_name";
const STARTS: usize = 16;

/// The organization of a claim, as it was in the statement that claimed.
struct Owner {
    organization: (Slug, String),
    settings: Settings,
    own_generation: i64,
}

impl System {
    /// Makes claimed rows executions that run. Nothing is believed that the tables of their
    /// organization do not say as well.
    pub(super) async fn start(
        &self,
        write: &Write<'_>,
        hand: Hand,
        asked: Asked,
        claimed: &mut Claimed,
    ) -> Result<(), StoreError> {
        let mut started = started(write, &hand, asked.now).await?;
        for taken in &hand.taken {
            let row = started.remove(&taken.execution_id).ok_or(Refusal::ExecutionMissing);
            match row.and_then(|row| Ok((row, owner(taken)?))) {
                Ok((row, owner)) => {
                    let claim = self.claimed(write, &hand, taken, asked, (row, owner)).await?;
                    claimed.claims.push(claim);
                }
                Err(why) => {
                    let refused = refuse(write, &hand, taken, why, asked.now).await?;
                    claimed.refused.push(refused);
                }
            }
        }
        Ok(())
    }

    async fn claimed(
        &self,
        write: &Write<'_>,
        hand: &Hand,
        taken: &Taken,
        asked: Asked,
        (row, owner): (StartedRow, Owner),
    ) -> Result<Claim, StoreError> {
        let execution = ExecutionId(taken.execution_id);
        let access = Access::from_claimed_job(hand.owner, execution);
        let generations = (owner.own_generation, taken.global_generation);
        let entry = self.entry(write, &access, &row.workflow, generations).await?;
        let person = row.person_email.zip(row.person_name);
        // A provider's person who acts is no user of the organization: their address must do.
        let stranger = || (row.requested_by.clone(), row.requested_by.clone());
        let user = row.requested_by_user.map(|id| {
            let (email, name) = person.unwrap_or_else(stranger);
            (UserId(id), email, name)
        });
        Ok(Claim {
            access,
            execution,
            attempt: count(taken.attempt)?,
            worker: asked.worker,
            workflow: row.workflow,
            entry,
            inputs: row.inputs_json,
            provider: row.provider,
            timeout_seconds: row.timeout_seconds.map(count).transpose()?,
            organization: owner.organization,
            settings: owner.settings,
            user,
            own_generation: owner.own_generation,
            global_generation: taken.global_generation,
            claimed_at: asked.now,
            charged: hand.charged,
            retries: count(taken.retries)?,
            retry_delay: Duration::from_micros(taken.retry_delay.max(0).unsigned_abs()),
        })
    }

    async fn entry(
        &self,
        write: &Write<'_>,
        access: &Access,
        workflow: &str,
        generations: (i64, i64),
    ) -> Result<Option<ClaimedEntry>, StoreError> {
        let owner = access.scope();
        if let Some(known) = self.entries().get(owner.column(), workflow, generations) {
            return Ok(known);
        }
        let scoped = Scoped::within(self, access);
        let found = scoped.workflow_through(&write.tenant(owner), workflow).await?;
        let entry = found.and_then(|found| {
            let module = found.path.module()?.to_string();
            Some(ClaimedEntry { module, function: found.workflow.function })
        });
        self.entries().put(owner.column(), workflow, generations, entry.clone());
        Ok(entry)
    }
}

/// The executions of a hand that are there, by their ids.
async fn started(
    write: &Write<'_>,
    hand: &Hand,
    now: Timestamp,
) -> Result<HashMap<Uuid, StartedRow>, StoreError> {
    let gate = write.tenant(hand.owner);
    let mut rows = HashMap::new();
    for taken in hand.taken.chunks(STARTS) {
        let id = |at: usize| taken[at.min(taken.len() - 1)].execution_id;
        let values: [Value; STARTS + 2] = std::array::from_fn(|at| match at {
            0 => hand.owner.column().into(),
            1 => now.0.into(),
            at => id(at - 2).into(),
        });
        let found = gate.all::<StartedRow, { STARTS + 2 }>(START, values).await?;
        rows.extend(found.into_iter().map(|row| (row.id, row)));
    }
    Ok(rows)
}

fn owner(taken: &Taken) -> Result<Owner, Refusal> {
    let unknown = Refusal::OrganizationUnknown;
    let status = taken.status.as_deref().ok_or(unknown)?;
    if OrganizationStatus::from_column(status) != OrganizationStatus::Active {
        return Err(Refusal::OrganizationSuspended);
    }
    let stored = settings::read(taken.settings_json.as_deref().ok_or(unknown)?);
    if stored.damaged {
        return Err(Refusal::OrganizationUnreadable);
    }
    let slug = Slug::parse(taken.slug.as_deref().ok_or(unknown)?);
    let slug = slug.map_err(|_| Refusal::OrganizationUnreadable)?;
    let name = taken.name.clone().ok_or(unknown)?;
    let own_generation = taken.own_generation.ok_or(unknown)?;
    Ok(Owner { organization: (slug, name), settings: stored.settings, own_generation })
}
