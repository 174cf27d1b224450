//! Reading workspace files through the cascade: the organization's own, what it holds, Global's.

use crate::{Scoped, StoreError, row::FromRow, sides};
use domain::{FilePath, Scope, Timestamp, cascade::resolve, scope::Side};
use std::collections::BTreeMap;

/// Which files somebody wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// What a workflow sees: the organization's over Global's.
    Effective,
    /// The organization's alone.
    Own,
    /// Global's alone.
    Global,
}

/// A file without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Where.
    pub path: FilePath,
    /// Whose.
    pub side: Side,
    /// Counts from 1 per scope and path.
    pub version: u32,
    /// SHA-256 of the content, in hex.
    pub hash: String,
    /// Bytes.
    pub size: u64,
    /// Whether this is the organization's and Global has the same path.
    pub overrides: bool,
    /// Whether this is Global's at a version that the organization holds.
    pub pinned: bool,
    /// What wrote it: `api`, `sdk`, `operator`, …
    pub source: String,
    /// When.
    pub updated_at: Timestamp,
    /// By whom, for people.
    pub updated_by: String,
}

/// The global file that an organization's file hides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadowed {
    /// Its version.
    pub version: u32,
    /// Its SHA-256, in hex.
    pub hash: String,
}

/// A file with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// All about it.
    pub entry: FileEntry,
    /// What is in it.
    pub content: Vec<u8>,
    /// What it hides.
    pub shadows: Option<Shadowed>,
}

/// A page of files.
#[derive(Clone, Debug)]
pub struct ListFiles {
    /// Paths that start with this; empty for all.
    pub prefix: String,
    /// Which.
    pub view: View,
    /// Paths after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

#[derive(FromRow)]
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) version: i64,
    pub(crate) hash: String,
    pub(crate) size: i64,
    pub(crate) source: String,
    pub(crate) updated_by: String,
    pub(crate) updated_at: i64,
}

#[derive(FromRow)]
pub(crate) struct Content {
    pub(crate) content: Option<Vec<u8>>,
}

#[derive(FromRow)]
struct Held {
    version: i64,
}

#[derive(FromRow)]
struct OldVersion {
    hash: Option<String>,
    size: i64,
    content: Option<Vec<u8>>,
    source: String,
    author: String,
    created_at: i64,
}

pub(crate) const ONE: &str = "SELECT path, version, hash, size, source, updated_by, updated_at
    FROM workspace_files WHERE organization_id = $1 AND path = $2";
const PAGE: &str = "SELECT path, version, hash, size, source, updated_by, updated_at
    FROM workspace_files
    WHERE organization_id = $1 AND path >= $2 AND path < $3 AND path > $4
    ORDER BY path LIMIT $5";
pub(crate) const CONTENT: &str = "SELECT content FROM workspace_file_versions
    WHERE organization_id = $1 AND path = $2 AND version = $3";
const PINNED: &str = "SELECT version FROM file_pins WHERE organization_id = $1 AND path = $2";
/// What is held, as it was written.
const PINNED_PAGE: &str = "SELECT pin.path, pin.version, pin.hash, pin.size, theirs.source,
    theirs.author AS updated_by, theirs.created_at AS updated_at FROM file_pins AS pin
    JOIN workspace_file_versions AS theirs ON theirs.organization_id = $2
        AND theirs.path = pin.path AND theirs.version = pin.version
    WHERE pin.organization_id = $1 AND pin.path >= $3 AND pin.path < $4 AND pin.path > $5
    ORDER BY pin.path LIMIT $6";
const OLD_VERSION: &str = "SELECT hash, size, content, source, author, created_at
    FROM workspace_file_versions
    WHERE organization_id = $1 AND path = $2 AND version = $3";

impl Row {
    pub(crate) fn entry(self, side: Side, overrides: bool) -> Result<FileEntry, StoreError> {
        Ok(FileEntry {
            path: parse_path(&self.path)?,
            side,
            version: count(self.version)?,
            hash: self.hash,
            size: self.size.unsigned_abs(),
            overrides,
            pinned: false,
            source: self.source,
            updated_at: Timestamp(self.updated_at),
            updated_by: self.updated_by,
        })
    }

