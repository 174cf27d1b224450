//! The import that is under way, or the last one.

use super::Step;

/// One row at most. `section_at` and `next_at` are places in the file.
pub(super) const STEP: Step = Step {
    name: "m0010_imports",
    up: &["CREATE TABLE imports (
            id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
            file text NOT NULL,
            target uuid,
            slug text,
            started_at bigint NOT NULL,
            section_at bigint NOT NULL,
            next_at bigint NOT NULL,
            rows_left bigint NOT NULL,
            beside_others boolean NOT NULL,
            finished boolean NOT NULL
        )"],
    down: &["DROP TABLE imports"],
    tenant_tables: &[],
    append_only: &[],
    rewrites: &[],
    seeds: Vec::new,
};
