//! How PostgreSQL names its errors.
//!
//! What either driver or the wire finds is one kind of error further up. Of a statement that failed the server's words stay,
//! and neither the statement nor its values.

use crate::{StoreError, error::driver_error};
use postgres_protocol::message::backend::ErrorResponseBody;
use sea_orm::DbErr;
use sqlx::{
    Error,
    error::{DatabaseError, ErrorKind},
};
use std::{borrow::Cow, error::Error as _, fmt, io};
use tokio_postgres::fallible_iterator::FallibleIterator;

/// What an error means to a person, told by its SQLSTATE or by what became of the connection.
pub(crate) fn meaning(error: &DbErr) -> Option<StoreError> {
    let error = driver_error(error)?;
    if is_broken(error) || matches!(error, Error::PoolTimedOut | Error::Tls(_)) {
        return Some(StoreError::Unavailable(outline(error)));
    }
    match &*code(error)? {
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
    let code = driver_error(error).and_then(code);
    code.is_some_and(|code| matches!(&*code, "23503" | "23001"))
}

/// What came of opening a connection.
pub(super) fn connecting(error: tokio_postgres::Error) -> Error {
    match said(error) {
        Ok(said) => said,
        Err(error) => match error.source().and_then(|inner| inner.downcast_ref::<io::Error>()) {
            Some(inner) => Error::Io(io::Error::new(inner.kind(), chain(&error))),
            None => Error::Tls(chain(&error).into()),
        },
    }
}

/// The server's own words, if they are what it is.
fn said(error: tokio_postgres::Error) -> Result<Error, tokio_postgres::Error> {
    match error.as_db_error() {
        Some(said) => {
            let (code, message) = (said.code().code().to_owned(), said.message().to_owned());
            Ok(Error::Database(Box::new(Said { code, message })))
        }
        None => Err(error),
    }
}

/// The driver says what it was doing and keeps what went wrong behind that.
fn chain(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(inner) => format!("{error}: {inner}"),
        None => error.to_string(),
    }
}

/// The server's words without the statement, its values and its details.
fn outline(error: &Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}

fn code(error: &Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}

/// What the server said.
#[derive(Debug)]
pub(super) struct Said {
    code: String,
    message: String,
}

impl Said {
    /// Of an answer, its code and its first sentence: details name rows.
    pub(super) fn error(words: &ErrorResponseBody) -> io::Result<Error> {
        let mut said = Self { code: String::new(), message: String::new() };
        let mut fields = words.fields();
        while let Some(field) = fields.next()? {
            let words = String::from_utf8_lossy(field.value_bytes());
            match field.type_() {
                b'C' => said.code = words.into_owned(),
                b'M' => said.message = words.into_owned(),
                _ => {}
            }
        }
        Ok(Error::Database(Box::new(said)))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Said {}

impl DatabaseError for Said {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.as_str().into())
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
        match self.code.as_str() {
            "23505" => ErrorKind::UniqueViolation,
            "23503" => ErrorKind::ForeignKeyViolation,
            "23502" => ErrorKind::NotNullViolation,
            "23514" => ErrorKind::CheckViolation,
            _ => ErrorKind::Other,
        }
    }
}
