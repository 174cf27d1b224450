//! Where files come from and logs go to: the runner's whole view of the store, in one place.

use domain::{Access, ExecutionId, FilePath, Scope, analysis::Analysis, execution::LogLine};
use std::{future::Future, pin::Pin};

/// What a scope has, in one consistent snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Raised by every write.
    pub generation: i64,
    /// In the order of their paths.
    pub files: Vec<IndexedFile>,
}

/// One file, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedFile {
    /// Path.
    pub path: String,
    /// Version.
    pub version: u32,
    /// SHA-256 of the content.
    pub hash: [u8; 32],
}

/// Where a read looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The organization's own, else Global's.
    Cascade,
    /// Global's only.
    Global,
}

/// A file that was just written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The new version.
    pub version: u32,
    /// SHA-256 of the content, in hex.
    pub hash: String,
}

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The store refuses: the words are for the author of the workflow.
    #[error("{0}")]
    Refused(String),
    /// The store refuses because of who asks or whose the file is.
    #[error("{0}")]
    Denied(String),
    /// The store failed: the words are for the operator.
    #[error("{0}")]
    Failed(String),
}

/// What the store is asked; boxed, so that sources can be an object.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// The store as the runner sees it. Everything is asked with the [`Access`] of a claimed job.
pub trait Sources: Send + Sync + 'static {
    /// What `owner` has: the access's own scope, or Global.
    fn index<'a>(&'a self, access: &'a Access, owner: Scope) -> Asking<'a, Index>;

    /// The contents of these versions, in the order asked for.
    fn contents<'a>(
        &'a self,
        access: &'a Access,
        owner: Scope,
        wanted: &'a [(String, u32)],
    ) -> Asking<'a, Vec<Vec<u8>>>;

    /// Keeps lines of an execution's log.
    fn append_logs<'a>(
        &'a self,
        access: &'a Access,
        execution: ExecutionId,
        lines: &'a [LogLine],
    ) -> Asking<'a, ()>;

    /// A file's content; `None` if there is none.
    fn read<'a>(
        &'a self,
        access: &'a Access,
        path: &'a FilePath,
        look: Look,
    ) -> Asking<'a, Option<Vec<u8>>>;

    /// The paths that start with `prefix`, in order.
    fn list<'a>(
        &'a self,
        access: &'a Access,
        prefix: &'a str,
        look: Look,
    ) -> Asking<'a, Vec<String>>;

    /// Writes a file of the access's own scope.
    fn write<'a>(
        &'a self,
        access: &'a Access,
        path: &'a FilePath,
        content: Vec<u8>,
        analysis: Analysis,
    ) -> Asking<'a, Written>;

    /// Deletes a file of the access's own scope; whether there was one.
    fn delete<'a>(&'a self, access: &'a Access, path: &'a FilePath) -> Asking<'a, bool>;
}