    pub(crate) fn shadowed(&self) -> Result<Shadowed, StoreError> {
        Ok(Shadowed { version: count(self.version)?, hash: self.hash.clone() })
    }
}

/// A path as the database keeps it.
pub(crate) fn parse_path(path: &str) -> Result<FilePath, StoreError> {
    FilePath::parse(path).map_err(|e| StoreError::unreadable("path", e))
}

/// A version number as the database keeps it.
pub(crate) fn count(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|e| StoreError::unreadable("version", e))
}

/// The half-open range of paths that start with `prefix`.
pub(crate) fn prefix_range(prefix: &str) -> (String, String) {
    (prefix.to_owned(), format!("{prefix}{}", char::MAX))
}

impl Scoped {
    /// Files by path. An effective list merges both scopes by the cascade.
    pub async fn files(&self, list: ListFiles) -> Result<Vec<FileEntry>, StoreError> {
        let scopes = self.scopes(list.view);
        let own = self.page(scopes.own, &list).await?;
        let global = self.page(scopes.global, &list).await?;
        let owner = scopes.own.filter(|_| scopes.global.is_some());
        let held = self.pinned_page(owner, &list).await?;
        let mut held: BTreeMap<_, _> =
            held.into_iter().map(|row| (row.path.clone(), row)).collect();
        let mut page = sides::pair(own, global, |row| &row.path);
        for path in held.keys() {
            page.entry(path.clone()).or_insert((None, None));
        }
        let page = page.into_iter().take(list.limit as usize);
        let mut entries = Vec::with_capacity(page.len());
        for (path, (own, global)) in page {
            let held = held.remove(&path);
            let mut overrides = own.is_some() && global.is_some();
            if let (View::Own, Some(own)) = (list.view, &own) {
                overrides = self.shadowed(&own.path).await?.is_some();
            }
            let pinned = own.is_none() && held.is_some();
            if let Some((side, row)) = resolve(own, held.or(global)) {
                entries.push(FileEntry { pinned, ..row.entry(side, overrides)? });
            }
        }
        Ok(entries)
    }

    /// A file as `view` shows it, at its present or at an earlier `version`.
    pub async fn file(
        &self,
        path: &FilePath,
        view: View,
        version: Option<u32>,
    ) -> Result<Option<File>, StoreError> {
        let scopes = self.scopes(view);
        let own = self.row(scopes.own, path.as_str()).await?;
        let global = self.row(scopes.global, path.as_str()).await?;
        let held = match (scopes.own, scopes.global, &own) {
            (Some(owner), Some(_), None) => self.held_version(owner, path).await?,
            _ => None,
        };
        if let (Some(number), true) = (held, version.is_none_or(|version| Some(version) == held)) {
            let found = self.old_version(Scope::Global, path, number, false, None).await?;
            return Ok(
                found.map(|file| File { entry: FileEntry { pinned: true, ..file.entry }, ..file })
            );
        }
        let side = match resolve(own.as_ref(), global.as_ref()) {
            Some((side, _)) => side,
            None if held.is_some() => Side::Global,
            // A deleted file still has its versions; they belong to the view's first scope.
            None if version.is_some() && scopes.own.is_some() => Side::Own,
            None if version.is_some() => Side::Global,
            None => return Ok(None),
        };
        let (owner, current) = match side {
            Side::Own => (scopes.own, own),
            Side::Global => (scopes.global, global),
        };
        let Some(owner) = owner else { return Ok(None) };
        let shadows = if side == Side::Own { self.shadowed(path.as_str()).await? } else { None };
        let overrides = shadows.is_some();
        match (version, current) {
            (Some(number), current)
                if current.as_ref().map(|row| row.version) != Some(i64::from(number)) =>
            {
                self.old_version(owner, path, number, overrides, shadows).await
            }
            (_, Some(row)) => {
                let content = self.content(owner, &row.path, row.version).await?;
                let entry = row.entry(Side::of(owner), overrides)?;
                Ok(content.map(|content| File { entry, content, shadows }))
            }
            _ => Ok(None),
        }
    }

