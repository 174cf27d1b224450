//! Why a path or the name of a workflow means what it means, and what a past execution would get today.

use crate::{
    extract::{Id, Signed, WorkspacePath},
    problem::Problem,
    state::ApiState,
};
use axum::{
    Json,
    extract::{Path, State},
};
use domain::{
    ExecutionId, ModuleName,
    cascade::{PathCandidate, explain_path},
    execution::LoadedModule,
    scope::Side,
};
use serde::Serialize;
use store::{ModuleFile, ModuleNow, WorkflowCandidate};
use utoipa::ToSchema;
use uuid::Uuid;

/// A content that the path could have.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = FileCandidate)]
pub struct FileCandidateReply {
    scope: Side,
    /// Whether the organization holds this version of Global's file.
    pinned: bool,
    version: u32,
    /// SHA-256 in hex.
    hash: String,
    /// Whether a read gets this one.
    chosen: bool,
    /// Why, for people.
    reason: &'static str,
}

impl From<PathCandidate<ModuleFile>> for FileCandidateReply {
    fn from(it: PathCandidate<ModuleFile>) -> Self {
        let PathCandidate { side, pinned, file, chosen, reason } = it;
        let ModuleFile { version, hash, .. } = file;
        Self { scope: side, pinned, version, hash, chosen, reason }
    }
}

/// What a path means.
#[derive(Serialize, ToSchema)]
#[schema(as = FileExplanation)]
pub struct FileExplanation {
    path: String,
    /// `null` when neither scope has the file.
    #[schema(required = true)]
    winner: Option<FileCandidateReply>,
    /// In the order in which they are asked.
    candidates: Vec<FileCandidateReply>,
}

/// Which file a read of a path gets, and why.
#[utoipa::path(
    get, path = "/api/files/explain/{*path}", tag = "overrides", operation_id = "explainFile",
    params(("path" = String, Path)), responses((status = 200, body = FileExplanation))
)]
pub async fn file(
    State(state): State<ApiState>,
    signed: Signed,
    WorkspacePath(path): WorkspacePath,
) -> Result<Json<FileExplanation>, Problem> {
    let offers = state.scoped(&signed).path_offers(&path).await?;
    let candidates: Vec<FileCandidateReply> =
        explain_path(offers).into_iter().map(Into::into).collect();
    let winner = candidates.iter().find(|candidate| candidate.chosen).cloned();
    Ok(Json(FileExplanation { path: path.into(), winner, candidates }))
}

/// A workflow of the name.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = WorkflowCandidate)]
pub struct WorkflowCandidateReply {
    scope: Side,
    /// Whether it is in a file of Global that the organization holds at a version.
    pinned: bool,
    /// The file it is in.
    path: String,
    /// The function in that file.
    function: String,
    /// Whether the name means this one.
    chosen: bool,
    /// Why, for people.
    reason: &'static str,
}

impl From<WorkflowCandidate> for WorkflowCandidateReply {
    fn from(WorkflowCandidate { entry, chosen, reason }: WorkflowCandidate) -> Self {
        Self {
            scope: entry.side,
            pinned: entry.pinned,
            path: entry.path.into(),
            function: entry.workflow.function,
            chosen,
            reason,
        }
    }
}

/// What the name of a workflow means.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowExplanation)]
pub struct WorkflowExplanation {
    name: String,
    /// `null` when there is no such workflow.
    #[schema(required = true)]
    winner: Option<WorkflowCandidateReply>,
    /// In the order in which they are asked.
    candidates: Vec<WorkflowCandidateReply>,
}

/// Which workflow a name means, and why.
#[utoipa::path(
    get, path = "/api/workflows/{name}/explain", tag = "overrides",
    operation_id = "explainWorkflow",
    params(("name" = String, Path)), responses((status = 200, body = WorkflowExplanation))
)]
pub async fn workflow(
    State(state): State<ApiState>,
    signed: Signed,
    Path(name): Path<String>,
) -> Result<Json<WorkflowExplanation>, Problem> {
    let candidates = state.scoped(&signed).workflow_candidates(&name).await?;
    let candidates: Vec<WorkflowCandidateReply> = candidates.into_iter().map(Into::into).collect();
    let winner = candidates.iter().find(|candidate| candidate.chosen).cloned();
    Ok(Json(WorkflowExplanation { name, winner, candidates }))
}

/// What an import gets today.
#[derive(Serialize, ToSchema)]
#[schema(as = ModuleToday)]
pub struct TodayReply {
    scope: Side,
    /// Whether the organization holds this version of Global's file.
    pinned: bool,
    path: String,
    version: u32,
    /// SHA-256 in hex.
    hash: String,
}

/// A module that an execution loaded.
#[derive(Serialize, ToSchema)]
#[schema(as = UsedModule)]
pub struct UsedReply {
    /// What it was then.
    used: LoadedModule,
    /// What it would be now; `null` when there is no such module any more.
    #[schema(required = true)]
    now: Option<TodayReply>,
    /// Whether that is another content.
    changed: bool,
    /// The same in words.
    said: String,
}

/// The modules of an execution, then and now.
#[derive(Serialize, ToSchema)]
#[schema(as = ExecutionExplanation)]
pub struct ExecutionExplanation {
    id: Uuid,
    workflow: String,
    /// In the order in which they were loaded.
    modules: Vec<UsedReply>,
}

/// Which modules an execution used, and what it would use today.
#[utoipa::path(
    get, path = "/api/executions/{id}/explain", tag = "overrides",
    operation_id = "explainExecution",
    params(("id" = Uuid, Path)), responses((status = 200, body = ExecutionExplanation))
)]
pub async fn execution(
    State(state): State<ApiState>,
    signed: Signed,
    Id(id): Id<ExecutionId>,
) -> Result<Json<ExecutionExplanation>, Problem> {
    let scoped = state.scoped(&signed);
    let found = scoped.execution(id).await?.ok_or_else(Problem::not_found)?;
    let mut modules = Vec::with_capacity(found.modules.len());
    for used in found.modules {
        let now = match ModuleName::parse(&used.name) {
            Ok(name) => scoped.module_now(&name).await?,
            Err(_) => None,
        };
        modules.push(compared(used, now));
    }
    Ok(Json(ExecutionExplanation { id: found.id.0, workflow: found.workflow, modules }))
}

fn compared(used: LoadedModule, now: Option<ModuleNow>) -> UsedReply {
    let changed = now.as_ref().is_none_or(|now| now.file.hash != used.hash);
    let whose = |side: Side| match side {
        Side::Own => "the organization's",
        Side::Global => "Global's",
    };
    let then = format!("used {} `{}`, version {}", whose(used.scope), used.path, used.version);
    let said = match &now {
        None => format!("{then}, which is gone today"),
        Some(now) if now.side != used.scope || now.path != used.path => {
            let (whose, file) = (whose(now.side), &now.file);
            format!("{then}; today it is {whose} `{}`, version {}", now.path, file.version)
        }
        Some(now) if now.file.version != used.version => {
            format!("{then}, which today is version {}", now.file.version)
        }
        Some(_) => format!("{then}, as today"),
    };
    let now = now.map(|ModuleNow { side, path, file }| {
        let ModuleFile { version, hash, pinned } = file;
        TodayReply { scope: side, pinned, path, version, hash }
    });
    UsedReply { used, now, changed, said }
}
