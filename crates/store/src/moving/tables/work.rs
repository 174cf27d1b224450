//! Executions, what they said, and the queue.

use super::{MEDIUM, SMALL, Table, When, boolean, int, text, uuid};

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "executions",
        columns: &[
            uuid("id"),
            text("workflow"),
            text("status"),
            text("inputs_json"),
            text("result_json"),
            text("error_json"),
            text("modules_json"),
            int("attempt"),
            int("timeout_seconds"),
            text("requested_by"),
            uuid("requested_by_user"),
            text("idempotency_key"),
            int("created_at"),
            int("started_at"),
            int("finished_at"),
        ],
        key: &["id"],
        rows: MEDIUM,
        when: When::Early,
        travels: true,
        count: "SELECT COUNT(*) AS rows FROM executions WHERE organization_id = $1",
        page: "SELECT id, workflow, status, inputs_json, result_json, error_json, modules_json,
            attempt, timeout_seconds, requested_by, requested_by_user,
            idempotency_key, created_at, started_at, finished_at FROM executions
            WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        insert: "INSERT INTO executions (organization_id, id, workflow, status, inputs_json,
            result_json, error_json, modules_json, attempt, timeout_seconds,
            requested_by, requested_by_user, idempotency_key, created_at,
            started_at, finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
            $10, $11, $12, $13, $14, $15, $16)",
    },
    Table {
        name: "execution_logs",
        columns: &[uuid("execution_id"), int("seq"), int("time"), text("level"), text("message")],
        key: &["execution_id", "seq"],
        rows: SMALL,
        when: When::Early,
        travels: true,
        count: "SELECT COUNT(*) AS rows FROM execution_logs WHERE organization_id = $1",
        page: "SELECT execution_id, seq, time, level, message FROM execution_logs WHERE
            organization_id = $1 AND (execution_id, seq) > ($2, $3) ORDER BY
            execution_id, seq LIMIT $4",
        insert: "INSERT INTO execution_logs (organization_id, execution_id, seq, time, level,
            message) VALUES ($1, $2, $3, $4, $5, $6)",
    },
    Table {
        name: "job_queue",
        columns: &[
            uuid("execution_id"),
            int("available_at"),
            int("attempt"),
            int("max_attempts"),
            boolean("cancel_requested"),
            uuid("worker"),
            int("lease_until"),
            boolean("seated"),
        ],
        key: &["execution_id"],
        rows: SMALL,
        when: When::Last,
        travels: true,
        count: "SELECT COUNT(*) AS rows FROM job_queue WHERE organization_id = $1",
        page: "SELECT execution_id, available_at, attempt, max_attempts, cancel_requested,
            worker, lease_until, seated FROM job_queue WHERE organization_id =
            $1 AND execution_id > $2 ORDER BY execution_id LIMIT $3",
        insert: "INSERT INTO job_queue (organization_id, execution_id, available_at, attempt,
            max_attempts, cancel_requested, worker, lease_until, seated) VALUES
            ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    },
];
