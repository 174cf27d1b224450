//! Workspace files: lists, contents, writes and deletions.

use crate::{
    etag::{IfMatch, Tag, is_known},
    extract::{Body, Query, Signed, WorkspacePath},
    file_content::{Encoding, decode},
    file_errors::FilesError,
    file_replies::{EntryReply, FileReply, WrittenReply},
    file_writing::{Write, write},
    page::{Page, PageQuery},
    problem::Problem,
    state::ApiState,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use store::{ListFiles, View};
use utoipa::{IntoParams, ToSchema};

/// Which files.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FileView)]
pub enum ViewWord {
    /// What a workflow sees: the organization's over Global's.
    #[default]
    Effective,
    /// The organization's alone.
    Own,
    /// Global's alone.
    Global,
}

impl From<ViewWord> for View {
    fn from(word: ViewWord) -> Self {
        match word {
            ViewWord::Effective => Self::Effective,
            ViewWord::Own => Self::Own,
            ViewWord::Global => Self::Global,
        }
    }
}

/// Which files a list has.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FilesQuery {
    /// Paths that start with this.
    #[serde(default)]
    prefix: String,
    /// `effective` unless told.
    #[serde(default)]
    #[param(inline)]
    scope: ViewWord,
}

/// Which version of a file.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ContentQuery {
    /// `effective` unless told.
    #[serde(default)]
    #[param(inline)]
    scope: ViewWord,
    /// The present one unless told.
    version: Option<u32>,
}

/// How to write.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WriteQuery {
    /// Take a `.py` file that does not parse; importing it will raise the same error.
    #[serde(default)]
    allow_invalid: bool,
}

/// A file to write.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WriteFile)]
pub struct WriteBody {
    content: String,
    #[serde(default)]
    encoding: Encoding,
    /// Why, for people.
    message: Option<String>,
}

/// Files by path.
#[utoipa::path(
    get, path = "/api/files", tag = "files", operation_id = "listFiles",
    params(PageQuery, FilesQuery), responses((status = 200, body = Page<EntryReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
    Query(query): Query<FilesQuery>,
) -> Result<Json<Page<EntryReply>>, Problem> {
    let wanted = page.wanted("files", &state, &signed)?;
    let list = ListFiles {
        prefix: query.prefix,
        view: query.scope.into(),
        after: wanted.after(),
        limit: wanted.rows(),
    };
    let rows = state.scoped(&signed).files(list).await?;
    Ok(Json(wanted.page(rows, |entry| entry.path.as_str().to_owned())))
}

/// A file with its content.
#[utoipa::path(
    get, path = "/api/files/content/{*path}", tag = "files", operation_id = "getFile",
    params(("path" = String, Path), ContentQuery),
    responses(
        (status = 200, body = FileReply, headers(("ETag" = String))),
        (status = 304, description = "`If-None-Match` names this version."),
    )
)]
pub async fn get(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
    Query(query): Query<ContentQuery>,
    headers: HeaderMap,
) -> Result<Response, FilesError> {
    let found = state.scoped(&signed).file(&path, query.scope.into(), query.version).await?;
    let file = found.ok_or(FilesError::NotThere)?;
    let tag = Tag::seen_by(&signed, file.entry.side, file.entry.version);
    let etag = [(header::ETAG, tag.header())];
    if is_known(&headers, tag) {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    Ok((etag, Json(FileReply::from(file))).into_response())
}

/// Write a file of the token's scope. An organization's file overrides Global's of the same path.
#[utoipa::path(
    put, path = "/api/files/content/{*path}", tag = "files", operation_id = "putFile",
    params(
        ("path" = String, Path), WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag read, or `*`."),
    ),
    request_body = WriteBody,
    responses(
        (status = 200, body = WrittenReply, headers(("ETag" = String))),
        (status = 201, body = WrittenReply, headers(("ETag" = String))),
    )
)]
pub async fn put(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
    Query(query): Query<WriteQuery>,
    if_match: IfMatch,
    Body(body): Body<WriteBody>,
) -> Result<Response, FilesError> {
    let content = decode(body.encoding, body.content).map_err(FilesError::BadBase64)?;
    let order = Write {
        path,
        content,
        message: body.message,
        if_match,
        allow_invalid: query.allow_invalid,
    };
    write(&state, &signed, order).await
}

/// Delete a file of the token's scope; an override falls through to Global's again.
#[utoipa::path(
    delete, path = "/api/files/content/{*path}", tag = "files", operation_id = "deleteFile",
    params(
        ("path" = String, Path),
        ("If-Match" = String, Header, description = "The ETag read, or `*`."),
    ),
    responses((status = 204, description = "Deleted."))
)]
pub async fn delete(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
    if_match: IfMatch,
) -> Result<StatusCode, FilesError> {
    let precondition = if_match.of_own().map_err(FilesError::Precondition)?;
    state.scoped(&signed).delete_file(&path, precondition, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
