//! Why a file was not read or written.

use crate::{
    etag,
    problem::{FieldError, Problem},
};
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::DecodeError;
use domain::{admission::Refusal, analysis::SyntaxError, module_name::Reserved};
use store::{DeleteFileError, StoreError, WriteFileError};

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Not there, or another organization's.
    #[error("not there")]
    NotThere,
    /// 412 or 428.
    #[error("the precondition does not hold")]
    Precondition(Problem),
    /// `encoding` said base64, and it is not.
    #[error("is not base64: {0}")]
    BadBase64(DecodeError),
    /// Over the organization's `modules.max_file_kb`.
    #[error("the file is larger than the {0} KiB that this organization allows")]
    TooLarge(u32),
    /// The text that goes with the version.
    #[error("use at most 500 characters")]
    BadMessage,
    /// Somebody else's name.
    #[error("{}", reserved(*.0))]
    Reserved(Reserved),
    /// It does not parse.
    #[error("the file does not parse; send `allow_invalid=true` to write it all the same")]
    Syntax(SyntaxError),
    /// Nobody could read it just now.
    #[error("the file could not be analysed")]
    Analysis(domain::analysis::AnalysisFailed),
    /// The store refused the write.
    #[error(transparent)]
    Write(WriteFileError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for FilesError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        match self {
            Self::NotThere => Problem::not_found(),
            Self::Precondition(problem) => problem,
            Self::BadBase64(_) => Problem::invalid("/content", text),
            Self::BadMessage => Problem::invalid("/message", text),
            Self::TooLarge(_) => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text),
            Self::Reserved(_) => unprocessable("reserved_module_name", text.clone())
                .with_errors(vec![FieldError::new("/path", text)]),
            Self::Syntax(error) => {
                unprocessable("syntax_error", text).with_errors(vec![place(error)])
            }
            Self::Analysis(cause) => Problem::unavailable(&cause),
            Self::Write(error) => refused(error),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

fn unprocessable(code: &'static str, text: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, text)
}

fn reserved(reserved: Reserved) -> &'static str {
    match reserved {
        Reserved::Platform => "the name belongs to the platform's own package",
        Reserved::StandardLibrary => "the name belongs to a module of Python's standard library",
    }
}

fn place(error: SyntaxError) -> FieldError {
    let known = |number: u32| Some(number).filter(|number| *number > 0);
    FieldError {
        line: known(error.line),
        column: known(error.column),
        ..FieldError::new("/content", error.message)
    }
}

/// These texts name only what the asking scope itself holds.
fn refused(error: WriteFileError) -> Problem {
    let text = error.to_string();
    match error {
        WriteFileError::PreconditionRequired => etag::required(),
        WriteFileError::Stale { .. } => etag::stale(),
        WriteFileError::CaseCollision(_) => conflict("case_collision", text),
        WriteFileError::IsDirectory(_) | WriteFileError::ParentIsFile(_) => {
            conflict("path_in_use", text)
        }
        WriteFileError::WorkflowTaken { .. } => conflict("workflow_taken", text),
        WriteFileError::Store(error) => error.into(),
    }
}

fn conflict(code: &'static str, text: String) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, text)
}

impl From<Refusal> for FilesError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge(kib) => Self::TooLarge(kib),
            Refusal::Reserved(reserved) => Self::Reserved(reserved),
            Refusal::Syntax(error) => Self::Syntax(error),
            Refusal::Analysis(error) => Self::Analysis(error),
        }
    }
}

impl From<DeleteFileError> for FilesError {
    fn from(error: DeleteFileError) -> Self {
        match error {
            DeleteFileError::NotThere => Self::NotThere,
            DeleteFileError::PreconditionRequired => Self::Precondition(etag::required()),
            DeleteFileError::Stale { .. } => Self::Precondition(etag::stale()),
            DeleteFileError::Store(error) => Self::Store(error),
        }
    }
}
