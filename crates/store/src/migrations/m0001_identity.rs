//! Organizations, the people in them, and their refresh tokens.

use super::Step;
use domain::{OrganizationId, Scope};
use sea_orm::Value;

pub(super) const STEP: Step = Step {
    name: "m0001_identity",
    up: &[
        "CREATE TABLE organizations (
            id uuid NOT NULL PRIMARY KEY,
            slug text NOT NULL UNIQUE,
            name text NOT NULL,
            status text NOT NULL CHECK (status IN ('active', 'suspended')),
            is_provider boolean NOT NULL,
            settings_json text NOT NULL,
            settings_version bigint NOT NULL,
            generation bigint NOT NULL,
            created_at bigint NOT NULL
        )",
        "CREATE TABLE users (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            id uuid NOT NULL,
            email text NOT NULL,
            name text NOT NULL,
            password_hash text,
            role text NOT NULL CHECK (role IN ('viewer', 'ops', 'admin')),
            active boolean NOT NULL,
            epoch bigint NOT NULL,
            created_at bigint NOT NULL,
            PRIMARY KEY (organization_id, id),
            UNIQUE (organization_id, email)
        )",
        "CREATE TABLE refresh_tokens (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            hash text NOT NULL,
            family uuid NOT NULL,
            user_id uuid NOT NULL,
            expires_at bigint NOT NULL,
            created_at bigint NOT NULL,
            used_at bigint,
            revoked_at bigint,
            PRIMARY KEY (organization_id, hash),
            FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
                ON DELETE CASCADE
        )",
        "CREATE INDEX refresh_tokens_family ON refresh_tokens (organization_id, family)",
        "CREATE INDEX refresh_tokens_user ON refresh_tokens (organization_id, user_id)",
    ],
    down: &["DROP TABLE refresh_tokens", "DROP TABLE users", "DROP TABLE organizations"],
    tenant_tables: &["users", "refresh_tokens"],
    append_only: &[],
    rewrites: &[],
    seeds,
};

/// Global and the provider are organizations from the start; neither can be created later.
fn seeds() -> Vec<(&'static str, Vec<Value>)> {
    let row = |scope: Scope, slug: &str, name: &str, is_provider: bool| {
        let values = vec![scope.column().into(), slug.into(), name.into(), is_provider.into()];
        (INSERT, values)
    };
    vec![
        row(Scope::Global, "global", "Global", false),
        row(Scope::Organization(OrganizationId::PROVIDER), "provider", "Provider", true),
    ]
}

const INSERT: &str = "INSERT INTO organizations
    (id, slug, name, status, is_provider, settings_json, settings_version, generation, created_at)
    VALUES ($1, $2, $3, 'active', $4, '{}', 1, 0, 0)";
