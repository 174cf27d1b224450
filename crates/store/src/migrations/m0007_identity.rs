//! Keys for programs, sessions of the console, and the link that sets an installation up.

use super::Step;

pub(super) const STEP: Step = Step {
    name: "m0007_identity",
    up: &[
        "CREATE TABLE api_keys (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            id uuid NOT NULL,
            hash text NOT NULL,
            prefix text NOT NULL,
            name text NOT NULL,
            role text NOT NULL CHECK (role IN ('viewer', 'ops', 'admin')),
            created_at bigint NOT NULL,
            created_by text NOT NULL,
            expires_at bigint,
            last_used_at bigint,
            PRIMARY KEY (organization_id, id),
            UNIQUE (organization_id, hash)
        )",
        "CREATE TABLE console_sessions (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            hash text NOT NULL,
            user_id uuid NOT NULL,
            epoch bigint NOT NULL,
            created_at bigint NOT NULL,
            seen_at bigint NOT NULL,
            ends_at bigint NOT NULL,
            acting_in uuid,
            acting_reason text,
            PRIMARY KEY (organization_id, hash),
            FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
                ON DELETE CASCADE
        )",
        "CREATE INDEX console_sessions_user ON console_sessions (organization_id, user_id)",
        "CREATE TABLE setup_links (
            organization_id uuid NOT NULL PRIMARY KEY
                REFERENCES organizations (id) ON DELETE RESTRICT,
            hash text NOT NULL,
            expires_at bigint NOT NULL
        )",
    ],
    down: &["DROP TABLE setup_links", "DROP TABLE console_sessions", "DROP TABLE api_keys"],
    tenant_tables: &["api_keys", "console_sessions", "setup_links"],
    append_only: &[],
    rewrites: &[],
    seeds: Vec::new,
};
