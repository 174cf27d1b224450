//! Purging an organization: every row of it in every table, in batches, whatever interrupts.
//!
//! An organization that is being purged is marked and suspended first, so that a server that dies
//! in between finds it at its next start and goes on.

use crate::{Organization, StoreError, System, engine, row::FromRow};
use domain::{Access, OrganizationId, Scope, Timestamp, audit::Event};
use serde_json::json;
use uuid::Uuid;

/// Why a purge did not begin.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// No such organization.
    #[error("there is no such organization")]
    NotThere,
    /// Neither Global nor the provider can go.
    #[error("the provider organization cannot be deleted")]
    Provider,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct IdRow {
    id: Uuid,
}

/// Rows that one transaction removes, so that others can write in between.
const BATCH: i64 = 500;

/// How often all tables are gone through. Nothing new can begin in a suspended organization, so
/// that a second time is enough; more means that a table is not on the list.
const TRIES: u32 = 20;

const MARK: &str = "UPDATE organizations SET status = 'suspended', purge_started_at = $2
    WHERE id = $1 AND purge_started_at IS NULL";
const MARKED: &str = "SELECT id FROM organizations WHERE purge_started_at IS NOT NULL";
const REMOVE: &str = "DELETE FROM organizations WHERE id = $1 AND purge_started_at IS NOT NULL";
/// Where the provider's people act in it: their sessions end, and with them what names it.
const END_ACTING: &str =
    "DELETE FROM console_sessions WHERE organization_id = $1 AND acting_in = $2";

/// Every table with rows of organizations and the statement that removes some of one of them, in
/// the order that the foreign keys allow. A test holds the tables equal to the guard's catalog.
pub const STATEMENTS: &[(&str, &str)] = &[
    // Without its lane nothing of it is claimed any more.
    (
        "queue_lanes",
        "DELETE FROM queue_lanes WHERE organization_id = $1 AND virtual_time IN (
            SELECT these.virtual_time FROM queue_lanes AS these WHERE these.organization_id = $1
            LIMIT $2)",
    ),
    (
        "job_queue",
        "DELETE FROM job_queue WHERE organization_id = $1 AND execution_id IN (
            SELECT these.execution_id FROM job_queue AS these WHERE these.organization_id = $1
            LIMIT $2)",
    ),
    (
        "execution_logs",
        "DELETE FROM execution_logs WHERE organization_id = $1 AND (execution_id, seq) IN (
            SELECT these.execution_id, these.seq FROM execution_logs AS these
            WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "execution_files",
        "DELETE FROM execution_files WHERE organization_id = $1 AND (execution_id, name) IN (
            SELECT these.execution_id, these.name FROM execution_files AS these
            WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "workflow_state",
        "DELETE FROM workflow_state WHERE organization_id = $1 AND (workflow, key) IN (
            SELECT these.workflow, these.key FROM workflow_state AS these
            WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "executions",
        "DELETE FROM executions WHERE organization_id = $1 AND id IN (
            SELECT these.id FROM executions AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "schedule_checks",
        "DELETE FROM schedule_checks WHERE organization_id = $1 AND organization_id IN (
            SELECT these.organization_id FROM schedule_checks AS these
            WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "schedule_ticks",
        "DELETE FROM schedule_ticks WHERE organization_id = $1 AND schedule_id IN (
            SELECT these.schedule_id FROM schedule_ticks AS these WHERE these.organization_id = $1
            LIMIT $2)",
    ),
    (
        "schedules",
        "DELETE FROM schedules WHERE organization_id = $1 AND id IN (
            SELECT these.id FROM schedules AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "workflows",
        "DELETE FROM workflows WHERE organization_id = $1 AND name IN (
            SELECT these.name FROM workflows AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "pinned_workflows",
        "DELETE FROM pinned_workflows WHERE organization_id = $1 AND name IN (
            SELECT these.name FROM pinned_workflows AS these WHERE these.organization_id = $1
            LIMIT $2)",
    ),
    (
        "file_pins",
        "DELETE FROM file_pins WHERE organization_id = $1 AND path IN (
            SELECT these.path FROM file_pins AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "workspace_files",
        "DELETE FROM workspace_files WHERE organization_id = $1 AND path IN (
            SELECT these.path FROM workspace_files AS these WHERE these.organization_id = $1
            LIMIT $2)",
    ),
    (
        "workspace_file_versions",
        "DELETE FROM workspace_file_versions WHERE organization_id = $1 AND (path, version) IN (
            SELECT these.path, these.version FROM workspace_file_versions AS these
            WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "environment_locks",
        "DELETE FROM environment_locks WHERE organization_id = $1 AND requirements_hash IN (
            SELECT these.requirements_hash FROM environment_locks AS these
            WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "config_values",
        "DELETE FROM config_values WHERE organization_id = $1 AND key IN (
            SELECT these.key FROM config_values AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    // Without its data keys nothing that was sealed for the organization opens any more.
    (
        "data_keys",
        "DELETE FROM data_keys WHERE organization_id = $1 AND id IN (
            SELECT these.id FROM data_keys AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "settings_history",
        "DELETE FROM settings_history WHERE organization_id = $1 AND version IN (
            SELECT these.version FROM settings_history AS these WHERE these.organization_id = $1
            LIMIT $2)",
    ),
    (
        "console_sessions",
        "DELETE FROM console_sessions WHERE organization_id = $1 AND hash IN (
            SELECT these.hash FROM console_sessions AS these WHERE these.organization_id = $1
            LIMIT $2)",
    ),
    (
        "setup_links",
        "DELETE FROM setup_links WHERE organization_id = $1 AND hash IN (
            SELECT these.hash FROM setup_links AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "refresh_tokens",
        "DELETE FROM refresh_tokens WHERE organization_id = $1 AND hash IN (
            SELECT these.hash FROM refresh_tokens AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "api_keys",
        "DELETE FROM api_keys WHERE organization_id = $1 AND id IN (
            SELECT these.id FROM api_keys AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "users",
        "DELETE FROM users WHERE organization_id = $1 AND id IN (
            SELECT these.id FROM users AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "audit_log",
        "DELETE FROM audit_log WHERE organization_id = $1 AND seq IN (
            SELECT these.seq FROM audit_log AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
    (
        "audit_heads",
        "DELETE FROM audit_heads WHERE organization_id = $1 AND seq IN (
            SELECT these.seq FROM audit_heads AS these WHERE these.organization_id = $1 LIMIT $2)",
    ),
];

