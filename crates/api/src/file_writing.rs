//! The way of a content into the store: limits, names, analysis, one write.

use crate::{
    etag::{self, IfMatch},
    extract::Signed,
    file_errors::FilesError,
    file_replies::written,
    state::ApiState,
};
use axum::response::Response;
use domain::{
    FilePath,
    analysis::{Analysis, SyntaxError},
};
use store::{Precondition, WriteFile, WriteFileError};

/// A write that somebody ordered.
pub struct Write {
    /// Where.
    pub path: FilePath,
    /// What.
    pub content: Vec<u8>,
    /// Why, for people.
    pub message: Option<String>,
    /// What the writer believes is there.
    pub if_match: IfMatch,
    /// Whether Python that does not parse is taken.
    pub allow_invalid: bool,
}

/// Checks and writes a file into the scope of `signed`, and words the reply.
pub async fn write(
    state: &ApiState,
    signed: &Signed,
    order: Write,
) -> Result<Response, FilesError> {
    check(signed, &order)?;
    let analysis = analyse(state, &order).await?;
    let write = WriteFile {
        path: order.path,
        content: &order.content,
        message: order.message,
        source: "api",
        precondition: order.if_match.precondition(),
        workflows: analysis.workflows,
        now: state.now(),
    };
    match state.scoped(signed).write_file(write).await {
        Ok(done) => Ok(written(done, analysis.diagnostics)),
        // The client saw the inherited file, and meanwhile there is one of its own.
        Err(WriteFileError::PreconditionRequired) if order.if_match == IfMatch::Inherited => {
            Err(FilesError::Precondition(etag::stale()))
        }
        Err(error) => Err(FilesError::Write(error)),
    }
}

fn check(signed: &Signed, order: &Write) -> Result<(), FilesError> {
    let kib = signed.session.organization.settings.modules.max_file_kb;
    if order.content.len() as u64 > u64::from(kib) * 1024 {
        return Err(FilesError::TooLarge(kib));
    }
    if order.message.as_ref().is_some_and(|message| message.chars().count() > 500) {
        return Err(FilesError::BadMessage);
    }
    match order.path.module().and_then(|name| name.reserved()) {
        Some(reserved) => Err(FilesError::Reserved(reserved)),
        None => Ok(()),
    }
}

async fn analyse(state: &ApiState, order: &Write) -> Result<Analysis, FilesError> {
    if !order.path.is_python() {
        return Ok(Analysis::default());
    }
    let analysis = match order.content.contains(&0) {
        true => Analysis { syntax_error: Some(null_byte()), ..Analysis::default() },
        false => state.analyser.analyse(&order.path, &order.content).await?,
    };
    match analysis.syntax_error {
        Some(error) if !order.allow_invalid => Err(FilesError::Syntax(error)),
        Some(_) => Ok(Analysis::default()),
        None => Ok(analysis),
    }
}

fn null_byte() -> SyntaxError {
    let message = "source code cannot contain null bytes".to_owned();
    SyntaxError { message, line: 0, column: 0, text: None }
}

/// What a restore asks of the present file when the client says nothing: it loses no content, so
/// it may go ahead.
pub fn or_any(if_match: IfMatch) -> IfMatch {
    match if_match {
        IfMatch::Store(Precondition::None) => IfMatch::Store(Precondition::Any),
        if_match => if_match,
    }
}
