//! Executions, their logs, and the queue.

use super::Step;

/// `job_queue` has no tenant content: ids, a time, a lease. The scheduler may read all of it.
pub(super) const STEP: Step = Step {
    name: "m0003_executions",
    up: &[
        "CREATE TABLE executions (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            id uuid NOT NULL,
            workflow text NOT NULL,
            status text NOT NULL,
            inputs_json text NOT NULL,
            result_json text,
            error_json text,
            modules_json text NOT NULL,
            attempt bigint NOT NULL,
            timeout_seconds bigint,
            requested_by text NOT NULL,
            requested_by_user uuid,
            idempotency_key text,
            created_at bigint NOT NULL,
            started_at bigint,
            finished_at bigint,
            PRIMARY KEY (organization_id, id),
            UNIQUE (organization_id, idempotency_key)
        )",
        "CREATE INDEX executions_status ON executions (organization_id, status, id)",
        "CREATE INDEX executions_workflow ON executions (organization_id, workflow, id)",
        "CREATE TABLE execution_logs (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            execution_id uuid NOT NULL,
            seq bigint NOT NULL,
            time bigint NOT NULL,
            level text NOT NULL,
            message text NOT NULL,
            PRIMARY KEY (organization_id, execution_id, seq),
            FOREIGN KEY (organization_id, execution_id) REFERENCES executions (organization_id, id)
                ON DELETE CASCADE
        )",
        "CREATE TABLE job_queue (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            execution_id uuid NOT NULL,
            available_at bigint NOT NULL,
            attempt bigint NOT NULL,
            max_attempts bigint NOT NULL,
            cancel_requested boolean NOT NULL,
            worker uuid,
            lease_until bigint,
            PRIMARY KEY (organization_id, execution_id),
            FOREIGN KEY (organization_id, execution_id) REFERENCES executions (organization_id, id)
                ON DELETE CASCADE
        )",
        "CREATE INDEX job_queue_waiting ON job_queue (available_at, execution_id) WHERE worker IS NULL",
        "CREATE INDEX job_queue_leased ON job_queue (worker, lease_until) WHERE worker IS NOT NULL",
    ],
    down: &["DROP TABLE job_queue", "DROP TABLE execution_logs", "DROP TABLE executions"],
    tenant_tables: &["executions", "execution_logs", "job_queue"],
    append_only: &[],
    rewrites: &[],
    seeds: Vec::new,
};