/// Those of some tables.
pub(crate) fn statements_of<const N: usize>(
    tables: [&str; N],
) -> impl Iterator<Item = &'static str> {
    STATEMENTS.iter().filter(move |(table, _)| tables.contains(table)).map(|(_, sql)| *sql)
}

const PROVIDER: Scope = Scope::Organization(OrganizationId::PROVIDER);

impl System {
    /// Suspends an organization and marks it as one that goes; from here on there is no way back.
    /// The one thing that stays is the entry in the provider's audit.
    pub async fn begin_purge(
        &self,
        id: OrganizationId,
        by: &Access,
        now: Timestamp,
    ) -> Result<(), PurgeError> {
        let scope = Scope::from_column(id.0);
        if scope == Scope::Global {
            return Err(PurgeError::NotThere);
        }
        let found = self.organization(scope).await?.ok_or(PurgeError::NotThere)?;
        if found.is_provider {
            return Err(PurgeError::Provider);
        }
        let Organization { slug, name, .. } = found;
        let write = self.write(scope).await?;
        // Marked already means told already.
        if write.system().run(MARK, [id.0.into(), now.0.into()]).await? > 0 {
            let event =
                Event::done("organization.purge", slug.as_str()).with(json!({ "name": name }));
            write.audit(PROVIDER, by.actor(), event, now).await?;
        }
        write.commit().await?;
        Ok(())
    }

    /// Removes everything of a marked organization and then itself. May be interrupted and called
    /// again, and by several processes.
    pub async fn purge(&self, id: OrganizationId) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            self.remove_rows(id).await?;
            if self.remove_organization(id).await? {
                return self.forget_removed().await;
            }
            // A request that had begun before wrote once more.
        }
        Err(StoreError::unreadable("purge", "rows refer to the organization that no purge knows"))
    }

    /// Organizations whose purge began and did not end.
    pub async fn purges(&self) -> Result<Vec<OrganizationId>, StoreError> {
        let rows = self.gate().all::<IdRow, 0>(MARKED, []).await?;
        Ok(rows.into_iter().map(|row| OrganizationId(row.id)).collect())
    }

    async fn remove_rows(&self, id: OrganizationId) -> Result<(), StoreError> {
        let scope = Scope::Organization(id);
        for (_, sql) in STATEMENTS {
            loop {
                let write = self.write(scope).await?;
                let gate = write.tenant(scope);
                let removed = gate.run(sql, [id.0.into(), BATCH.into()]).await?;
                write.commit().await?;
                if removed < BATCH as u64 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether it is gone; not while rows refer to it.
    async fn remove_organization(&self, id: OrganizationId) -> Result<bool, StoreError> {
        let write = self.write(Scope::Organization(id)).await?;
        let ended = [PROVIDER.column().into(), id.0.into()];
        write.tenant(PROVIDER).run(END_ACTING, ended).await?;
        write.forget_import(id.0).await?;
        match write.system().run(REMOVE, [id.0.into()]).await {
            Ok(_) => write.commit().await.map(|()| true),
            Err(StoreError::Database(error)) if engine::is_foreign_key(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
