//! The history of a file, and going back in it.

use crate::{
    etag::IfMatch,
    extract::{Body, Query, Signed, WorkspacePath},
    file_errors::FilesError,
    file_replies::WrittenReply,
    file_writing::{Write, or_any, write},
    page::{Page, PageQuery},
    problem::Problem,
    routes::files::ViewWord,
    state::ApiState,
};
use axum::{Json, extract::State, response::Response};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use store::{FileVersion, View};
use utoipa::{IntoParams, ToSchema};

/// Whose history.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VersionsQuery {
    /// `effective` unless told: the organization's own, or Global's where it has none.
    #[serde(default)]
    #[param(inline)]
    scope: ViewWord,
}

/// One write, or one deletion, of a file.
#[derive(Serialize, ToSchema)]
#[schema(as = FileVersion)]
pub struct VersionReply {
    version: u32,
    /// SHA-256 in hex; `null` when this version deleted the file.
    #[schema(required = true)]
    hash: Option<String>,
    /// Bytes.
    size: u64,
    #[schema(required = true)]
    message: Option<String>,
    /// What wrote it: `api`, `sdk`, `operator`, …
    source: String,
    author: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<FileVersion> for VersionReply {
    fn from(it: FileVersion) -> Self {
        let FileVersion { version, hash, size, message, source, author, created_at } = it;
        Self { version, hash, size, message, source, author, created_at }
    }
}

/// Which version to go back to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RestoreFile)]
pub struct RestoreBody {
    /// One of the token's own scope.
    version: u32,
}

/// Versions of a file, newest first. A path that never was a file has none: 404.
#[utoipa::path(
    get, path = "/api/files/versions/{*path}", tag = "files", operation_id = "listFileVersions",
    params(("path" = String, Path), PageQuery, VersionsQuery),
    responses((status = 200, body = Page<VersionReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
    Query(page): Query<PageQuery>,
    Query(query): Query<VersionsQuery>,
) -> Result<Json<Page<VersionReply>>, Problem> {
    let wanted = page.wanted("file versions", &state, &signed)?;
    let before = wanted.after();
    let view = query.scope.into();
    let rows = state.scoped(&signed).file_versions(&path, view, before, wanted.rows()).await?;
    if rows.is_empty() && before.is_none() {
        return Err(Problem::not_found());
    }
    Ok(Json(wanted.page(rows, |row| row.version.to_string())))
}

/// Write an earlier version of the token's own file again, as a new version.
#[utoipa::path(
    post, path = "/api/files/restore/{*path}", tag = "files", operation_id = "restoreFile",
    params(
        ("path" = String, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag read; nothing forces."),
    ),
    request_body = RestoreBody,
    responses((status = 200, body = WrittenReply), (status = 201, body = WrittenReply))
)]
pub async fn restore(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
    if_match: IfMatch,
    Body(body): Body<RestoreBody>,
) -> Result<Response, FilesError> {
    let found = state.scoped(&signed).file(&path, View::Own, Some(body.version)).await?;
    let old = found.ok_or(FilesError::NotThere)?;
    let order = Write {
        path,
        content: old.content,
        message: Some(format!("restore version {}", body.version)),
        if_match: or_any(if_match),
        // It was taken once, and may be taken again as it was.
        allow_invalid: true,
    };
    write(&state, &signed, order).await
}
