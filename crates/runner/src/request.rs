//! What is asked of the runner, and what it answers.

use crate::egress::Traffic;
use crate::place::Place;
use domain::{
    Access, ExecutionId, OrganizationId, Slug, UserId,
    execution::{LoadedModule, LogLine, Outcome},
    settings::Regional,
};
use jobs::metrics::{self, Stage};
use serde::Serialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One execution to run now.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// The right it runs with, from the claimed queue row. Its scope decides what it sees; nothing
    /// the child says ever does.
    pub access: Access,
    /// Which execution.
    pub execution: ExecutionId,
    /// The workflow's name.
    pub workflow: String,
    /// Counts from 1.
    pub attempt: u32,
    /// The organization of `access`; `None` for Global.
    pub organization: Option<OrganizationInfo>,
    /// Where the organization is; of Global for a run there.
    pub regional: Regional,
    /// Who asked, if a person did.
    pub user: Option<UserInfo>,
    /// What to call.
    pub entry: Entry,
    /// The inputs object as JSON text, at most 16 MiB.
    pub inputs: String,
    /// Whom it may reach: `network.allowed_hosts` of its organization.
    pub allowed_hosts: Vec<String>,
    /// How far it may go.
    pub limits: RunLimits,
    /// The generation of the organization's files at the claim; `None` for a run in Global.
    pub own_generation: Option<i64>,
    /// The generation of Global's files at the claim.
    pub global_generation: i64,
    /// Cancelled when somebody wants the run to stop.
    pub cancel: CancellationToken,
    /// The place it has among those that run, to lend while it waits for another one.
    pub place: Place,
}

/// An organization, as its workflows see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrganizationInfo {
    /// Its id.
    pub id: OrganizationId,
    /// Its short name, part of every `bifrost://` origin.
    pub slug: Slug,
    /// Its name.
    pub name: String,
}

/// A person, as workflows see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// Their id.
    pub id: UserId,
    /// The address they sign in with.
    pub email: String,
    /// Their name.
    pub name: String,
}

/// A function in a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Dotted name.
    pub module: String,
    /// Function in it.
    pub function: String,
    /// Whether it is a data provider, which is asked what a parameter can be.
    pub provider: bool,
}

/// How far one run may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// Wall-clock time from the fork to the end.
    pub timeout: Duration,
    /// Memory in MiB.
    pub memory_mb: u32,
    /// Largest file it may write to its workspace, in KiB.
    pub max_file_kb: u32,
    /// Executions that may wait in its organization.
    pub max_queued: u32,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// Its one outcome.
    pub outcome: Outcome,
    /// The workspace modules it loaded, in order.
    pub modules: Vec<LoadedModule>,
    /// The last lines of its log: they are not in the store yet, to be kept with the outcome.
    pub logs: Vec<LogLine>,
    /// Lines of its log that could not be kept because the store refused them.
    pub log_lines_lost: u64,
    /// What it did on the network.
    pub traffic: Traffic,
    /// Where the time went.
    pub timings: Timings,
}

/// Where the time of a run went.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Timings {
    /// Until it had a place to live in.
    pub place: Duration,
    /// From there until its files were there.
    pub files: Duration,
    /// From there until the child lived.
    pub fork: Duration,
    /// From there until it said what it had imported; until its end if it never did.
    pub import: Duration,
    /// From there until its end was known.
    pub code: Duration,
    /// From there until the child was reaped and its log kept.
    pub end: Duration,
}

impl Timings {
    /// Adds them to the figures of this process.
    pub(crate) fn count(&self) {
        metrics::spent(Stage::Place, self.place);
        metrics::spent(Stage::Files, self.files);
        metrics::spent(Stage::Fork, self.fork);
        metrics::spent(Stage::Import, self.import);
        metrics::spent(Stage::Code, self.code);
        metrics::spent(Stage::End, self.end);
    }
}

/// Why a run did not start. Nothing of the workflow has run: it may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The scope's files could not be had.
    #[error("the files of the workspace could not be loaded: {0}; try again")]
    Files(#[from] crate::sources::SourceError),
    /// There is no process for it.
    #[error(transparent)]
    Spawn(#[from] crate::zygote::SpawnFailed),
    /// Pipes, sockets or memory files could not be made.
    #[error("the system refused a descriptor: {0}; raise the limit of open files or run fewer")]
    System(#[from] std::io::Error),
    /// There is no place for it to live in and to write to.
    #[error("its place could not be made: {0}; check the data directory's space, and memory")]
    Seat(std::io::Error),
    /// The inputs cannot be handed over; trying again will not help.
    #[error("the inputs cannot be handed over: {0}")]
    Inputs(String),
    /// The request contradicts itself, which is a fault of the caller.
    #[error("the request is for another organization than its access")]
    Confused,
}
