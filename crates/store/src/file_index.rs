//! Everything a scope has at one generation, for whoever builds a bundle of it.

use crate::{
    Scoped, StoreError,
    files::{CONTENT, Content, count},
    row::FromRow,
};
use domain::Scope;

/// What a scope has, all seen at the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileIndex {
    /// Raised by every change of the scope.
    pub generation: i64,
    /// By path.
    pub files: Vec<IndexedFile>,
    /// Global's files that the scope holds at these versions, by path.
    pub pinned: Vec<IndexedFile>,
}

/// One file of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedFile {
    /// Where.
    pub path: String,
    /// Counts from 1.
    pub version: u32,
    /// SHA-256 of the content, in hex.
    pub hash: String,
    /// Bytes.
    pub size: u64,
}

#[derive(FromRow)]
struct Generation {
    generation: i64,
}

#[derive(FromRow)]
struct Row {
    path: String,
    version: i64,
    hash: String,
    size: i64,
}

const GENERATION: &str = "SELECT generation FROM organizations WHERE id = $1";
const INDEX: &str = "SELECT path, version, hash, size FROM workspace_files
    WHERE organization_id = $1 ORDER BY path";
const PINNED: &str = "SELECT path, version, hash, size FROM file_pins
    WHERE organization_id = $1 ORDER BY path";

impl Scoped {
    /// The files of `owner`, which is the asking scope or Global.
    pub async fn file_index(&self, owner: Scope) -> Result<FileIndex, StoreError> {
        let owner = self.readable(owner)?;
        let snapshot = self.snapshot().await?;
        let key = || [owner.column().into()];
        let generation = snapshot.gate().one::<Generation, 1>(GENERATION, key()).await?;
        let own = indexed(snapshot.gate().all::<Row, 1>(INDEX, key()).await?)?;
        let pinned = match owner {
            Scope::Global => Vec::new(),
            Scope::Organization(_) => indexed(snapshot.gate().all::<Row, 1>(PINNED, key()).await?)?,
        };
        let generation = generation.map_or(0, |row| row.generation);
        Ok(FileIndex { generation, files: own, pinned })
    }

    /// The contents of some versions of `owner`'s files, in the order asked; versions never
    /// change, so these need no snapshot. One that is gone is an error.
    pub async fn contents(
        &self,
        owner: Scope,
        wanted: &[(String, u32)],
    ) -> Result<Vec<(String, u32, Vec<u8>)>, StoreError> {
        let owner = self.readable(owner)?;
        let snapshot = self.snapshot().await?;
        let values = wanted.iter().map(|(path, version)| {
            [owner.column().into(), path.as_str().into(), i64::from(*version).into()]
        });
        let rows = snapshot.gate().one_of_each::<Content, 3>(CONTENT, values).await?;
        let contents = wanted.iter().zip(rows).map(|((path, version), row)| {
            let gone = || StoreError::unreadable("file version", format!("{path}@{version}"));
            Ok((path.clone(), *version, row.and_then(|row| row.content).ok_or_else(gone)?))
        });
        contents.collect()
    }
}

fn indexed(rows: Vec<Row>) -> Result<Vec<IndexedFile>, StoreError> {
    let file = |row: Row| {
        let (version, size) = (count(row.version)?, row.size.unsigned_abs());
        Ok(IndexedFile { path: row.path, version, hash: row.hash, size })
    };
    rows.into_iter().map(file).collect()
}
