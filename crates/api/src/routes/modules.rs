//! What a module name means for the asking organization, and why.

use crate::{
    extract::{Query, Signed},
    problem::Problem,
    state::ApiState,
};
use axum::{Json, extract::State};
use domain::{
    ModuleName,
    cascade::{Candidate, Form, explain as candidates_of},
    scope::Side,
};
use serde::{Deserialize, Serialize};
use store::ModuleFile;
use utoipa::{IntoParams, ToSchema};

/// Which name.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// Dotted, as in an import.
    #[param(example = "shared.halopsa")]
    name: String,
}

/// In which of Python's forms a scope has a module.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ModuleForm)]
pub enum FormWord {
    /// `a/b/__init__.py`
    Package,
    /// `a/b.py`
    Module,
    /// Files under `a/b/`, but neither of the above.
    Namespace,
}

impl From<Form> for FormWord {
    fn from(form: Form) -> Self {
        match form {
            Form::Package => Self::Package,
            Form::Module => Self::Module,
            Form::Namespace => Self::Namespace,
        }
    }
}

/// A file that could be the module.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ModuleCandidate)]
pub struct CandidateReply {
    scope: Side,
    /// Whether the organization holds this version of Global's file.
    pinned: bool,
    /// A directory for a namespace.
    path: String,
    form: FormWord,
    /// `null` for a namespace.
    #[schema(required = true)]
    version: Option<u32>,
    /// SHA-256 in hex; `null` for a namespace.
    #[schema(required = true)]
    hash: Option<String>,
    /// Whether an import gets this one.
    chosen: bool,
    /// Why, for people.
    reason: &'static str,
}

impl From<Candidate<ModuleFile>> for CandidateReply {
    fn from(candidate: Candidate<ModuleFile>) -> Self {
        let (version, hash) = candidate.file.map(|file| (file.version, file.hash)).unzip();
        Self {
            scope: candidate.side,
            pinned: candidate.pinned,
            path: candidate.path,
            form: candidate.form.into(),
            version,
            hash,
            chosen: candidate.chosen,
            reason: candidate.reason,
        }
    }
}

/// What a name means.
#[derive(Serialize, ToSchema)]
#[schema(as = ModuleExplanation)]
pub struct Explanation {
    name: String,
    /// The first candidate chosen; `null` when neither scope has the module.
    #[schema(required = true)]
    winner: Option<CandidateReply>,
    /// In the order in which they are asked.
    candidates: Vec<CandidateReply>,
}

/// Which file an import of a name gets, and why.
#[utoipa::path(
    get, path = "/api/modules/explain", tag = "modules", operation_id = "explainModule",
    params(ExplainQuery), responses((status = 200, body = Explanation))
)]
pub async fn explain(
    State(state): State<ApiState>,
    signed: Signed,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>, Problem> {
    let name = ModuleName::parse(&query.name)
        .map_err(|error| Problem::invalid("/name", error.to_string()))?;
    let offers = state.scoped(&signed).module_offers(&name).await?;
    let candidates = candidates_of(&name, &offers.files, offers.hidden);
    let candidates: Vec<CandidateReply> = candidates.into_iter().map(Into::into).collect();
    let winner = candidates.iter().find(|candidate| candidate.chosen).cloned();
    Ok(Json(Explanation { name: query.name, winner, candidates }))
}
