//! Environments: which packages each `requirements.txt` came to, the same on every server.

use super::Step;

/// A row for each content that the file of a scope has had, by its hash.
///
/// - `current` is the one that the file has now; none is when there is no file.
/// - `lock_text` has each package with its version and hashes, as resolved once.
/// - `built_at` is when a server last had it whole; without it nobody ever had.
pub(super) const STEP: Step = Step {
    name: "m0012_environments",
    up: &["CREATE TABLE environment_locks (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            requirements_hash text NOT NULL,
            version bigint NOT NULL,
            current boolean NOT NULL,
            status text NOT NULL,
            lock_text text,
            progress text,
            error text,
            used_at bigint NOT NULL,
            built_at bigint,
            updated_at bigint NOT NULL,
            PRIMARY KEY (organization_id, requirements_hash)
        )"],
    down: &["DROP TABLE environment_locks"],
    tenant_tables: &["environment_locks"],
    append_only: &[],
    rewrites: &[],
    seeds: Vec::new,
};
