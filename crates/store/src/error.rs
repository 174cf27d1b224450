//! What can go wrong between the store and its database, told by what a person can do about it.

use crate::guard::Refusal;
use sea_orm::{DbErr, RuntimeErr};

/// A failed call. The text is for logs and for the command line, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process kept the database busy for longer than the store waits.
    #[error("the database is locked by another process; stop it or try again")]
    Locked,
    /// The file or its directory cannot be written.
    #[error("the database is read-only; check the owner and mode of its file and directory")]
    ReadOnly,
    /// A server that does not answer, or breaks off.
    #[error("the database does not answer ({0}); check that it runs and that its address is right")]
    Unavailable(String),
    /// The database would not keep organizations apart.
    #[error("the walls of the database are not whole: {0}; run `bifrost migrate up` as its owner")]
    Walls(String),
    /// No space left.
    #[error("the disk of the database is full; make room and try again")]
    Full,
    /// The file cannot be opened.
    #[error("the database cannot be opened at `{0}`; check that its directory exists and is yours")]
    CannotOpen(String),
    /// The file is something else, or damaged.
    #[error("the database file is not a Bifrost database or is damaged: {0}")]
    Damaged(String),
    /// A later release has migrated this database.
    #[error(
        "the database is from a newer version of Bifrost (migration `{0}` is unknown here); use that version"
    )]
    Newer(String),
    /// `bifrost migrate up` has not been run.
    #[error("the database lacks {0} migration(s); run `bifrost migrate up`")]
    Outdated(usize),
    /// A URL this build cannot serve.
    #[error("`{0}` is not a database this build can use; give `sqlite:PATH` or `postgres://…`")]
    Unsupported(String),
    /// The statement guard said no: a fault of the program, nothing was sent.
    #[error("statement refused: {0}")]
    Refused(#[from] Refusal),
    /// Files of a scope that the asking one does not inherit from: a fault of the program.
    #[error("files of another organization were asked for")]
    AnothersFiles,
    /// A row holds what this version cannot read.
    #[error("unreadable {what} in the database: {detail}")]
    Unreadable {
        /// Column or noun.
        what: &'static str,
        /// The parser's words.
        detail: String,
    },
    /// Something is sealed and the store was not unlocked.
    #[error("the master key is not loaded; start `bifrost serve` once on this database")]
    NoMasterKey,
    /// The master key is not the one it was.
    #[error("the master key cannot be used: {0}; restart with the present one")]
    MasterKey(String),
    /// The machine has no randomness to give.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// Anything else the engine says.
    #[error("database error: {0}")]
    Database(DbErr),
}

impl StoreError {
    /// For a column that does not hold what this version wrote.
    pub(crate) fn unreadable(what: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Unreadable { what, detail: detail.to_string() }
    }

    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Locked | Self::Full | Self::Unavailable(_))
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match crate::engine::meaning(&error) {
            Some(meaning) => meaning,
            None => Self::Database(error),
        }
    }
}

/// The driver's own error inside SeaORM's, if that is what it is.
pub(crate) fn driver_error(error: &DbErr) -> Option<&sea_orm::SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(inner))
        | DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner)) => Some(inner),
        _ => None,
    }
}
