//! Bringing an override up to what Global has by now, and giving it up.

use crate::{
    etag::IfMatch,
    extract::{Body, Signed, WorkspacePath},
    file_content::{Encoding, decode},
    file_errors::FilesError,
    file_replies::{WrittenReply, written},
    file_writing::{Write, admit},
    problem::Problem,
    routes::file_diff::SideReply,
    state::ApiState,
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{
    FilePath,
    file_ref::FileRef,
    merge::{Merged, merge},
    scope::Side,
};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use store::{NamedContent, Precondition, RebaseError, RevertError, Scoped, StoreError, WriteFile};
use utoipa::ToSchema;

/// Why an override was not rebased or given up.
#[derive(Debug, thiserror::Error)]
pub enum RebasingError {
    /// There is no override.
    #[error("not there")]
    NotThere,
    /// Both changed the same lines, and somebody has to choose.
    #[error("{0} places were changed by both: send `content` with what shall be there")]
    Conflicts(u32),
    /// At least one content is no text or too large.
    #[error("the contents cannot be merged: send `content` with what shall be there")]
    Unmergeable,
    /// The file hides none of Global's.
    #[error("Global has no such file: delete it if that is what you want")]
    NoOverride,
    /// The merge died.
    #[error("the merge ended oddly")]
    Ended(#[from] tokio::task::JoinError),
    /// As any other write.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for RebasingError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        let conflict = |code| Problem::new(StatusCode::CONFLICT, code, text);
        match self {
            Self::NotThere => Problem::not_found().into_response(),
            Self::Conflicts(_) => conflict("merge_conflicts").into_response(),
            Self::Unmergeable => conflict("unmergeable").into_response(),
            Self::NoOverride => conflict("no_override").into_response(),
            Self::Ended(error) => Problem::internal(&error).into_response(),
            Self::Files(error) => error.into_response(),
            Self::Store(error) => Problem::from(error).into_response(),
        }
    }
}

/// A proposal: nothing is changed by asking for it.
#[derive(Serialize, ToSchema)]
#[schema(as = Rebase)]
pub struct RebaseReply {
    path: String,
    /// What the override began from; `null` when Global had no such file then.
    #[schema(required = true)]
    base: Option<SideReply>,
    own: SideReply,
    global: SideReply,
    /// What the organization and Global each changed, together; where both changed the same lines,
    /// with marks around both. `null` when the contents are no texts, or too large.
    #[schema(required = true)]
    content: Option<String>,
    /// How many such places there are.
    conflicts: u32,
}

/// What to make of an override.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApplyRebase)]
pub struct RebaseBody {
    /// The version of the override that the proposal was made of.
    #[schema(value_type = u32, minimum = 1)]
    own: NonZeroU32,
    /// Global's version that it was made of: the new base.
    #[schema(value_type = u32, minimum = 1)]
    global: NonZeroU32,
    /// What shall be there; the proposal unless told.
    content: Option<String>,
    #[serde(default)]
    encoding: Encoding,
}

/// What one is made of.
struct Sources {
    base: Option<NamedContent>,
    own: NamedContent,
    global: NamedContent,
}

impl Sources {
    async fn read(
        scoped: &Scoped,
        path: &FilePath,
        own: Option<NonZeroU32>,
        global: Option<NonZeroU32>,
    ) -> Result<Option<Self>, StoreError> {
        let own = scoped.named_content(path, FileRef::Own(own)).await?;
        let global = scoped.named_content(path, FileRef::Global(global)).await?;
        let base = scoped.named_content(path, FileRef::Base).await?;
        // Global's own file overrides nothing.
        let own = own.filter(|own| own.side == Side::Own);
        Ok(own.zip(global).map(|(own, global)| Self { base, own, global }))
    }

    fn merged(&self) -> Option<Merged> {
        let base = self.base.as_ref();
        let label = |word: &str, version: u32| format!("{word}@{version}");
        let labels = [
            base.map_or_else(|| "base".to_owned(), |base| label("global", base.version)),
            label("own", self.own.version),
            label("global", self.global.version),
        ];
        let base = base.map_or(&[][..], |base| &base.content);
        let labels = labels.each_ref().map(String::as_str);
        merge(base, &self.own.content, &self.global.content, labels)
    }
}

/// What an override would be with what Global has changed since it began: a three-way merge.
#[utoipa::path(
    get, path = "/api/files/rebase/{*path}", tag = "overrides", operation_id = "proposeRebase",
    params(("path" = String, Path)), responses((status = 200, body = RebaseReply))
)]
pub async fn propose(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
) -> Result<Json<RebaseReply>, RebasingError> {
    let scoped = state.scoped(&signed);
    let sources = Sources::read(&scoped, &path, None, None).await?;
    let sources = sources.ok_or(RebasingError::NotThere)?;
    // Large files take a while: not on a thread that others wait for.
    let reply = tokio::task::spawn_blocking(move || {
        let (content, conflicts) =
            sources.merged().map(|merged| (merged.content, merged.conflicts)).unzip();
        RebaseReply {
            path: path.into(),
            base: sources.base.as_ref().map(SideReply::from),
            own: SideReply::from(&sources.own),
            global: SideReply::from(&sources.global),
            content,
            conflicts: conflicts.unwrap_or(0),
        }
    });
    Ok(Json(reply.await?))
}

