//! Where files come from and logs go to: the runner's whole view of the store, in one place.

use domain::{
    Access, ConfigKey, ExecutionId, FilePath, Scope, Timestamp, analysis::Workflow,
    execution::LogLine,
};
use std::collections::HashMap;
use store::{
    DeleteFileError, ListFiles, Precondition, Revealed, Store, StoreError, View, WriteFile,
    WriteFileError,
};

/// Files asked for in one page of a list.
const PAGE: u32 = 1_000;
/// Most paths one list may have.
const MAX_LIST: usize = 10_000;

/// What a scope has, in one consistent snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Raised by every write.
    pub generation: i64,
    /// In the order of their paths.
    pub files: Vec<IndexedFile>,
}

/// One file, without its content.
#[derive(Clone, Debug)]
pub(crate) struct IndexedFile {
    pub path: String,
    pub version: u32,
    /// SHA-256 of the content.
    pub hash: [u8; 32],
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

/// The store as the runner sees it. Everything is asked with the access of a claimed job.
#[derive(Clone)]
pub(crate) struct Sources(Store);

impl Sources {
    pub(crate) fn new(store: Store) -> Self {
        Self(store)
    }

    /// What `owner` has: the access's own scope, or Global.
    pub(crate) async fn index(&self, access: &Access, owner: Scope) -> Result<Index, SourceError> {
        let index = self.0.scoped(access).file_index(owner).await?;
        let files = index.files.into_iter().map(|file| {
            let mut hash = [0; 32];
            hex::decode_to_slice(&file.hash, &mut hash)
                .map_err(|_| SourceError::Odd(format!("hash `{}`", file.hash)))?;
            Ok(IndexedFile { path: file.path, version: file.version, hash })
        });
        let files = files.collect::<Result<_, SourceError>>()?;
        Ok(Index { generation: index.generation, files })
    }

    /// The contents of these versions, by path.
    pub(crate) async fn contents(
        &self,
        access: &Access,
        owner: Scope,
        wanted: &[(String, u32)],
    ) -> Result<HashMap<String, Vec<u8>>, SourceError> {
        let found = self.0.scoped(access).contents(owner, wanted).await?;
        Ok(found.into_iter().map(|(path, _, content)| (path, content)).collect())
    }

    /// Keeps lines of an execution's log.
    pub(crate) async fn append_logs(
        &self,
        access: &Access,
        execution: ExecutionId,
        lines: &[LogLine],
    ) -> Result<(), StoreError> {
        self.0.scoped(access).append_logs(execution, lines).await
    }

    /// A file's content; `None` if there is none.
    pub(crate) async fn read(
        &self,
        access: &Access,
        path: &FilePath,
        view: View,
    ) -> Result<Option<Vec<u8>>, SourceError> {
        let file = self.0.scoped(access).file(path, view, None).await?;
        Ok(file.map(|file| file.content))
    }

    /// A configuration value through the cascade, opened if it is a secret.
    pub(crate) async fn reveal(
        &self,
        access: &Access,
        key: &ConfigKey,
    ) -> Result<Option<Revealed>, SourceError> {
        Ok(self.0.scoped(access).reveal_config(key).await?)
    }

    /// The paths that start with `prefix`, in order.
    pub(crate) async fn list(
        &self,
        access: &Access,
        prefix: &str,
        view: View,
    ) -> Result<Vec<String>, SourceError> {
        let scoped = self.0.scoped(access);
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
        match self.0.scoped(access).write_file(write).await {
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
        match self.0.scoped(access).delete_file(path, Precondition::Any, now()).await {
            Ok(_) => Ok(true),
            Err(DeleteFileError::NotThere) => Ok(false),
            Err(DeleteFileError::Store(error)) => Err(error.into()),
            Err(refusal) => Err(SourceError::Refused(refusal.to_string())),
        }
    }
}

/// The present, for rows and lines that people read.
pub(crate) fn now() -> Timestamp {
    Timestamp::from(chrono::Utc::now())
}
