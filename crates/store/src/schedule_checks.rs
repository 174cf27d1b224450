//! Which organizations' schedules have to be looked at, because something about them has changed.
//!
//! Whoever changes what a schedule depends on says so here, in the same transaction: a file, a
//! switch, the time zone. [`System::plan_schedules`](crate::System::plan_schedules) then computes
//! the ticks anew. What changes in Global concerns everybody: Global's own look passes it on, so a
//! writer of Global waits for nobody.

use crate::{StoreError, gate::Gate};
use domain::{Scope, Timestamp};

const BEGIN: &str = "INSERT INTO schedule_checks (organization_id, due_at) VALUES ($1, $2)
    ON CONFLICT (organization_id) DO UPDATE
    SET due_at = COALESCE(schedule_checks.due_at, excluded.due_at)";
const AGAIN: &str = "UPDATE schedule_checks SET due_at = COALESCE(due_at, $2)
    WHERE organization_id = $1";

/// From now on this organization has schedules to look at.
pub(crate) async fn begin(gate: &Gate<'_>, owner: Scope, now: Timestamp) -> Result<(), StoreError> {
    gate.run(BEGIN, [owner.column().into(), now.0.into()]).await?;
    Ok(())
}

/// If this organization ever had schedules, they are to be looked at again.
pub(crate) async fn again(gate: &Gate<'_>, owner: Scope, now: Timestamp) -> Result<(), StoreError> {
    gate.run(AGAIN, [owner.column().into(), now.0.into()]).await?;
    Ok(())
}
