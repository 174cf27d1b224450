//! The audit, one chain per organization, and the mark of an organization that is being purged.

use super::Step;

pub(super) const STEP: Step = Step {
    name: "m0004_audit",
    up: &[
        "ALTER TABLE organizations ADD COLUMN purge_started_at bigint",
        "CREATE TABLE audit_log (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            seq bigint NOT NULL,
            at bigint NOT NULL,
            actor_kind text NOT NULL,
            actor_id uuid,
            actor text NOT NULL,
            acting_from uuid,
            reason text,
            action text NOT NULL,
            object text NOT NULL,
            verdict text NOT NULL,
            detail_json text NOT NULL,
            hash text NOT NULL,
            PRIMARY KEY (organization_id, seq)
        )",
        "CREATE INDEX audit_log_action ON audit_log (organization_id, action, seq)",
        "CREATE TABLE audit_heads (
            organization_id uuid NOT NULL PRIMARY KEY
                REFERENCES organizations (id) ON DELETE RESTRICT,
            seq bigint NOT NULL,
            hash text NOT NULL
        )",
    ],
    down: &[
        "DROP TABLE audit_heads",
        "DROP TABLE audit_log",
        "ALTER TABLE organizations DROP COLUMN purge_started_at",
    ],
    tenant_tables: &["audit_log", "audit_heads"],
    append_only: &["audit_log"],
    rewrites: &[],
    seeds: Vec::new,
};
