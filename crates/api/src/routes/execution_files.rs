//! Files of an execution: results too large to stand in it, and what is to be downloaded.

use crate::{
    extract::{Id, Query, Signed},
    page::{Page, PageQuery},
    problem::Problem,
    state::ApiState,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::{ExecutionId, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use store::{ExecutionFile, StoreError};
use utoipa::ToSchema;

/// What a browser may show by itself: pictures that hold no script.
const SHOWN: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// Whatever the type says, nothing in it runs or loads anything.
const HARMLESS: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Why files were not read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There is no such execution here, or no such file of it.
    #[error("not there")]
    NotThere,
    /// What was asked for makes no sense.
    #[error("the request is not valid")]
    Invalid(Problem),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for FilesError {
    fn into_response(self) -> Response {
        match self {
            Self::NotThere => Problem::not_found(),
            Self::Invalid(problem) => problem,
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

/// A file of an execution.
#[derive(Serialize, ToSchema)]
#[schema(as = ExecutionFile)]
pub struct FileReply {
    name: String,
    /// Its content type, as the workflow said.
    r#type: String,
    /// Bytes.
    size: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<ExecutionFile> for FileReply {
    fn from(file: ExecutionFile) -> Self {
        let ExecutionFile { name, media_type, size, created_at } = file;
        Self { name, r#type: media_type, size, created_at }
    }
}

/// Files of an execution, by name.
#[utoipa::path(
    get, path = "/api/executions/{id}/files", tag = "executions",
    operation_id = "listExecutionFiles", params(("id" = Uuid, Path), PageQuery),
    responses((status = 200, body = Page<FileReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Id(id): Id<ExecutionId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<FileReply>>, FilesError> {
    let wanted = page.wanted("execution_files", &state, &signed).map_err(FilesError::Invalid)?;
    let after = wanted.after().unwrap_or_else(String::new);
    let found = state.scoped(&signed).execution_files(id, &after, wanted.rows()).await?;
    let rows = found.ok_or(FilesError::NotThere)?;
    Ok(Json(wanted.page(rows, |file| file.name.clone())))
}

/// The content of a file of an execution. All but pictures is to be saved, not shown.
#[utoipa::path(
    get, path = "/api/executions/{id}/files/{name}", tag = "executions",
    operation_id = "getExecutionFile",
    params(("id" = Uuid, Path), ("name" = String, Path)),
    responses((status = 200, description = "The content, of the file's own type.",
        content_type = "application/octet-stream", body = [u8]))
)]
pub async fn get(
    State(state): State<ApiState>,
    signed: Signed,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, FilesError> {
    let id: ExecutionId = id.parse().map_err(|_| FilesError::NotThere)?;
    let found = state.scoped(&signed).execution_file(id, &name).await?;
    let (kind, content) = found.ok_or(FilesError::NotThere)?;
    let unknown = HeaderValue::from_static("application/octet-stream");
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_str(&kind).unwrap_or(unknown)),
        (header::CONTENT_DISPOSITION, disposition(&kind, &name)),
        (header::CONTENT_SECURITY_POLICY, HARMLESS),
    ];
    Ok((headers, content).into_response())
}

fn disposition(kind: &str, name: &str) -> HeaderValue {
    let how = if SHOWN.contains(&kind) { "inline" } else { "attachment" };
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let value = HeaderValue::from_str(&format!("{how}; filename*=UTF-8''{name}"));
    value.unwrap_or(HeaderValue::from_static("attachment"))
}
