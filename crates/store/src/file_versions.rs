//! The history of a file: every write and every deletion, newest first.

use crate::{Scoped, StoreError, View, files::count, row::FromRow};
use domain::{FilePath, Scope, Timestamp};

/// One write, or one deletion, of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileVersion {
    /// Counts from 1 and goes on after a deletion.
    pub version: u32,
    /// SHA-256 of the content in hex; `None` when this version deleted the file.
    pub hash: Option<String>,
    /// Bytes.
    pub size: u64,
    /// What the author said.
    pub message: Option<String>,
    /// What wrote it: `api`, `sdk`, `operator`, …
    pub source: String,
    /// By whom, for people.
    pub author: String,
    /// When.
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    version: i64,
    hash: Option<String>,
    size: i64,
    message: Option<String>,
    source: String,
    author: String,
    created_at: i64,
}

const PAGE: &str = "SELECT version, hash, size, message, source, author, created_at
    FROM workspace_file_versions
    WHERE organization_id = $1 AND path = $2 AND version < $3
    ORDER BY version DESC LIMIT $4";

impl Scoped {
    /// Versions before `before`, or the newest. An effective view shows the organization's own
    /// history, and Global's where the organization has none.
    pub async fn file_versions(
        &self,
        path: &FilePath,
        view: View,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<FileVersion>, StoreError> {
        let own = match view {
            View::Global => Vec::new(),
            View::Own | View::Effective => self.history(self.scope(), path, before, limit).await?,
        };
        if view == View::Own || !own.is_empty() {
            return Ok(own);
        }
        self.history(Scope::Global, path, before, limit).await
    }

    async fn history(
        &self,
        owner: Scope,
        path: &FilePath,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<FileVersion>, StoreError> {
        let values = [
            owner.column().into(),
            path.as_str().into(),
            before.map_or(i64::MAX, i64::from).into(),
            i64::from(limit).into(),
        ];
        let rows = self.gate().all::<Row, 4>(PAGE, values).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

impl TryFrom<Row> for FileVersion {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            version: count(row.version)?,
            hash: row.hash,
            size: row.size.unsigned_abs(),
            message: row.message,
            source: row.source,
            author: row.author,
            created_at: Timestamp(row.created_at),
        })
    }
}
