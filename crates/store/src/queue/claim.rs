//! Claiming: who takes what, and everything needed to run it, in one transaction.

use super::{deal::Asked, refuse::Refused};
use crate::{StoreError, System};
use domain::{Access, ExecutionId, Settings, Slug, Timestamp, UserId};
use std::time::Duration;
use uuid::Uuid;

/// An execution that a worker holds, with all it needs to run it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The right to act for its organization.
    pub access: Access,
    /// Which.
    pub execution: ExecutionId,
    /// Counts from 1.
    pub attempt: u32,
    /// The worker that holds it.
    pub worker: Uuid,
    /// The workflow's name.
    pub workflow: String,
    /// Where the workflow is now; `None` when it went away since it was asked for.
    pub entry: Option<ClaimedEntry>,
    /// Inputs as JSON text.
    pub inputs: String,
    /// The data provider to ask instead of calling the workflow.
    pub provider: Option<String>,
    /// What the workflow itself says, in seconds.
    pub timeout_seconds: Option<u32>,
    /// The organization's short name and name.
    pub organization: (Slug, String),
    /// Its settings.
    pub settings: Settings,
    /// The person who asked, with address and name.
    pub user: Option<(UserId, String, String)>,
    /// The generation of the organization's files at the claim.
    pub own_generation: i64,
    /// The generation of Global's files at the claim, read in the same statement.
    pub global_generation: i64,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// What its lane was charged for it, in microseconds; its end corrects it.
    pub charged: i64,
    /// How often the workflow wants to be tried again when it fails.
    pub retries: u32,
    /// The pause before the first of them.
    pub retry_delay: Duration,
}

/// What a worker got from the queue.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// What it holds now.
    pub claims: Vec<Claim>,
    /// What nobody may run; it has ended.
    pub refused: Vec<Refused>,
}

/// The function a claimed execution calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedEntry {
    /// Dotted module name.
    pub module: String,
    /// Function in it.
    pub function: String,
}

impl System {
    /// Takes up to `limit` waiting executions for `worker`: of whom is next by the fair rule, of no
    /// organization more than it may run at a time, and of each the most urgent, oldest first.
    pub async fn claim(
        &self,
        worker: Uuid,
        limit: u32,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Claimed, StoreError> {
        let asked = Asked { worker, limit, lease, now };
        let mut claimed = Claimed::default();
        let Some((write, lanes)) = self.lanes(limit).await? else { return Ok(claimed) };
        let hands = self.deal(&write, asked, lanes).await?;
        for hand in hands {
            self.start(&write, hand, asked, &mut claimed).await?;
        }
        write.commit_early().await?;
        Ok(claimed)
    }
}
