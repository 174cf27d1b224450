//! Overrides: what of Global each one began from, and which of Global's files are held.

use super::Step;

/// - `workspace_files.base_version` and `base_hash` say which of Global's versions was current when
///   the organization's file began. The hash tells whether it is still that content: an
///   organization can have come from another instance.
/// - What is there already began from the version that was current when the first of its versions
///   since the last deletion was written.
/// - A row of `file_pins` is a file of Global that the organization holds at a version;
///   `pinned_workflows` has the workflows that are in that version.
pub(super) const STEP: Step = Step {
    name: "m0013_overrides",
    up: &[
        "ALTER TABLE workspace_files ADD COLUMN base_version bigint",
        "ALTER TABLE workspace_files ADD COLUMN base_hash text",
        "UPDATE workspace_files SET base_version = (
            SELECT MAX(theirs.version) FROM workspace_file_versions AS theirs
            WHERE theirs.organization_id = (SELECT id FROM organizations WHERE slug = 'global')
                AND theirs.path = workspace_files.path
                AND theirs.created_at <= (
                    SELECT MIN(ours.created_at) FROM workspace_file_versions AS ours
                    WHERE ours.organization_id = workspace_files.organization_id
                        AND ours.path = workspace_files.path
                        AND ours.version > COALESCE((
                            SELECT MAX(gone.version) FROM workspace_file_versions AS gone
                            WHERE gone.organization_id = workspace_files.organization_id
                                AND gone.path = workspace_files.path AND gone.hash IS NULL), 0)))
            WHERE organization_id <> (SELECT id FROM organizations WHERE slug = 'global')",
        "UPDATE workspace_files SET base_hash = (
            SELECT theirs.hash FROM workspace_file_versions AS theirs
            WHERE theirs.organization_id = (SELECT id FROM organizations WHERE slug = 'global')
                AND theirs.path = workspace_files.path
                AND theirs.version = workspace_files.base_version)
            WHERE base_version IS NOT NULL",
        "UPDATE workspace_files SET base_version = NULL WHERE base_hash IS NULL",
        "CREATE TABLE file_pins (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            path text NOT NULL,
            version bigint NOT NULL,
            hash text NOT NULL,
            size bigint NOT NULL,
            updated_by text NOT NULL,
            updated_at bigint NOT NULL,
            PRIMARY KEY (organization_id, path)
        )",
        "CREATE TABLE pinned_workflows (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            path text NOT NULL,
            name text NOT NULL,
            function text NOT NULL,
            line bigint NOT NULL,
            description text NOT NULL,
            is_async boolean NOT NULL,
            parameters_json text NOT NULL,
            options_json text NOT NULL,
            scheduled boolean NOT NULL,
            PRIMARY KEY (organization_id, name),
            FOREIGN KEY (organization_id, path) REFERENCES file_pins (organization_id, path)
                ON DELETE CASCADE
        )",
        "CREATE INDEX pinned_workflows_path ON pinned_workflows (organization_id, path)",
    ],
    down: &[
        "DROP TABLE pinned_workflows",
        "DROP TABLE file_pins",
        "ALTER TABLE workspace_files DROP COLUMN base_hash",
        "ALTER TABLE workspace_files DROP COLUMN base_version",
    ],
    tenant_tables: &["file_pins", "pinned_workflows"],
    append_only: &[],
    rewrites: &["workspace_files", "workspace_file_versions", "organizations"],
    seeds: Vec::new,
};
