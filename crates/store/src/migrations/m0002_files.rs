//! Workspace files with all their versions, and the workflows found in them.

use super::Step;

pub(super) const STEP: Step = Step {
    name: "m0002_files",
    up: &[
        "CREATE TABLE workspace_file_versions (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            path text NOT NULL,
            version bigint NOT NULL,
            hash text,
            size bigint NOT NULL,
            content bytea,
            message text,
            source text NOT NULL,
            author text NOT NULL,
            created_at bigint NOT NULL,
            PRIMARY KEY (organization_id, path, version)
        )",
        "CREATE TABLE workspace_files (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            path text NOT NULL,
            folded text NOT NULL,
            version bigint NOT NULL,
            hash text NOT NULL,
            size bigint NOT NULL,
            source text NOT NULL,
            updated_by text NOT NULL,
            updated_at bigint NOT NULL,
            PRIMARY KEY (organization_id, path),
            UNIQUE (organization_id, folded),
            FOREIGN KEY (organization_id, path, version)
                REFERENCES workspace_file_versions (organization_id, path, version)
                ON DELETE RESTRICT
        )",
        "CREATE TABLE workflows (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            name text NOT NULL,
            path text NOT NULL,
            function text NOT NULL,
            line bigint NOT NULL,
            description text NOT NULL,
            is_async boolean NOT NULL,
            parameters_json text NOT NULL,
            options_json text NOT NULL,
            PRIMARY KEY (organization_id, name),
            FOREIGN KEY (organization_id, path) REFERENCES workspace_files (organization_id, path)
                ON DELETE CASCADE
        )",
        "CREATE INDEX workflows_path ON workflows (organization_id, path)",
    ],
    down: &[
        "DROP TABLE workflows",
        "DROP TABLE workspace_files",
        "DROP TABLE workspace_file_versions",
    ],
    tenant_tables: &["workspace_file_versions", "workspace_files", "workflows"],
    append_only: &[],
    rewrites: &[],
    seeds: Vec::new,
};
