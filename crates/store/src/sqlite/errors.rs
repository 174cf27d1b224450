//! How SQLite names its errors.
//!
//! What it says of a statement and what the library that migrates says of it are one kind of error
//! further up.

use crate::{StoreError, error::driver_error};
use sea_orm::{DbErr, RuntimeErr, sqlx};
use sqlx::error::{DatabaseError, ErrorKind};
use std::{borrow::Cow, fmt};

/// What came of a statement, as the store tells it.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    let said = match &error {
        rusqlite::Error::SqliteFailure(code, words) => Said {
            code: code.extended_code,
            message: words.clone().unwrap_or_else(|| code.to_string()),
        },
        other => return StoreError::unreadable("statement", other),
    };
    DbErr::Query(RuntimeErr::SqlxError(sqlx::Error::Database(Box::new(said)).into())).into()
}

/// What an error means to a person, told by SQLite's primary result code.
pub(crate) fn meaning(error: &DbErr) -> Option<StoreError> {
    match extended_code(error)? & 0xff {
        5 | 6 => Some(StoreError::Locked),
        8 => Some(StoreError::ReadOnly),
        13 => Some(StoreError::Full),
        14 => Some(StoreError::CannotOpen("the given path".to_owned())),
        11 | 26 => Some(StoreError::Damaged(error.to_string())),
        _ => None,
    }
}

/// Whether a statement failed because other rows refer to the one it would remove: as a violated
/// key (787), or as the RESTRICT action, which SQLite reports as a trigger's (1811).
pub(crate) fn is_foreign_key(error: &DbErr) -> bool {
    matches!(extended_code(error), Some(787 | 1811))
}

fn extended_code(error: &DbErr) -> Option<i32> {
    let error = driver_error(error)?.as_database_error()?;
    if let Some(said) = error.try_downcast_ref::<Said>() {
        return Some(said.code);
    }
    error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    error.code()?.parse().ok()
}

/// What SQLite said, without the statement.
#[derive(Debug)]
struct Said {
    /// The extended result code.
    code: i32,
    message: String,
}

impl fmt::Display for Said {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "(code: {}) {}", self.code, self.message)
    }
}

impl std::error::Error for Said {}

impl DatabaseError for Said {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match self.code {
            787 | 1811 => ErrorKind::ForeignKeyViolation,
            1555 | 2067 => ErrorKind::UniqueViolation,
            1299 => ErrorKind::NotNullViolation,
            275 => ErrorKind::CheckViolation,
            _ => ErrorKind::Other,
        }
    }
}
