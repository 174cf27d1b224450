//! Seats: how an organization never has more executions running than it may.
//!
//! An organization has as many seats as `executions.max_concurrent` says. An entry takes one when
//! it is queued or as soon as one is free, the oldest first, and keeps it until it ends. Only
//! seated entries can be claimed, so a claim needs to count nothing, and whoever waits behind a
//! long queue of somebody else is next in its own.
//!
//! Whatever frees, takes or changes the number of seats says so here, in its own transaction.
//! SQLite has one writer; an engine with several must lock the organization's row before it counts.

use crate::{StoreError, gate::Gate};
use domain::Scope;

/// Nobody stands while there is a free seat.
const SEAT: &str = "UPDATE job_queue SET seated = TRUE
    WHERE organization_id = $1 AND execution_id IN (
        SELECT standing.execution_id FROM job_queue AS standing
        WHERE standing.organization_id = $1 AND NOT standing.seated
        ORDER BY standing.available_at, standing.execution_id
        LIMIT COALESCE((SELECT CASE WHEN room.free > 0 THEN room.free ELSE 0 END FROM (
            SELECT own.max_concurrent - (SELECT COUNT(*) FROM job_queue AS taken
                WHERE taken.organization_id = $1 AND taken.seated) AS free
            FROM organizations AS own WHERE own.id = $1) AS room), 0))";

/// Who came last stands up first. What runs cannot: it keeps its seat until it ends.
const UNSEAT: &str = "UPDATE job_queue SET seated = FALSE
    WHERE organization_id = $1 AND execution_id IN (
        SELECT last.execution_id FROM job_queue AS last
        WHERE last.organization_id = $1 AND last.seated AND last.worker IS NULL
        ORDER BY last.available_at DESC, last.execution_id DESC
        LIMIT COALESCE((SELECT CASE WHEN room.lacking > 0 THEN room.lacking ELSE 0 END FROM (
            SELECT (SELECT COUNT(*) FROM job_queue AS taken
                WHERE taken.organization_id = $1 AND taken.seated) - own.max_concurrent AS lacking
            FROM organizations AS own WHERE own.id = $1) AS room), 0))";

/// Gives free seats to those who have waited longest; how many were given.
pub(crate) async fn give(gate: &Gate<'_>, owner: Scope) -> Result<u64, StoreError> {
    gate.run(SEAT, [owner.column().into()]).await
}

/// Takes seats back that there are not any more, from those that wait; how many were taken.
pub(crate) async fn take_back(gate: &Gate<'_>, owner: Scope) -> Result<u64, StoreError> {
    gate.run(UNSEAT, [owner.column().into()]).await
}
