//! Moving: a whole instance, or one organization, out to a file and into another database.
//!
//! The file is lines of JSON with the rows as they are; what is sealed stays sealed. Every statement
//! is a table's own and passes the gate, organization by organization.

mod begin;
mod cells;
mod change;
mod export;
mod finish;
mod format;
mod import;
mod journal;
mod keys;
mod pages;
mod reader;
pub(crate) mod tables;

pub use export::{Export, Exported};
pub use format::{Content, Footer, Header, LeftOut};
pub use import::{Import, Imported};
pub use reader::{Manifest, examine};

use crate::{Reason, Store, StoreError, UnlockError};
use domain::Slug;
use std::{io, path::PathBuf};
use uuid::Uuid;

/// How far an export or import is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The table at work; empty while the result is looked at.
    pub table: &'static str,
    /// Sections of the file, or its bytes, so far.
    pub done: u64,
    /// Of how many.
    pub of: u64,
    /// Rows of this section so far.
    pub rows: u64,
    /// Of how many, if known.
    pub total: u64,
}

/// Who is told.
pub type Tell<'a> = &'a mut dyn FnMut(&Progress);

/// Why something was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The organization is not there, or on its way out.
    #[error("there is no organization `{0}`")]
    NoSuchOrganization(Slug),
    /// Global and the provider belong to their instance.
    #[error("`{0}` belongs to its instance; export the whole instance, or another organization")]
    Fixed(Slug),
    /// The first line is something else.
    #[error("this is no export of Bifrost")]
    NotAnExport,
    /// The first line is of another form.
    #[error(
        "the export has format {0}, which this version cannot read; use the version that wrote it"
    )]
    Format(u32),
    /// The file ends before its last line.
    #[error("the export is cut off: its end is missing; export or copy it again")]
    Truncated,
    /// Some line is not what was written.
    #[error("the export is damaged at byte {0} or after it; export or copy it again")]
    Damaged(u64),
    /// Written from another schema.
    #[error(
        "the export was written by version {0} with other migrations; use the same version of \
         Bifrost on both sides"
    )]
    AnotherVersion(String),
    /// PostgreSQL has no place for it.
    #[error(
        "a text in `{0}` has a NUL character, which PostgreSQL cannot keep; remove it where it is \
         and export again"
    )]
    Nul(&'static str),
    /// A table gave fewer or more rows than it has.
    #[error("`{0}` gave {1} row(s) and has {2}; what was exported is not whole")]
    Incomplete(&'static str, u64, u64),
    /// Something is there already.
    #[error(
        "a whole instance is imported into an empty database only, and this one has rows in `{0}`; \
         give another --database-url"
    )]
    NotEmpty(&'static str),
    /// The organization is there already.
    #[error("an organization with the id {0} exists already; it can be in one place only")]
    IdTaken(Uuid),
    /// Another organization has its name.
    #[error("an organization `{0}` exists already; give another short name with --as")]
    SlugTaken(Slug),
    /// The platform keeps it for itself.
    #[error("the short name `{0}` is reserved; give another one with --as")]
    Reserved(Slug),
    /// The file to write is there.
    #[error("`{path}` exists already; give another name", path = .0.display())]
    FileExists(PathBuf),
    /// A name for everything makes no sense.
    #[error("--as is for one organization, and the export has a whole instance")]
    SlugOfInstance,
    /// Another one has begun and not ended.
    #[error(
        "another import is not finished (of the export with sha256 {0}); run it again with its \
         file and its --as"
    )]
    AnotherImport(String),
    /// None has begun.
    #[error("there is no import to resume here; run it without --resume")]
    NothingToResume,
    /// Two at the same time.
    #[error("another process imports the same file; let it end")]
    Overtaken,
    /// The key does not fit the file.
    #[error(
        "the key in --old-master-key-file is not the one of the instance the export comes from"
    )]
    WrongOldKey,
    /// The secrets are sealed with another key.
    #[error(
        "the master key in {0} is not the one of the instance the export comes from; put that one \
         there, or give it with --old-master-key-file to wrap its secrets with this one"
    )]
    AnotherKey(String),
    /// There is no key.
    #[error(
        "there is no master key in {0}; put the one of the instance the export comes from there, \
         or give it with --old-master-key-file to wrap its secrets with a new one"
    )]
    NoKey(String),
    /// What was written is not what is read.
    #[error(
        "rows of `{0}` of the organization {1} are not those of the export; somebody else has \
         written here: start again with an empty database"
    )]
    Differs(&'static str, Uuid),
    /// An audit is not what it was.
    #[error(
        "the audit of {0} does not hang together: {1}; `bifrost admin verify-audit` tells whether \
         it was so before. --allow-broken-audit takes it as it is"
    )]
    Audit(Uuid, String),
    /// The file.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The master key.
    #[error(transparent)]
    Key(#[from] UnlockError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MoveError {
    /// Whether something that is there already is in the way.
    pub fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::NotEmpty(_)
                | Self::IdTaken(_)
                | Self::SlugTaken(_)
                | Self::AnotherImport(_)
                | Self::FileExists(_)
        )
    }
}

impl Progress {
    fn new(table: &'static str, done: u64, of: u64) -> Self {
        Self { table, done, of, rows: 0, total: 0 }
    }
}

impl Store {
    /// Refuses a database into which an instance has been imported in part.
    pub async fn require_imported(&self) -> Result<(), StoreError> {
        let journal = self.system(Reason::Move).journal().await?;
        match journal.is_some_and(|journal| !journal.beside_others) {
            true => Err(StoreError::HalfImported),
            false => Ok(()),
        }
    }
}
