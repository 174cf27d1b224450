//! Where files come from and logs go to: the runner's whole view of the store, in one place.

use cache::Cache;
use domain::{
    Access, ConfigKey, ExecutionId, FilePath, Scope, Timestamp, analysis::Workflow, audit::Event,
    execution::LogLine,
};
use std::{collections::HashMap, sync::Arc};
use store::{
    DeleteFileError, IndexedFile, ListFiles, Precondition, Revealed, Scoped, Store, StoreError,
    View, WriteFile, WriteFileError,
};

/// Files asked for in one page of a list.
const PAGE: u32 = 1_000;
/// Most files read from the store at a time, and most bytes of them beyond the first.
const FILES_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: u64 = 8 * 1024 * 1024;
/// Most paths one list may have.
const MAX_LIST: usize = 10_000;

/// One file of an index, without its content.
pub(crate) use cache::File;

/// What a scope has, in one consistent snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Raised by every write.
    pub generation: i64,
    /// In the order of their paths.
    pub files: Arc<[File]>,
    /// Global's files that the scope holds at these versions, in the same order.
    pub pinned: Vec<File>,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The store refuses: the words are for the author of the workflow.
    #[error("{0}")]
    Refused(String),
    /// The store failed: the words are for the operator.
    #[error(transparent)]
    Failed(#[from] StoreError),
    /// A row is not what it should be: the words are for the operator.
    #[error("the store holds what cannot be: {0}")]
    Odd(String),
}

/// The store as the runner sees it, and the cache before it. Everything is asked with the access of
/// a claimed job.
#[derive(Clone)]
pub(crate) struct Sources {
    store: Store,
    cache: Cache,
}

impl Sources {
    pub(crate) fn new(store: Store, cache: Cache) -> Self {
        Self { store, cache }
    }

    /// The store itself, for what is no file.
    pub(crate) fn scoped(&self, access: &Access) -> Scoped {
        self.store.scoped(access)
    }

    /// What `owner` has: the access's own scope, or Global. Never out of the cache, which is
    /// believed nothing but contents that this index names by their hashes.
    pub(crate) async fn index(&self, access: &Access, owner: Scope) -> Result<Index, SourceError> {
        let index = self.store.scoped(access).file_index(owner).await?;
        let files = index.files.into_iter().map(read).collect::<Result<_, SourceError>>()?;
        let pinned = index.pinned.into_iter().map(read).collect::<Result<_, SourceError>>()?;
        Ok(Index { generation: index.generation, files, pinned })
    }

    /// The contents of these files of Global, at versions that an organization holds, by path. The
    /// cache has a file's present version only, so it is not asked.
    pub(crate) async fn held_contents(
        &self,
        access: &Access,
        wanted: &[&File],
    ) -> Result<HashMap<String, Vec<u8>>, SourceError> {
        let mut contents = HashMap::new();
        for some in batches(wanted) {
            let asked: Vec<_> = some.iter().map(|file| (file.path.clone(), file.version)).collect();
            let read = self.store.scoped(access).contents(Scope::Global, &asked).await?;
            contents.extend(read.into_iter().map(|(path, _, bytes)| (path, bytes)));
        }
        Ok(contents)
    }

    /// The contents of these files of `owner`'s index, by path: from the cache where it has them,
    /// from the store otherwise.
    pub(crate) async fn contents(
        &self,
        access: &Access,
        owner: Scope,
        wanted: &[&File],
    ) -> Result<HashMap<String, Vec<u8>>, SourceError> {
        let mut contents = self.cache.contents(access, owner, wanted).await;
        let missing: Vec<&File> =
            wanted.iter().copied().filter(|file| !contents.contains_key(&file.path)).collect();
        for some in batches(&missing) {
            let asked: Vec<_> = some.iter().map(|file| (file.path.clone(), file.version)).collect();
            let read = self.store.scoped(access).contents(owner, &asked).await?;
            let both = some.iter().zip(&read);
            let both: Vec<_> = both.map(|(file, (.., bytes))| (*file, bytes.as_slice())).collect();
            self.cache.keep(access, owner, &both);
            contents.extend(read.into_iter().map(|(path, _, bytes)| (path, bytes)));
        }
        Ok(contents)
    }

    /// Tells the cache what `owner` has now, so that it lets go of the rest.
    pub(crate) fn tell_index(&self, access: &Access, owner: Scope, index: &Index) {
        self.cache.keep_index(access, owner, index.generation, index.files.clone());
    }

