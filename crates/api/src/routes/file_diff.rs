//! Two contents of one path beside each other.

use crate::{
    extract::{Query, Signed, WorkspacePath},
    problem::Problem,
    state::ApiState,
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::{
    FilePath,
    diff::{Comparison, Hunk, compare},
    file_ref::{BadFileRef, FileRef},
    scope::Side,
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use store::{NamedContent, StoreError};
use utoipa::{IntoParams, ToSchema};

/// Longest time one comparison looks for the shortest way.
const AT_MOST: Duration = Duration::from_secs(1);

/// Which two.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// `own`, `global`, `base`, `own@2` or `global@3`; `global` unless told.
    #[param(example = "base")]
    from: Option<String>,
    /// The same; `own` unless told.
    #[param(example = "own")]
    to: Option<String>,
}

/// Why two contents were not compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// One of them is not there, or not the caller's to see.
    #[error("not there")]
    NotThere,
    /// It is not said in one of the known words.
    #[error("{1}")]
    BadRef(&'static str, BadFileRef),
    /// The comparison died.
    #[error("the comparison ended oddly")]
    Ended(#[from] tokio::task::JoinError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for DiffError {
    fn into_response(self) -> Response {
        match self {
            Self::NotThere => Problem::not_found(),
            Self::BadRef(pointer, error) => Problem::invalid(pointer, error.to_string()),
            Self::Ended(error) => Problem::internal(&error),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

/// One of the two contents.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = DiffSide)]
pub struct SideReply {
    scope: Side,
    version: u32,
    /// SHA-256 in hex.
    hash: String,
    /// Bytes.
    size: u64,
}

/// What is different.
#[derive(Serialize, ToSchema)]
#[schema(as = FileDiff)]
pub struct DiffReply {
    path: String,
    from: SideReply,
    to: SideReply,
    /// As `diff -u` writes it; empty when nothing is different.
    unified: String,
    /// The same for programs; none when the contents are no texts, or too large.
    hunks: Vec<Hunk>,
    /// Lines that only `to` has.
    added: u32,
    /// Lines that only `from` has.
    removed: u32,
    /// Whether the contents are different.
    differs: bool,
    /// Whether they are only said to be different: at least one is no text.
    binary: bool,
    /// Whether they are only said to be different: at least one is over 2 MiB.
    too_large: bool,
}

/// Compare two contents of a path: the organization's, Global's, the base of the override, or an
/// earlier version of either scope.
#[utoipa::path(
    get, path = "/api/files/diff/{*path}", tag = "overrides", operation_id = "diffFile",
    params(("path" = String, Path), DiffQuery), responses((status = 200, body = DiffReply))
)]
pub async fn get(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
    Query(query): Query<DiffQuery>,
) -> Result<Json<DiffReply>, DiffError> {
    let from = read_ref("/from", query.from.as_deref().unwrap_or("global"))?;
    let to = read_ref("/to", query.to.as_deref().unwrap_or("own"))?;
    let scoped = state.scoped(&signed);
    let from = scoped.named_content(&path, from).await?.ok_or(DiffError::NotThere)?;
    let to = scoped.named_content(&path, to).await?.ok_or(DiffError::NotThere)?;
    // Large files take a while: not on a thread that others wait for.
    let compared = tokio::task::spawn_blocking(move || diff(&path, from, to)).await?;
    Ok(Json(compared))
}

fn read_ref(pointer: &'static str, text: &str) -> Result<FileRef, DiffError> {
    text.parse().map_err(|error| DiffError::BadRef(pointer, error))
}

/// The comparison of two contents of `path`.
pub(crate) fn diff(path: &FilePath, from: NamedContent, to: NamedContent) -> DiffReply {
    let compared = compare(&from.content, &to.content, Some(Instant::now() + AT_MOST));
    let label = |it: &NamedContent| format!("{}@{}/{path}", word(it.side), it.version);
    let (old, new) = (label(&from), label(&to));
    let mut reply = DiffReply {
        path: path.as_str().to_owned(),
        from: SideReply::from(&from),
        to: SideReply::from(&to),
        unified: String::new(),
        hunks: Vec::new(),
        added: 0,
        removed: 0,
        differs: compared != Comparison::Same,
        binary: compared == Comparison::Binary,
        too_large: compared == Comparison::TooLarge,
    };
    match compared {
        Comparison::Same => {}
        Comparison::Binary => reply.unified = format!("Binary files {old} and {new} differ\n"),
        Comparison::TooLarge => reply.unified = format!("Large files {old} and {new} differ\n"),
        Comparison::Text(diff) => {
            reply.unified = diff.unified(&old, &new);
            (reply.added, reply.removed) = (diff.added, diff.removed);
            reply.hunks = diff.hunks;
        }
    }
    reply
}

fn word(side: Side) -> &'static str {
    match side {
        Side::Own => "own",
        Side::Global => "global",
    }
}

impl From<&NamedContent> for SideReply {
    fn from(it: &NamedContent) -> Self {
        let (scope, version, size) = (it.side, it.version, it.content.len() as u64);
        Self { scope, version, hash: it.hash.clone(), size }
    }
}
