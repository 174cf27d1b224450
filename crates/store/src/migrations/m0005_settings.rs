//! The history of settings, seats in the queue, and indexes for what grows old.

use super::Step;

/// `organizations.max_concurrent` repeats `executions.max_concurrent` of the settings, so that
/// statements can count with it. A queue entry is seated while it has one of its organization's
/// seats; only then it can be claimed.
pub(super) const STEP: Step = Step {
    name: "m0005_settings",
    up: &[
        "CREATE TABLE settings_history (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            version bigint NOT NULL,
            at bigint NOT NULL,
            changed_by text NOT NULL,
            before_json text NOT NULL,
            after_json text NOT NULL,
            PRIMARY KEY (organization_id, version)
        )",
        "ALTER TABLE organizations ADD COLUMN max_concurrent bigint NOT NULL DEFAULT 10",
        "ALTER TABLE job_queue ADD COLUMN seated boolean NOT NULL DEFAULT TRUE",
        "UPDATE job_queue SET seated = FALSE
            WHERE worker IS NULL AND (organization_id, execution_id) IN (
                SELECT organization_id, execution_id FROM (
                    SELECT organization_id, execution_id, row_number() OVER (
                        PARTITION BY organization_id
                        ORDER BY CASE WHEN worker IS NULL THEN 1 ELSE 0 END,
                            available_at, execution_id
                    ) AS place FROM job_queue
                ) AS placed WHERE place > 10
            )",
        "DROP INDEX job_queue_waiting",
        "CREATE INDEX job_queue_waiting ON job_queue (available_at, execution_id)
            WHERE worker IS NULL AND seated",
        "CREATE INDEX job_queue_seats ON job_queue (organization_id, worker, seated) WHERE seated",
        "CREATE INDEX job_queue_standing
            ON job_queue (organization_id, available_at, execution_id, seated)
            WHERE NOT seated",
        "CREATE INDEX executions_finished ON executions (organization_id, finished_at, id)
            WHERE finished_at IS NOT NULL",
        "CREATE INDEX refresh_tokens_expiry ON refresh_tokens (organization_id, expires_at)",
    ],
    down: &[
        "DROP INDEX refresh_tokens_expiry",
        "DROP INDEX executions_finished",
        "DROP INDEX job_queue_standing",
        "DROP INDEX job_queue_seats",
        "DROP INDEX job_queue_waiting",
        "CREATE INDEX job_queue_waiting ON job_queue (available_at, execution_id)
            WHERE worker IS NULL",
        "ALTER TABLE job_queue DROP COLUMN seated",
        "ALTER TABLE organizations DROP COLUMN max_concurrent",
        "DROP TABLE settings_history",
    ],
    tenant_tables: &["settings_history"],
    append_only: &["settings_history"],
    rewrites: &["job_queue"],
    seeds: Vec::new,
};
