//! The packages that workflows of the token's organization can import, and how far they are.

use crate::{extract::Signed, problem::Problem, state::ApiState};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{
    FilePath, Scope, Timestamp,
    environment::{Package, Wanted, packages},
    requirements,
    scope::Side,
};
use serde::Serialize;
use std::time::Duration;
use store::{EnvironmentLock, EnvironmentStatus, File, Scoped, StoreError, View};
use utoipa::ToSchema;

/// A build that says nothing for so long is no longer one: its server is gone.
const SILENT: Duration = Duration::from_secs(120);

/// Why an environment was not read or built.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// There is no file that asks for packages.
    #[error("no requirements")]
    NoFile,
    /// The file is Global's.
    #[error("inherited")]
    Inherited,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for EnvironmentError {
    fn into_response(self) -> Response {
        match self {
            Self::NoFile => conflict("no_requirements", NO_FILE),
            Self::Inherited => conflict("inherited", INHERITED),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

const NO_FILE: &str = "there is no `requirements.txt` that asks for packages: write one";
const INHERITED: &str = "the `requirements.txt` that counts here is Global's: it is for those who \
     edit Global's files to build it";

fn conflict(code: &'static str, text: &'static str) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, text)
}

/// How far packages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = EnvironmentStatus)]
pub enum StatusWord {
    /// Nobody has begun to build them; the next run does.
    Waiting,
    /// They are being resolved or installed.
    Building,
    /// They are there, or none are asked for.
    Ready,
    /// They cannot be had; the ones before stay in use.
    Failed,
}

/// A file that asks for packages.
#[derive(Serialize, ToSchema)]
#[schema(as = EnvironmentRequirements)]
pub struct RequirementsReply {
    scope: Side,
    /// Of the file.
    version: u32,
    /// SHA-256 of the file in hex.
    hash: String,
}

/// A package with its version.
#[derive(Serialize, ToSchema)]
#[schema(as = Package)]
pub struct PackageReply {
    name: String,
    version: String,
}

impl From<Package> for PackageReply {
    fn from(Package { name, version }: Package) -> Self {
        Self { name, version }
    }
}

/// The packages that workflows can import.
#[derive(Serialize, ToSchema)]
#[schema(as = Environment)]
pub struct EnvironmentReply {
    status: StatusWord,
    /// The file that counts here: the organization's, else Global's; `null` if there is none.
    #[schema(required = true)]
    requirements: Option<RequirementsReply>,
    /// What runs have now. While a file cannot be built, that is what it had before.
    packages: Vec<PackageReply>,
    /// The version of the file that `packages` are of; `null` for the standard library only.
    #[schema(required = true)]
    packages_version: Option<u32>,
    /// The interpreter's version.
    python: String,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    built_at: Option<Timestamp>,
    /// Why it failed: the resolver's words.
    #[schema(required = true)]
    error: Option<String>,
    /// What is being done while it is built.
    #[schema(required = true)]
    progress: Option<String>,
}

/// The packages of the token's organization.
#[utoipa::path(
    get, path = "/api/environment", tag = "environment", operation_id = "getEnvironment",
    responses((status = 200, body = EnvironmentReply))
)]
pub async fn get(
    State(state): State<ApiState>,
    signed: Signed,
) -> Result<Json<EnvironmentReply>, EnvironmentError> {
    Ok(Json(show(&state, &state.scoped(&signed)).await?))
}

/// Build the packages of the organization's file now, also after they could not be had.
#[utoipa::path(
    post, path = "/api/environment/build", tag = "environment", operation_id = "buildEnvironment",
    responses((status = 202, description = "It is begun.", body = EnvironmentReply))
)]
pub async fn build(
    State(state): State<ApiState>,
    signed: Signed,
) -> Result<Response, EnvironmentError> {
    let scoped = state.scoped(&signed);
    let (owner, file) = file(&scoped).await?.ok_or(EnvironmentError::NoFile)?;
    if owner != scoped.scope() {
        return Err(EnvironmentError::Inherited);
    }
    let (version, hash) = (file.entry.version, &file.entry.hash);
    scoped.build_environment(hash, version, state.now()).await?;
    state.environments.begin(Wanted::new(owner, version, &file.content));
    Ok((StatusCode::ACCEPTED, Json(show(&state, &scoped).await?)).into_response())
}

/// The file that counts, with its scope.
async fn file(scoped: &Scoped) -> Result<Option<(Scope, File)>, StoreError> {
    let Ok(path) = FilePath::parse(requirements::PATH) else { return Ok(None) };
    let found = scoped.file(&path, View::Effective, None).await?;
    Ok(found.map(|file| match file.entry.side {
        Side::Own => (scoped.scope(), file),
        Side::Global => (Scope::Global, file),
    }))
}

async fn show(state: &ApiState, scoped: &Scoped) -> Result<EnvironmentReply, StoreError> {
    let python = state.environments.python();
    let Some((owner, file)) = file(scoped).await? else {
        return Ok(nothing(python, None));
    };
    let (version, hash) = (file.entry.version, file.entry.hash);
    let wanted = Wanted::new(owner, version, &file.content);
    let side = file.entry.side;
    let requirements = RequirementsReply { scope: side, version, hash };
    if wanted.is_empty() {
        return Ok(nothing(python, Some(requirements)));
    }
    let known = scoped.environment(side, &wanted.hash).await?;
    let status = known.as_ref().map_or(StatusWord::Waiting, |known| status(known, state.now()));
    let (built_at, error, progress) = match &known {
        Some(it) => (it.built_at, it.error.clone(), it.progress.clone()),
        None => (None, None, None),
    };
    let used = match known.filter(|known| known.built_at.is_some()) {
        Some(known) => Some(known),
        None => scoped.last_environment(side, &wanted.hash).await?,
    };
    let packages_version = used.as_ref().map(|used| used.version);
    let lock = used.and_then(|used| used.lock).unwrap_or_default();
    Ok(EnvironmentReply {
        status,
        requirements: Some(requirements),
        packages: packages(&lock).into_iter().map(Into::into).collect(),
        packages_version,
        python,
        built_at,
        error,
        progress: progress.filter(|_| status == StatusWord::Building),
    })
}

fn nothing(python: String, requirements: Option<RequirementsReply>) -> EnvironmentReply {
    EnvironmentReply {
        status: StatusWord::Ready,
        requirements,
        packages: Vec::new(),
        packages_version: None,
        python,
        built_at: None,
        error: None,
        progress: None,
    }
}

fn status(known: &EnvironmentLock, now: Timestamp) -> StatusWord {
    let silent = u128::from(now.0.abs_diff(known.updated_at.0)) > SILENT.as_micros();
    match known.status {
        EnvironmentStatus::Building if silent => StatusWord::Waiting,
        EnvironmentStatus::Building => StatusWord::Building,
        EnvironmentStatus::Waiting => StatusWord::Waiting,
        EnvironmentStatus::Ready => StatusWord::Ready,
        EnvironmentStatus::Failed => StatusWord::Failed,
    }
}
