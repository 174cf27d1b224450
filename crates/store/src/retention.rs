//! Letting go of what an organization no longer keeps, a little at a time.

use crate::{StoreError, System};
use domain::{Scope, Timestamp};

/// How much one transaction removes at most, so that nobody waits long for it.
#[derive(Clone, Copy, Debug)]
pub struct Bite {
    /// Executions, or tokens.
    pub rows: u32,
    /// Lines of logs, before the executions they belong to.
    pub lines: u32,
}

/// What one transaction removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Executions.
    pub executions: u64,
    /// Lines of logs.
    pub lines: u64,
    /// Refresh tokens.
    pub tokens: u64,
    /// Whether there may be more.
    pub more: bool,
}

/// A log can have a hundred thousand lines; left to the cascade they would go all at once.
const LINES: &str = "DELETE FROM execution_logs
    WHERE organization_id = $1 AND (execution_id, seq) IN (
        SELECT line.execution_id, line.seq FROM execution_logs AS line
        WHERE line.organization_id = $1 AND line.execution_id IN (
            SELECT old.id FROM executions AS old
            WHERE old.organization_id = $1 AND old.finished_at < $2
            ORDER BY old.finished_at, old.id LIMIT $3)
        LIMIT $4)";
/// A file can have 16 MiB.
const FILES: &str = "DELETE FROM execution_files
    WHERE organization_id = $1 AND (execution_id, name) IN (
        SELECT file.execution_id, file.name FROM execution_files AS file
        WHERE file.organization_id = $1 AND file.execution_id IN (
            SELECT old.id FROM executions AS old
            WHERE old.organization_id = $1 AND old.finished_at < $2
            ORDER BY old.finished_at, old.id LIMIT $3)
        LIMIT $4)";
/// Files that one transaction removes at most.
const FILES_AT_ONCE: u64 = 16;
/// What waits or runs has no `finished_at`.
const EXECUTIONS: &str = "DELETE FROM executions
    WHERE organization_id = $1 AND id IN (
        SELECT old.id FROM executions AS old
        WHERE old.organization_id = $1 AND old.finished_at < $2
        ORDER BY old.finished_at, old.id LIMIT $3)";
const TOKENS: &str = "DELETE FROM refresh_tokens
    WHERE organization_id = $1 AND hash IN (
        SELECT old.hash FROM refresh_tokens AS old
        WHERE old.organization_id = $1 AND old.expires_at < $2 LIMIT $3)";

impl System {
    /// Removes a bite of the executions of `owner` that ended before `before`, oldest first. What
    /// waits or runs stays, however old it is.
    pub async fn remove_executions(
        &self,
        owner: Scope,
        before: Timestamp,
        bite: Bite,
    ) -> Result<Removed, StoreError> {
        let key = || [owner.column().into(), before.0.into(), i64::from(bite.rows).into()];
        let write = self.write(owner).await?;
        let gate = write.tenant(owner);
        let [id, time, rows] = key();
        let lines = gate.run(LINES, [id, time, rows, i64::from(bite.lines).into()]).await?;
        if lines >= u64::from(bite.lines) {
            write.commit().await?;
            return Ok(Removed { lines, more: true, ..Removed::default() });
        }
        let [id, time, rows] = key();
        let files = gate.run(FILES, [id, time, rows, (FILES_AT_ONCE as i64).into()]).await?;
        if files >= FILES_AT_ONCE {
            write.commit().await?;
            return Ok(Removed { lines, more: true, ..Removed::default() });
        }
        let executions = gate.run(EXECUTIONS, key()).await?;
        write.commit().await?;
        let more = executions >= u64::from(bite.rows);
        Ok(Removed { executions, lines, more, ..Removed::default() })
    }

    /// Removes a bite of the refresh tokens of `owner` that ran out before `before`.
    pub async fn remove_refresh_tokens(
        &self,
        owner: Scope,
        before: Timestamp,
        bite: Bite,
    ) -> Result<Removed, StoreError> {
        let values = [owner.column().into(), before.0.into(), i64::from(bite.rows).into()];
        let write = self.write(owner).await?;
        let tokens = write.tenant(owner).run(TOKENS, values).await?;
        write.commit().await?;
        Ok(Removed { tokens, more: tokens >= u64::from(bite.rows), ..Removed::default() })
    }
}
