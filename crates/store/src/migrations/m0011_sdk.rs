//! What runs do with the SDK: children, lent places, progress, typed results, files, state.

use super::Step;

/// - `executions.provider` is the data provider that a run asks instead of its workflow.
/// - `job_queue.lent` is 0 for a run that holds its place, 1 for one that waits for another run and
///   has lent it, 2 for one that wants it back. `lent_at` is since when.
/// - `queue_lanes.lent` counts the first kind, `coming_back` the second; those count as `running`.
pub(super) const STEP: Step = Step {
    name: "m0011_sdk",
    up: &[
        "ALTER TABLE executions ADD COLUMN parent_id uuid",
        "ALTER TABLE executions ADD COLUMN depth bigint NOT NULL DEFAULT 0",
        "ALTER TABLE executions ADD COLUMN provider text",
        "ALTER TABLE executions ADD COLUMN progress_json text",
        "ALTER TABLE executions ADD COLUMN result_type text",
        "CREATE INDEX executions_parent ON executions (organization_id, parent_id)
            WHERE parent_id IS NOT NULL",
        "ALTER TABLE job_queue ADD COLUMN lent bigint NOT NULL DEFAULT 0",
        "ALTER TABLE job_queue ADD COLUMN lent_at bigint NOT NULL DEFAULT 0",
        "ALTER TABLE queue_lanes ADD COLUMN lent bigint NOT NULL DEFAULT 0",
        "ALTER TABLE queue_lanes ADD COLUMN coming_back bigint NOT NULL DEFAULT 0",
        "CREATE TABLE execution_files (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            execution_id uuid NOT NULL,
            name text NOT NULL,
            type text NOT NULL,
            size bigint NOT NULL,
            content bytea NOT NULL,
            created_at bigint NOT NULL,
            PRIMARY KEY (organization_id, execution_id, name),
            FOREIGN KEY (organization_id, execution_id) REFERENCES executions (organization_id, id)
                ON DELETE CASCADE
        )",
        "CREATE TABLE workflow_state (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            workflow text NOT NULL,
            key text NOT NULL,
            value_json text NOT NULL,
            version bigint NOT NULL,
            updated_at bigint NOT NULL,
            PRIMARY KEY (organization_id, workflow, key)
        )",
    ],
    down: &[
        "DROP TABLE workflow_state",
        "DROP TABLE execution_files",
        "UPDATE queue_lanes SET running = running + lent",
        "ALTER TABLE queue_lanes DROP COLUMN coming_back",
        "ALTER TABLE queue_lanes DROP COLUMN lent",
        "ALTER TABLE job_queue DROP COLUMN lent_at",
        "ALTER TABLE job_queue DROP COLUMN lent",
        "DROP INDEX executions_parent",
        "ALTER TABLE executions DROP COLUMN result_type",
        "ALTER TABLE executions DROP COLUMN progress_json",
        "ALTER TABLE executions DROP COLUMN provider",
        "ALTER TABLE executions DROP COLUMN depth",
        "ALTER TABLE executions DROP COLUMN parent_id",
    ],
    tenant_tables: &["execution_files", "workflow_state"],
    append_only: &[],
    rewrites: &["queue_lanes"],
    seeds: Vec::new,
};
