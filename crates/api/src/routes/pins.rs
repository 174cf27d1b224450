//! Files of Global that an organization holds at a version.

use crate::{
    extract::{Body, Query, Signed, WorkspacePath},
    page::{Page, PageQuery},
    problem::Problem,
    routes::overrides::StateReply,
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
    admission::{self, Invalid, Refusal},
    analysis::Workflow,
    file_ref::FileRef,
};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use store::{PinEntry, PinError, PinFile, StoreError};
use utoipa::{IntoParams, ToSchema};

/// Why a file is not held, or not let go.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// Global has no such version, or nothing is held there.
    #[error("not there")]
    NotThere,
    /// Nobody could read it just now.
    #[error("the file could not be analysed")]
    Analysis(Refusal),
    /// The store refused.
    #[error(transparent)]
    Pin(PinError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for PinsError {
    fn into_response(self) -> Response {
        match self {
            Self::NotThere => Problem::not_found(),
            Self::Analysis(cause) => Problem::unavailable(&cause),
            Self::Pin(error) => refused(error),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

/// These texts name only what the asking organization itself has and holds.
fn refused(error: PinError) -> Problem {
    let text = error.to_string();
    let code = match error {
        PinError::NotThere => return Problem::not_found(),
        PinError::Store(error) => return error.into(),
        PinError::OfGlobal => "of_global",
        PinError::Overridden => "overridden",
        PinError::Requirements => "not_pinnable",
        PinError::IsDirectory(_) | PinError::ParentIsFile(_) => "path_in_use",
        PinError::WorkflowTaken { .. } => "workflow_taken",
    };
    Problem::new(StatusCode::CONFLICT, code, text)
}

/// Which pins.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PinsQuery {
    /// Paths that start with this.
    #[serde(default)]
    prefix: String,
}

/// Which version to hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PinFile)]
pub struct PinBody {
    /// One of Global's.
    #[schema(value_type = u32, minimum = 1)]
    version: NonZeroU32,
}

/// A file that the organization holds.
#[derive(Serialize, ToSchema)]
#[schema(as = Pin)]
pub struct PinReply {
    path: String,
    /// What runs get; `updated_at` is when it was pinned.
    pinned: StateReply,
    pinned_by: String,
    /// What runs would get without the pin; `null` when Global has deleted the file.
    #[schema(required = true)]
    global: Option<StateReply>,
    /// Whether that is another content.
    drift: bool,
}

impl From<PinEntry> for PinReply {
    fn from(PinEntry { path, pinned, pinned_by, global }: PinEntry) -> Self {
        let drift = global.as_ref().is_none_or(|global| global.hash != pinned.hash);
        let global = global.map(Into::into);
        Self { path: path.into(), pinned: pinned.into(), pinned_by, global, drift }
    }
}

/// Pins by path. Global itself has none.
#[utoipa::path(
    get, path = "/api/pins", tag = "overrides", operation_id = "listPins",
    params(PageQuery, PinsQuery), responses((status = 200, body = Page<PinReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
    Query(query): Query<PinsQuery>,
) -> Result<Json<Page<PinReply>>, Problem> {
    let wanted = page.wanted("pins", &state, &signed)?;
    let rows = state.scoped(&signed).pins(&query.prefix, wanted.after(), wanted.rows()).await?;
    Ok(Json(wanted.page(rows, |pin| pin.path.as_str().to_owned())))
}

/// Hold a file of Global at a version: from the next run on the organization's workflows get that
/// one. Refused where the organization has a file of its own.
#[utoipa::path(
    put, path = "/api/files/pin/{*path}", tag = "overrides", operation_id = "pinFile",
    params(("path" = String, Path)), request_body = PinBody,
    responses((status = 200, body = PinReply))
)]
pub async fn pin(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
    Body(body): Body<PinBody>,
) -> Result<Json<PinReply>, PinsError> {
    let scoped = state.scoped(&signed);
    let wanted = FileRef::Global(Some(body.version));
    let found = scoped.named_content(&path, wanted).await?.ok_or(PinsError::NotThere)?;
    let workflows = workflows(&state, &path, &found.content).await?;
    let pin = PinFile { path, version: found.version, workflows, now: state.now() };
    let held = Box::pin(scoped.pin_file(pin)).await.map_err(PinsError::Pin)?;
    Ok(Json(held.into()))
}

/// What is in that version. It was taken once, so that neither size nor name can be against it, and
/// what does not parse has no workflows.
async fn workflows(
    state: &ApiState,
    path: &FilePath,
    content: &[u8],
) -> Result<Vec<Workflow>, PinsError> {
    let analyser = &*state.analyser;
    let accepted = admission::admit(path, content, u32::MAX, Invalid::Accept, analyser).await;
    match accepted {
        Ok(accepted) => Ok(accepted.workflows),
        Err(Refusal::Reserved(_)) => Ok(Vec::new()),
        Err(refusal) => Err(PinsError::Analysis(refusal)),
    }
}

/// Let go of a file: from the next run on the organization's workflows get Global's as it is.
/// What that changes: `GET /api/files/diff/{path}?from=global@VERSION&to=global`.
#[utoipa::path(
    delete, path = "/api/files/pin/{*path}", tag = "overrides", operation_id = "unpinFile",
    params(("path" = String, Path)), responses((status = 204, description = "Let go."))
)]
pub async fn unpin(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
) -> Result<StatusCode, PinsError> {
    match state.scoped(&signed).unpin_file(&path, state.now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(PinsError::NotThere),
    }
}