    /// The global file that a file of this organization at `path` hides.
    pub(crate) async fn shadowed(&self, path: &str) -> Result<Option<Shadowed>, StoreError> {
        let hidden = match self.scope() {
            Scope::Global => None,
            Scope::Organization(_) => self.row(Some(Scope::Global), path).await?,
        };
        hidden.map(|row| row.shadowed()).transpose()
    }

    /// The version of Global's file that `owner` holds.
    async fn held_version(&self, owner: Scope, path: &FilePath) -> Result<Option<u32>, StoreError> {
        let key = [owner.column().into(), path.as_str().into()];
        let held = self.gate().one::<Held, 2>(PINNED, key).await?;
        held.map(|row| count(row.version)).transpose()
    }

    /// What `owner` holds of a page, if the view shows that.
    async fn pinned_page(
        &self,
        owner: Option<Scope>,
        list: &ListFiles,
    ) -> Result<Vec<Row>, StoreError> {
        let Some(owner) = owner else { return Ok(Vec::new()) };
        let (from, to) = prefix_range(&list.prefix);
        let values = [
            owner.column().into(),
            Scope::Global.column().into(),
            from.into(),
            to.into(),
            list.after.clone().unwrap_or_default().into(),
            i64::from(list.limit).into(),
        ];
        self.gate().all(PINNED_PAGE, values).await
    }

    async fn page(&self, owner: Option<Scope>, list: &ListFiles) -> Result<Vec<Row>, StoreError> {
        let Some(owner) = owner else { return Ok(Vec::new()) };
        let (from, to) = prefix_range(&list.prefix);
        let values = [
            owner.column().into(),
            from.into(),
            to.into(),
            list.after.clone().unwrap_or_default().into(),
            i64::from(list.limit).into(),
        ];
        self.gate().all(PAGE, values).await
    }

    async fn row(&self, owner: Option<Scope>, path: &str) -> Result<Option<Row>, StoreError> {
        match owner {
            Some(owner) => self.gate().one(ONE, [owner.column().into(), path.into()]).await,
            None => Ok(None),
        }
    }

    async fn content(
        &self,
        owner: Scope,
        path: &str,
        version: i64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let values = [owner.column().into(), path.into(), version.into()];
        Ok(self.gate().one::<Content, 3>(CONTENT, values).await?.and_then(|row| row.content))
    }

    async fn old_version(
        &self,
        owner: Scope,
        path: &FilePath,
        version: u32,
        overrides: bool,
        shadows: Option<Shadowed>,
    ) -> Result<Option<File>, StoreError> {
        let values = [owner.column().into(), path.as_str().into(), i64::from(version).into()];
        let Some(row) = self.gate().one::<OldVersion, 3>(OLD_VERSION, values).await? else {
            return Ok(None);
        };
        let (Some(hash), Some(content)) = (row.hash, row.content) else { return Ok(None) };
        let entry = FileEntry {
            path: path.clone(),
            side: Side::of(owner),
            version,
            hash,
            size: row.size.unsigned_abs(),
            overrides,
            pinned: false,
            source: row.source,
            updated_at: Timestamp(row.created_at),
            updated_by: row.author,
        };
        Ok(Some(File { entry, content, shadows }))
    }

    pub(crate) fn scopes(&self, view: View) -> ViewScopes {
        let own = match self.scope() {
            Scope::Global => None,
            organization => Some(organization),
        };
        match (view, own) {
            (View::Effective, own) => ViewScopes { own, global: Some(Scope::Global) },
            (View::Global, _) => ViewScopes { own: None, global: Some(Scope::Global) },
            // Whoever acts in Global owns what is Global's.
            (View::Own, None) => ViewScopes { own: None, global: Some(Scope::Global) },
            (View::Own, own) => ViewScopes { own, global: None },
        }
    }
}

/// The two sides a view looks at.
pub(crate) struct ViewScopes {
    pub(crate) own: Option<Scope>,
    pub(crate) global: Option<Scope>,
}
