//! The way of a content into the store: the rule for files, one write.

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
    admission::{self, Accepted, Invalid},
    environment::Wanted,
    requirements,
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
    let accepted = admit(state, signed, &order).await?;
    let write = WriteFile {
        path: order.path,
        content: &order.content,
        message: order.message,
        source: "api",
        precondition: order.if_match.precondition(),
        workflows: accepted.workflows,
        now: state.now(),
    };
    match state.scoped(signed).write_file(write).await {
        Ok(done) => {
            if requirements::is_requirements(&done.entry.path) {
                let owner = signed.access.scope();
                let wanted = Wanted::new(owner, done.entry.version, &order.content);
                state.environments.begin(wanted);
            }
            Ok(written(done, accepted.diagnostics))
        }
        // The client saw the inherited file, and meanwhile there is one of its own.
        Err(WriteFileError::PreconditionRequired) if order.if_match == IfMatch::Inherited => {
            Err(FilesError::Precondition(etag::stale()))
        }
        Err(error) => Err(FilesError::Write(error)),
    }
}

/// What the rule for files says of `order`.
pub(crate) async fn admit(
    state: &ApiState,
    signed: &Signed,
    order: &Write,
) -> Result<Accepted, FilesError> {
    if order.message.as_ref().is_some_and(|message| message.chars().count() > 500) {
        return Err(FilesError::BadMessage);
    }
    let max_kb = signed.session.organization.settings.modules.max_file_kb;
    let invalid = if order.allow_invalid { Invalid::Accept } else { Invalid::Refuse };
    let analyser = &*state.analyser;
    Ok(admission::admit(&order.path, &order.content, max_kb, invalid, analyser).await?)
}

/// What a restore asks of the present file when the client says nothing: it loses no content, so
/// it may go ahead.
pub fn or_any(if_match: IfMatch) -> IfMatch {
    match if_match {
        IfMatch::Store(Precondition::None) => IfMatch::Store(Precondition::Any),
        if_match => if_match,
    }
}
