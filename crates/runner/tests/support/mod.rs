//! A world with a runner: real Python, real zygotes, a real database.
#![allow(dead_code, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

use domain::{
    Access, ExecutionId, OrganizationId, Scope, Slug,
    analysis::Workflow,
    execution::{Failure, LogLine, Status},
    settings::Regional,
};
use runner::{Entry, OrganizationInfo, RunLimits, RunReport, RunRequest, Runner, RunnerOptions};
use std::time::Duration;
use store::NewExecution;
use testkit::{World, world::NOW};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub struct Stage {
    pub world: World,
    pub runner: Runner,
}

/// Starts a runner on a fresh world.
pub async fn stage() -> Stage {
    stage_with(|_| {}).await
}

pub async fn stage_with(change: impl FnOnce(&mut RunnerOptions)) -> Stage {
    let world = World::new().await;
    let mut options = RunnerOptions::new(world.directory.path());
    change(&mut options);
    let runner = Runner::start(options, world.store.clone()).await.unwrap();
    Stage { world, runner }
}

impl Stage {
    /// Makes `source` the module `main` of Acme and runs its function `run`.
    pub async fn run(&self, source: &str) -> RunReport {
        self.run_with(source, |_| {}).await
    }

    pub async fn run_with(&self, source: &str, change: impl FnOnce(&mut RunRequest)) -> RunReport {
        self.world.write(self.world.acme, "main.py", source).await;
        let mut request = self.request(self.world.acme).await;
        change(&mut request);
        self.runner.run(request).await.unwrap()
    }

    /// A request as the worker makes it from a claim.
    pub async fn request(&self, scope: Scope) -> RunRequest {
        let execution = self.enqueue(scope).await;
        let generation =
            async |owner| self.world.scoped(scope).file_index(owner).await.unwrap().generation;
        let own = match scope {
            Scope::Global => None,
            Scope::Organization(_) => Some(generation(scope).await),
        };
        RunRequest {
            access: Access::from_claimed_job(scope, execution),
            execution,
            workflow: "main".to_owned(),
            attempt: 1,
            organization: scope.organization().map(|id| self.organization(id)),
            regional: Regional::default(),
            user: None,
            entry: Entry { module: "main".to_owned(), function: "run".to_owned(), provider: false },
            inputs: "{}".to_owned(),
            allowed_hosts: vec!["*".to_owned()],
            limits: RunLimits {
                timeout: Duration::from_secs(60),
                memory_mb: 512,
                max_file_kb: 1024,
                max_queued: 1000,
            },
            own_generation: own,
            global_generation: generation(Scope::Global).await,
            cancel: CancellationToken::new(),
            place: runner::Place::default(),
        }
    }

    /// The lines in the database and those the report brings.
    pub async fn log(&self, scope: Scope, id: ExecutionId, report: &RunReport) -> Vec<LogLine> {
        let kept = self.world.scoped(scope).logs(id, 0, 1_000_000).await.unwrap().unwrap();
        kept.into_iter().map(|line| line.line).chain(report.logs.clone()).collect()
    }

    fn organization(&self, id: OrganizationId) -> OrganizationInfo {
        let acme = Scope::Organization(id) == self.world.acme;
        let (slug, name) = if acme { ("acme", "Acme") } else { ("globex", "Globex") };
        OrganizationInfo { id, slug: Slug::parse(slug).unwrap(), name: name.to_owned() }
    }

    async fn enqueue(&self, scope: Scope) -> ExecutionId {
        let scoped = self.world.scoped(scope);
        if scoped.workflow("queued").await.unwrap().is_none() {
            let workflow = Workflow {
                name: "queued".to_owned(),
                function: "run".to_owned(),
                line: 1,
                description: String::new(),
                is_async: false,
                parameters: serde_json::json!({}),
                options: serde_json::Map::new(),
            };
            self.world.write_with(scope, "queued.py", "", vec![workflow]).await;
        }
        let workflow = scoped.workflow("queued").await.unwrap().unwrap();
        let id = ExecutionId(Uuid::now_v7());
        let new = NewExecution {
            id,
            workflow: &workflow,
            inputs: serde_json::json!({}),
            idempotency_key: None,
            place: store::Place::default(),
            max_queued: 100_000,
            now: NOW,
        };
        scoped.enqueue(new).await.unwrap().execution.id
    }
}

/// The result as JSON.
pub fn result(report: &RunReport) -> serde_json::Value {
    let outcome = &report.outcome;
    assert_eq!(outcome.status, Status::Succeeded, "{outcome:?}");
    serde_json::from_str(outcome.result.as_ref().unwrap()).unwrap()
}

/// The failure of a run that ended so.
pub fn failed(report: &RunReport, status: Status) -> &Failure {
    let outcome = &report.outcome;
    assert_eq!(outcome.status, status, "{outcome:?}");
    assert_eq!(outcome.result, None);
    outcome.failure.as_ref().unwrap()
}

/// Waits until something is true.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    testkit::eventually(what, async || condition().await.then_some(())).await;
}

/// Python that makes a run findable from outside: within, its processes have other numbers. Until it
/// calls `tell()`, [`pids`] knows none.
pub const MARKED: &str = "
import ctypes, secrets
from bifrost import files
MARK = 'bf' + secrets.token_hex(6)
ctypes.CDLL(None).prctl(15, MARK.encode(), 0, 0, 0)
def tell(): files.write('mark', MARK)
";

/// The processes of the marked run of Acme that live, its first one first.
pub async fn pids(stage: &Stage) -> Vec<i64> {
    let Some(mark) = stage.world.read(stage.world.acme, "mark").await else { return Vec::new() };
    let named = |pid: &i64| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.trim() == mark && lives(*pid)
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found: Vec<i64> = numbers.filter(named).collect();
    found.sort_unstable();
    found
}

/// The parent of a process.
pub fn parent(pid: i64) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    line.trim().parse().unwrap()
}

/// Whether a process lives (a zombie does not).
pub fn lives(pid: i64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}
