//! Lanes of the queue, priorities, delayed starts and retries; seats go.

use super::Step;

/// `queue_lanes` has a row for every organization from its creation on: what it was given, what it
/// may have and what it has in the queue. `weight` and `max_concurrent` repeat its settings.
pub(super) const STEP: Step = Step {
    name: "m0008_queue",
    up: &[
        "ALTER TABLE executions ADD COLUMN priority bigint NOT NULL DEFAULT 0",
        "ALTER TABLE executions ADD COLUMN start_at bigint",
        "DROP INDEX job_queue_waiting",
        "DROP INDEX job_queue_seats",
        "DROP INDEX job_queue_standing",
        "ALTER TABLE job_queue DROP COLUMN seated",
        "ALTER TABLE job_queue ADD COLUMN priority bigint NOT NULL DEFAULT 0",
        "ALTER TABLE job_queue ADD COLUMN delayed boolean NOT NULL DEFAULT FALSE",
        "ALTER TABLE job_queue ADD COLUMN retries bigint NOT NULL DEFAULT 0",
        "ALTER TABLE job_queue ADD COLUMN retry_delay bigint NOT NULL DEFAULT 0",
        "ALTER TABLE job_queue ADD COLUMN charged bigint NOT NULL DEFAULT 0",
        "ALTER TABLE job_queue ADD COLUMN claimed_at bigint NOT NULL DEFAULT 0",
        "CREATE INDEX job_queue_waiting
            ON job_queue (organization_id, priority DESC, available_at, execution_id)
            WHERE worker IS NULL AND NOT delayed",
        "CREATE INDEX job_queue_delayed ON job_queue (available_at, organization_id, execution_id)
            WHERE delayed",
        "CREATE TABLE queue_lanes (
            organization_id uuid NOT NULL PRIMARY KEY
                REFERENCES organizations (id) ON DELETE RESTRICT,
            virtual_time bigint NOT NULL,
            weight bigint NOT NULL CHECK (weight > 0),
            max_concurrent bigint NOT NULL,
            waiting bigint NOT NULL,
            delayed bigint NOT NULL,
            running bigint NOT NULL,
            usual_cost bigint NOT NULL,
            joined boolean NOT NULL,
            eligible boolean GENERATED ALWAYS AS (waiting > 0 AND running < max_concurrent) STORED
        )",
        "INSERT INTO queue_lanes (organization_id, virtual_time, weight, max_concurrent, waiting,
            delayed, running, usual_cost, joined)
            WITH RECURSIVE weights (weight) AS (
                SELECT 1 UNION ALL SELECT weight + 1 FROM weights WHERE weight < 100)
            SELECT id, 0, COALESCE((SELECT MAX(weight) FROM weights
                    WHERE settings_json LIKE '%\"weight\":' || CAST(weight AS varchar) || '}%'
                    OR settings_json LIKE '%\"weight\":' || CAST(weight AS varchar) || ',%'), 1),
                max_concurrent,
                (SELECT COUNT(*) FROM job_queue WHERE organization_id = organizations.id
                    AND worker IS NULL),
                0,
                (SELECT COUNT(*) FROM job_queue WHERE organization_id = organizations.id
                    AND worker IS NOT NULL),
                100000, FALSE
            FROM organizations",
        "CREATE INDEX queue_lanes_eligible ON queue_lanes (virtual_time, organization_id)
            WHERE eligible",
        "CREATE INDEX queue_lanes_virtual_time ON queue_lanes (virtual_time)",
        "ALTER TABLE organizations DROP COLUMN max_concurrent",
    ],
    down: &[
        "ALTER TABLE organizations ADD COLUMN max_concurrent bigint NOT NULL DEFAULT 10",
        "UPDATE organizations SET max_concurrent = COALESCE((SELECT lane.max_concurrent
            FROM queue_lanes AS lane WHERE lane.organization_id = organizations.id), 10)",
        "DROP TABLE queue_lanes",
        "DROP INDEX job_queue_delayed",
        "DROP INDEX job_queue_waiting",
        "ALTER TABLE job_queue DROP COLUMN claimed_at",
        "ALTER TABLE job_queue DROP COLUMN charged",
        "ALTER TABLE job_queue DROP COLUMN retry_delay",
        "ALTER TABLE job_queue DROP COLUMN retries",
        "ALTER TABLE job_queue DROP COLUMN delayed",
        "ALTER TABLE job_queue DROP COLUMN priority",
        "ALTER TABLE job_queue ADD COLUMN seated boolean NOT NULL DEFAULT TRUE",
        "UPDATE job_queue SET seated = FALSE
            WHERE worker IS NULL AND (organization_id, execution_id) IN (
                SELECT placed.organization_id, placed.execution_id FROM (
                    SELECT organization_id, execution_id, row_number() OVER (
                        PARTITION BY organization_id
                        ORDER BY CASE WHEN worker IS NULL THEN 1 ELSE 0 END,
                            available_at, execution_id
                    ) AS place FROM job_queue
                ) AS placed JOIN organizations ON organizations.id = placed.organization_id
                WHERE placed.place > organizations.max_concurrent
            )",
        "CREATE INDEX job_queue_waiting ON job_queue (available_at, execution_id)
            WHERE worker IS NULL AND seated",
        "CREATE INDEX job_queue_seats ON job_queue (organization_id, worker, seated) WHERE seated",
        "CREATE INDEX job_queue_standing
            ON job_queue (organization_id, available_at, execution_id, seated)
            WHERE NOT seated",
        "ALTER TABLE executions DROP COLUMN start_at",
        "ALTER TABLE executions DROP COLUMN priority",
    ],
    tenant_tables: &["queue_lanes"],
    append_only: &[],
    rewrites: &["organizations", "job_queue"],
    seeds: Vec::new,
};
