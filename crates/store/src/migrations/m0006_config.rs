//! Configuration values, the data keys that seal the secret ones, and the check of the master key.

use super::Step;

pub(super) const STEP: Step = Step {
    name: "m0006_config",
    up: &[
        "CREATE TABLE master_key_check (
            id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
            sealed bytea NOT NULL,
            updated_at bigint NOT NULL
        )",
        "CREATE TABLE data_keys (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            id uuid NOT NULL,
            wrapped bytea NOT NULL,
            created_at bigint NOT NULL,
            PRIMARY KEY (organization_id, id)
        )",
        // A deleted value leaves its row with the version, so that a value which is made anew never
        // has an entity tag that somebody remembers of the old one.
        "CREATE TABLE config_values (
            organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
            key text NOT NULL,
            version bigint NOT NULL,
            deleted boolean NOT NULL,
            secret boolean NOT NULL,
            value_json text,
            sealed bytea,
            key_id uuid,
            updated_by text NOT NULL,
            updated_at bigint NOT NULL,
            PRIMARY KEY (organization_id, key),
            FOREIGN KEY (organization_id, key_id) REFERENCES data_keys (organization_id, id)
                ON DELETE RESTRICT,
            CHECK ((value_json IS NOT NULL) = (NOT deleted AND NOT secret)),
            CHECK ((sealed IS NOT NULL) = (NOT deleted AND secret)),
            CHECK ((key_id IS NOT NULL) = (sealed IS NOT NULL))
        )",
        "CREATE INDEX config_values_key_id ON config_values (organization_id, key_id)",
    ],
    down: &["DROP TABLE config_values", "DROP TABLE data_keys", "DROP TABLE master_key_check"],
    tenant_tables: &["data_keys", "config_values"],
    append_only: &[],
    rewrites: &[],
    seeds: Vec::new,
};