/// Write the proposal, or `content`, as the override's next version, with Global's version as its
/// base. 412 when the override has changed since.
#[utoipa::path(
    post, path = "/api/files/rebase/{*path}", tag = "overrides", operation_id = "applyRebase",
    params(("path" = String, Path)), request_body = RebaseBody,
    responses((status = 200, body = WrittenReply, headers(("ETag" = String))))
)]
pub async fn apply(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
    Body(body): Body<RebaseBody>,
) -> Result<Response, RebasingError> {
    let scoped = state.scoped(&signed);
    let (own, global) = (Some(body.own), Some(body.global));
    let sources = Sources::read(&scoped, &path, own, global).await?;
    let sources = sources.ok_or(RebasingError::NotThere)?;
    let content = match body.content {
        Some(content) => decode(body.encoding, content).map_err(FilesError::BadBase64)?,
        None => proposed(sources).await?,
    };
    let precondition = Precondition::Version(body.own.get());
    let order = Write {
        path,
        content,
        message: Some(format!("rebase on global@{}", body.global)),
        if_match: IfMatch::Store(precondition),
        allow_invalid: false,
    };
    let accepted = admit(&state, &signed, &order).await?;
    let write = WriteFile {
        path: order.path,
        content: &order.content,
        message: order.message,
        source: "api",
        precondition,
        workflows: accepted.workflows,
        now: state.now(),
    };
    match Box::pin(scoped.rebase_file(write, body.global.get())).await {
        Ok(done) => Ok(written(done, accepted.diagnostics)),
        Err(RebaseError::NotThere) => Err(RebasingError::NotThere),
        Err(RebaseError::Write(error)) => Err(FilesError::Write(error).into()),
        Err(RebaseError::Store(error)) => Err(error.into()),
    }
}

async fn proposed(sources: Sources) -> Result<Vec<u8>, RebasingError> {
    let merged = tokio::task::spawn_blocking(move || sources.merged()).await?;
    match merged.ok_or(RebasingError::Unmergeable)? {
        Merged { content, conflicts: 0 } => Ok(content.into_bytes()),
        Merged { conflicts, .. } => Err(RebasingError::Conflicts(conflicts)),
    }
}

/// Give an override up: from the next run on the organization's workflows get Global's file.
#[utoipa::path(
    post, path = "/api/files/revert/{*path}", tag = "overrides", operation_id = "revertFile",
    params(
        ("path" = String, Path),
        ("If-Match" = String, Header, description = "The ETag read, or `*`."),
    ),
    responses((status = 204, description = "Given up."))
)]
pub async fn revert(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
    if_match: IfMatch,
) -> Result<StatusCode, RebasingError> {
    let precondition = if_match.of_own().map_err(FilesError::Precondition)?;
    match state.scoped(&signed).revert_file(&path, precondition, state.now()).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(RevertError::NoOverride) => Err(RebasingError::NoOverride),
        Err(RevertError::Delete(error)) => Err(FilesError::from(error).into()),
        Err(RevertError::Store(error)) => Err(error.into()),
    }
}
