//! One content of a path, by the words with which people name it.

use crate::{
    Scoped, StoreError,
    files::{ONE, Row as Current, count},
    row::FromRow,
};
use domain::{FilePath, Scope, file_ref::FileRef, scope::Side};

/// A content and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedContent {
    /// Whose.
    pub side: Side,
    /// Counts from 1 per scope and path.
    pub version: u32,
    /// SHA-256 of the content, in hex.
    pub hash: String,
    /// What is in it.
    pub content: Vec<u8>,
}

#[derive(FromRow)]
struct Row {
    hash: Option<String>,
    content: Option<Vec<u8>>,
}

#[derive(FromRow)]
struct Base {
    base_version: Option<i64>,
    base_hash: Option<String>,
}

const VERSION: &str = "SELECT hash, content FROM workspace_file_versions
    WHERE organization_id = $1 AND path = $2 AND version = $3";
const BASE: &str = "SELECT base_version, base_hash FROM workspace_files
    WHERE organization_id = $1 AND path = $2";

impl Scoped {
    /// The content that `named` means for the asking organization; for Global, its own and
    /// Global's are the same. `None` when there is none, or the version is a deletion.
    pub async fn named_content(
        &self,
        path: &FilePath,
        named: FileRef,
    ) -> Result<Option<NamedContent>, StoreError> {
        let (owner, version, expected) = match named {
            FileRef::Own(version) => (self.scope(), version.map(|it| i64::from(it.get())), None),
            FileRef::Global(version) => {
                (Scope::Global, version.map(|it| i64::from(it.get())), None)
            }
            FileRef::Base => {
                let key = [self.scope().column().into(), path.as_str().into()];
                let Some(base) = self.gate().one::<Base, 2>(BASE, key).await? else {
                    return Ok(None);
                };
                let (Some(version), Some(hash)) = (base.base_version, base.base_hash) else {
                    return Ok(None);
                };
                (Scope::Global, Some(version), Some(hash))
            }
        };
        let version = match version {
            Some(version) => Some(version),
            None => {
                let key = [owner.column().into(), path.as_str().into()];
                self.gate().one::<Current, 2>(ONE, key).await?.map(|row| row.version)
            }
        };
        let Some(version) = version else { return Ok(None) };
        let found = self.version_of(owner, path, version).await?;
        Ok(found.filter(|it| expected.is_none_or(|hash| hash == it.hash)))
    }

    async fn version_of(
        &self,
        owner: Scope,
        path: &FilePath,
        version: i64,
    ) -> Result<Option<NamedContent>, StoreError> {
        let key = [owner.column().into(), path.as_str().into(), version.into()];
        let Some(row) = self.gate().one::<Row, 3>(VERSION, key).await? else { return Ok(None) };
        let (Some(hash), Some(content)) = (row.hash, row.content) else { return Ok(None) };
        let (side, version) = (Side::of(owner), count(version)?);
        Ok(Some(NamedContent { side, version, hash, content }))
    }
}
