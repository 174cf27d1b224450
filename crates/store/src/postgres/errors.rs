//! How PostgreSQL names its errors.

use crate::{StoreError, error::driver_error};
use sea_orm::DbErr;
use sqlx::{Error, postgres::PgDatabaseError};

/// What an error means to a person, told by its SQLSTATE or by what became of the connection.
pub(crate) fn meaning(error: &DbErr) -> Option<StoreError> {
    let error = driver_error(error)?;
    if is_broken(error) || matches!(error, Error::PoolTimedOut | Error::Tls(_)) {
        return Some(StoreError::Unavailable(outline(error)));
    }
    match code(error)? {
        // Somebody held a row for too long, or two waited for each other.
        "55P03" | "57014" | "40001" | "40P01" => Some(StoreError::Locked),
        "25006" => Some(StoreError::ReadOnly),
        "53100" => Some(StoreError::Full),
        "53300" | "28000" | "28P01" | "3D000" => Some(StoreError::Unavailable(outline(error))),
        _ => None,
    }
}

/// Whether the connection is gone, or the server is about to be.
pub(super) fn is_broken(error: &Error) -> bool {
    let gone = matches!(error, Error::Io(_) | Error::Protocol(_) | Error::WorkerCrashed);
    let closing = code(error).is_some_and(|code| code.starts_with("08") || code.starts_with("57P"));
    gone || closing
}

/// Whether a statement failed because other rows refer to the one it would remove.
pub(crate) fn is_foreign_key(error: &DbErr) -> bool {
    driver_error(error).and_then(code).is_some_and(|code| matches!(code, "23503" | "23001"))
}

/// The server's words without the statement, its values and its details.
fn outline(error: &Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}

fn code(error: &Error) -> Option<&str> {
    Some(error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.code())
}
