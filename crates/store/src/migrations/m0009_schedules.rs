//! Schedules: what organizations switched, when the next tick is, and who has to be looked at.

use super::Step;

/// `schedules` holds names, so it is read with the organization bound. `schedule_ticks` and
/// `schedule_checks` hold ids and times, and the caretaker may read all of them.
///
/// - `schedules.plan` is what the tick was computed from; without one there is no tick.
/// - `schedule_ticks.due_at` is `tick_at`, or later while a start has to wait for a place.
/// - `schedule_checks.due_at` is the time of the first change since the ticks were computed;
///   `seen` is a hash of what of Global decides about the schedules of others.
pub(super) const STEP: Step = Step {
    name: "m0009_schedules",
    up: &[
        "ALTER TABLE workflows ADD COLUMN scheduled boolean NOT NULL DEFAULT FALSE",
        "CREATE INDEX workflows_scheduled ON workflows (organization_id, name) WHERE scheduled",
        "CREATE TABLE schedules (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            id uuid NOT NULL,
            workflow text NOT NULL,
            own_enabled boolean NOT NULL,
            global_enabled boolean NOT NULL,
            plan text,
            last_at bigint,
            last_execution_id uuid,
            passed_over text,
            passed_at bigint,
            PRIMARY KEY (organization_id, workflow),
            UNIQUE (organization_id, id)
        )",
        "CREATE TABLE schedule_ticks (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            schedule_id uuid NOT NULL,
            tick_at bigint NOT NULL,
            due_at bigint NOT NULL,
            PRIMARY KEY (organization_id, schedule_id),
            FOREIGN KEY (organization_id, schedule_id) REFERENCES schedules (organization_id, id)
                ON DELETE CASCADE
        )",
        "CREATE INDEX schedule_ticks_due ON schedule_ticks (due_at, organization_id, schedule_id)",
        "CREATE TABLE schedule_checks (
            organization_id uuid NOT NULL PRIMARY KEY
                REFERENCES organizations (id) ON DELETE RESTRICT,
            due_at bigint,
            seen text
        )",
        "CREATE INDEX schedule_checks_due ON schedule_checks (due_at, organization_id)
            WHERE due_at IS NOT NULL",
    ],
    down: &[
        "DROP TABLE schedule_checks",
        "DROP TABLE schedule_ticks",
        "DROP TABLE schedules",
        "DROP INDEX workflows_scheduled",
        "ALTER TABLE workflows DROP COLUMN scheduled",
    ],
    tenant_tables: &["schedules", "schedule_ticks", "schedule_checks"],
    append_only: &[],
    rewrites: &[],
    seeds: Vec::new,
};
