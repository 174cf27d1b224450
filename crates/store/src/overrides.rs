//! An organization's overrides beside what they hide and what they began from.

use crate::{
    Scoped, StoreError,
    files::{count, parse_path},
    row::FromRow,
};
use domain::{FilePath, Scope, Timestamp};

/// A content without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileState {
    /// Counts from 1 per scope and path.
    pub version: u32,
    /// SHA-256 of the content, in hex.
    pub hash: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub updated_at: Timestamp,
}

/// A file of an organization that Global has too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideEntry {
    /// Where.
    pub path: FilePath,
    /// The organization's.
    pub own: FileState,
    /// What Global had when the organization's file began; `None` when it had nothing, or when
    /// that was on another instance.
    pub base: Option<FileState>,
    /// What Global has.
    pub global: FileState,
}

impl OverrideEntry {
    /// Whether Global has another content than the one that the override began from.
    pub fn drift(&self) -> bool {
        self.base.as_ref().is_none_or(|base| base.hash != self.global.hash)
    }
}

#[derive(FromRow)]
struct Row {
    path: String,
    version: i64,
    hash: String,
    size: i64,
    updated_at: i64,
    global_version: i64,
    global_hash: String,
    global_size: i64,
    global_at: i64,
    base_version: Option<i64>,
    base_hash: Option<String>,
    base_size: Option<i64>,
    base_at: Option<i64>,
}

const PAGE: &str = "SELECT own.path, own.version, own.hash, own.size, own.updated_at,
    theirs.version AS global_version, theirs.hash AS global_hash, theirs.size AS global_size,
    theirs.updated_at AS global_at, base.version AS base_version, base.hash AS base_hash,
    base.size AS base_size, base.created_at AS base_at
    FROM workspace_files AS own
    JOIN workspace_files AS theirs ON theirs.organization_id = $2 AND theirs.path = own.path
    LEFT JOIN workspace_file_versions AS base ON base.organization_id = $2
        AND base.path = own.path AND base.version = own.base_version AND base.hash = own.base_hash
    WHERE own.organization_id = $1 AND own.path >= $3 AND own.path < $4 AND own.path > $5
    ORDER BY own.path LIMIT $6";

/// Which overrides.
#[derive(Clone, Debug)]
pub struct ListOverrides {
    /// Paths that start with this; empty for all.
    pub prefix: String,
    /// Paths after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

impl Scoped {
    /// Overrides by path. Global itself has none.
    pub async fn overrides(&self, list: ListOverrides) -> Result<Vec<OverrideEntry>, StoreError> {
        if self.scope() == Scope::Global {
            return Ok(Vec::new());
        }
        let (from, to) = crate::files::prefix_range(&list.prefix);
        let values = [
            self.scope().column().into(),
            Scope::Global.column().into(),
            from.into(),
            to.into(),
            list.after.unwrap_or_default().into(),
            i64::from(list.limit).into(),
        ];
        let rows = self.gate().all::<Row, 6>(PAGE, values).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

fn state(version: i64, hash: String, size: i64, at: i64) -> Result<FileState, StoreError> {
    let (version, updated_at) = (count(version)?, Timestamp(at));
    Ok(FileState { version, hash, size: size.unsigned_abs(), updated_at })
}

impl TryFrom<Row> for OverrideEntry {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let base = match (row.base_version, row.base_hash, row.base_size, row.base_at) {
            (Some(version), Some(hash), Some(size), Some(at)) => {
                Some(state(version, hash, size, at)?)
            }
            _ => None,
        };
        Ok(Self {
            path: parse_path(&row.path)?,
            own: state(row.version, row.hash, row.size, row.updated_at)?,
            base,
            global: state(row.global_version, row.global_hash, row.global_size, row.global_at)?,
        })
    }
}