    /// Waits for the cache to have what it was given.
    #[cfg(test)]
    pub(crate) async fn settle(&self) {
        self.cache.settle().await;
    }

    /// Keeps lines of an execution's log.
    pub(crate) async fn append_logs(
        &self,
        access: &Access,
        execution: ExecutionId,
        lines: &[LogLine],
    ) -> Result<(), StoreError> {
        self.store.scoped(access).append_logs(execution, lines).await
    }

    /// Keeps what a run was kept from, in the audit of its organization.
    pub(crate) async fn refused(&self, access: &Access, event: Event) -> Result<(), StoreError> {
        self.store.scoped(access).audit_denied(event, now()).await
    }

    /// A file's content; `None` if there is none.
    pub(crate) async fn read(
        &self,
        access: &Access,
        path: &FilePath,
        view: View,
    ) -> Result<Option<Vec<u8>>, SourceError> {
        let file = self.store.scoped(access).file(path, view, None).await?;
        Ok(file.map(|file| file.content))
    }

    /// A configuration value through the cascade, opened if it is a secret.
    pub(crate) async fn reveal(
        &self,
        access: &Access,
        key: &ConfigKey,
    ) -> Result<Option<Revealed>, SourceError> {
        Ok(self.store.scoped(access).reveal_config(key).await?)
    }

    /// The paths that start with `prefix`, in order.
    pub(crate) async fn list(
        &self,
        access: &Access,
        prefix: &str,
        view: View,
    ) -> Result<Vec<String>, SourceError> {
        let scoped = self.store.scoped(access);
        let mut paths: Vec<String> = Vec::new();
        loop {
            let (prefix, after) = (prefix.to_owned(), paths.last().cloned());
            let page = scoped.files(ListFiles { prefix, view, after, limit: PAGE }).await?;
            let last = page.len() < PAGE as usize;
            paths.extend(page.into_iter().map(|entry| String::from(entry.path)));
            if last {
                return Ok(paths);
            }
            if paths.len() > MAX_LIST {
                let text = "there are too many files to list: give a longer prefix";
                return Err(SourceError::Refused(text.to_owned()));
            }
        }
    }

    /// Writes a file of the access's own scope; its new version and hash.
    pub(crate) async fn write(
        &self,
        access: &Access,
        path: FilePath,
        content: &[u8],
        workflows: Vec<Workflow>,
    ) -> Result<(u32, String), SourceError> {
        let write = WriteFile {
            path,
            content,
            message: None,
            source: "sdk",
            precondition: Precondition::Any,
            workflows,
            now: now(),
        };
        match self.store.scoped(access).write_file(write).await {
            Ok(written) => Ok((written.entry.version, written.entry.hash)),
            Err(WriteFileError::Store(error)) => Err(error.into()),
            Err(refusal) => Err(SourceError::Refused(refusal.to_string())),
        }
    }

    /// Deletes a file of the access's own scope; whether there was one.
    pub(crate) async fn delete(
        &self,
        access: &Access,
        path: &FilePath,
    ) -> Result<bool, SourceError> {
        match self.store.scoped(access).delete_file(path, Precondition::Any, now()).await {
            Ok(_) => Ok(true),
            Err(DeleteFileError::NotThere) => Ok(false),
            Err(DeleteFileError::Store(error)) => Err(error.into()),
            Err(refusal) => Err(SourceError::Refused(refusal.to_string())),
        }
    }
}

fn read(file: IndexedFile) -> Result<File, SourceError> {
    let mut hash = [0; 32];
    hex::decode_to_slice(&file.hash, &mut hash)
        .map_err(|_| SourceError::Odd(format!("hash `{}`", file.hash)))?;
    Ok(File { path: file.path, version: file.version, hash, size: file.size })
}

/// Parts of `files` that are read at a time.
fn batches<'a, 'f>(files: &'a [&'f File]) -> impl Iterator<Item = &'a [&'f File]> {
    let mut bytes = 0;
    let mut count = 0;
    files.chunk_by(move |before, _| {
        (bytes, count) = (bytes + before.size, count + 1);
        let fits = bytes < BYTES_AT_ONCE && count < FILES_AT_ONCE;
        if !fits {
            (bytes, count) = (0, 0);
        }
        fits
    })
}

/// The present, for rows and lines that people read.
pub(crate) fn now() -> Timestamp {
    Timestamp::from(chrono::Utc::now())
}
