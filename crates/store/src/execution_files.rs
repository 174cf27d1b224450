//! Files that an execution leaves: results too large to stand in it, and what is to be downloaded.

use crate::{Scoped, StoreError, row::FromRow};
use domain::{ExecutionId, Timestamp};
use uuid::Uuid;

/// Bytes of one file of an execution.
pub const MAX_EXECUTION_FILE: usize = 16 * 1024 * 1024;

/// A file without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionFile {
    /// Its name within the execution.
    pub name: String,
    /// Its content type, as the workflow said.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// When it was kept.
    pub created_at: Timestamp,
}

/// A file to be kept.
#[derive(Clone, Debug)]
pub struct NewExecutionFile<'a> {
    /// Replaces what has this name.
    pub name: &'a str,
    /// Its content type.
    pub media_type: &'a str,
    /// At most [`MAX_EXECUTION_FILE`] bytes.
    pub content: Vec<u8>,
    /// Bytes that all files of the execution may have.
    pub max_bytes: u64,
    /// The present.
    pub now: Timestamp,
}

#[derive(FromRow)]
struct Row {
    name: String,
    r#type: String,
    size: i64,
    created_at: i64,
}

#[derive(FromRow)]
struct ContentRow {
    r#type: String,
    content: Vec<u8>,
}

#[derive(FromRow)]
struct Sum {
    bytes: Option<i64>,
}

#[derive(FromRow)]
struct Existing {
    #[expect(dead_code, reason = "that there is a row is the answer")]
    id: Uuid,
}

const EXECUTION: &str = "SELECT id FROM executions WHERE organization_id = $1 AND id = $2";
const PAGE: &str = "SELECT name, type, size, created_at FROM execution_files
    WHERE organization_id = $1 AND execution_id = $2 AND name > $3 ORDER BY name LIMIT $4";
const CONTENT: &str = "SELECT type, content FROM execution_files
    WHERE organization_id = $1 AND execution_id = $2 AND name = $3";
const OTHERS: &str = "SELECT CAST(SUM(size) AS bigint) AS bytes FROM execution_files
    WHERE organization_id = $1 AND execution_id = $2 AND name <> $3";
const KEEP: &str = "INSERT INTO execution_files
    (organization_id, execution_id, name, type, size, content, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (organization_id, execution_id, name) DO UPDATE
    SET type = $4, size = $5, content = $6, created_at = $7";

impl Scoped {
    /// Files of an execution by name, after `after`; `None` when there is no such execution.
    pub async fn execution_files(
        &self,
        id: ExecutionId,
        after: &str,
        limit: u32,
    ) -> Result<Option<Vec<ExecutionFile>>, StoreError> {
        let owner = self.scope().column();
        let known = self.gate().one::<Existing, 2>(EXECUTION, [owner.into(), id.0.into()]).await?;
        if known.is_none() {
            return Ok(None);
        }
        let values = [owner.into(), id.0.into(), after.into(), i64::from(limit).into()];
        let rows = self.gate().all::<Row, 4>(PAGE, values).await?;
        Ok(Some(rows.into_iter().map(Into::into).collect()))
    }

    /// The type and content of one file.
    pub async fn execution_file(
        &self,
        id: ExecutionId,
        name: &str,
    ) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        let values = [self.scope().column().into(), id.0.into(), name.into()];
        let row = self.gate().one::<ContentRow, 3>(CONTENT, values).await?;
        Ok(row.map(|row| (row.r#type, row.content)))
    }

    /// Keeps a file of an execution; `false` when all of them would be too large.
    pub async fn keep_execution_file(
        &self,
        id: ExecutionId,
        file: NewExecutionFile<'_>,
    ) -> Result<bool, StoreError> {
        let owner = self.scope().column();
        let write = self.write_beside_others().await?;
        let gate = write.tenant(self.scope());
        let others = [owner.into(), id.0.into(), file.name.into()];
        let others = gate.one::<Sum, 3>(OTHERS, others).await?.and_then(|sum| sum.bytes);
        let size = file.content.len() as u64;
        if others.unwrap_or(0).unsigned_abs() + size > file.max_bytes {
            return Ok(false);
        }
        let values = [
            owner.into(),
            id.0.into(),
            file.name.into(),
            file.media_type.into(),
            i64::try_from(size).unwrap_or(i64::MAX).into(),
            file.content.into(),
            file.now.0.into(),
        ];
        gate.run(KEEP, values).await?;
        write.commit().await?;
        Ok(true)
    }
}

impl From<Row> for ExecutionFile {
    fn from(row: Row) -> Self {
        Self {
            name: row.name,
            media_type: row.r#type,
            size: row.size.unsigned_abs(),
            created_at: Timestamp(row.created_at),
        }
    }
}
