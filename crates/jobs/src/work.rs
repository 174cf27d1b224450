//! A worker's side of the queue: claim what is waiting, hold the leases, rescue what others lost.

use crate::{
    Bells, Clock,
    metrics::{self, Stage},
};
use domain::ExecutionId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use store::{Claim, Ended, Finished, Reason, Refused, Store, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a claim stands without a sign of life.
pub const LEASE: Duration = Duration::from_secs(10);
/// How often a worker gives one.
const BEAT: Duration = Duration::from_secs(1);
/// How long a worker waits for a bell before it looks anyway, for work that other processes queued.
const LOOK: Duration = Duration::from_millis(500);

/// A failed call to the queue.
pub type WorkError = StoreError;

/// One worker: its identity in the queue and what it holds.
#[derive(Clone)]
pub struct Work(Arc<Inner>);

struct Inner {
    id: Uuid,
    store: Store,
    bells: Bells,
    clock: Arc<dyn Clock>,
    held: Mutex<HashMap<ExecutionId, Leash>>,
}

/// How to stop a run: because somebody asked, or because it is somebody else's now.
#[derive(Clone, Default)]
struct Leash {
    cancelled: CancellationToken,
    lost: CancellationToken,
}

/// An execution this worker holds.
pub struct Held {
    /// What to run.
    pub claim: Claim,
    /// Set when somebody asks to stop it.
    pub cancelled: CancellationToken,
    /// Set when the lease is gone: the run must end and its outcome counts for nothing.
    pub lost: CancellationToken,
    work: Work,
}

impl Work {
    /// A worker with an identity of its own.
    pub fn new(store: Store, bells: Bells, clock: Arc<dyn Clock>) -> Self {
        let held = Mutex::default();
        Self(Arc::new(Inner { id: Uuid::now_v7(), store, bells, clock, held }))
    }

    /// The bells it rings and hears.
    pub fn bells(&self) -> &Bells {
        &self.0.bells
    }

    /// Waits for work and takes up to `limit` of it.
    pub async fn next(&self, limit: u32) -> Result<Vec<Held>, WorkError> {
        loop {
            let claims = self.claim(limit).await?;
            if !claims.is_empty() {
                return Ok(claims);
            }
            if self.promote().await? > 0 {
                continue;
            }
            // Either is a reason to look; the time limit is no failure.
            let _rang = tokio::time::timeout(LOOK, self.0.bells.work()).await;
        }
    }

    /// Lets delayed executions be claimed whose time has come.
    async fn promote(&self) -> Result<u64, WorkError> {
        self.0.store.system(Reason::Claim).promote(self.0.clock.now()).await
    }

    async fn claim(&self, limit: u32) -> Result<Vec<Held>, WorkError> {
        let system = self.0.store.system(Reason::Claim);
        let begun = Instant::now();
        let claimed = system.claim(self.0.id, limit, LEASE, self.0.clock.now()).await?;
        if !claimed.claims.is_empty() {
            metrics::spent(Stage::Claim, begun.elapsed());
        }
        for refused in &claimed.refused {
            let Refused { execution, organization, why } = refused;
            tracing::error!(%execution, %organization, %why, "a job was refused and has ended");
            self.0.bells.ring_execution(*execution);
        }
        if claimed.claims.len() == limit as usize || !claimed.refused.is_empty() {
            // There may be more for another worker of this process, or behind what was refused.
            self.0.bells.ring_work();
        }
        metrics::claimed(claimed.claims.len());
        Ok(claimed.claims.into_iter().map(|claim| self.hold(claim)).collect())
    }

    fn hold(&self, claim: Claim) -> Held {
        let leash = Leash::default();
        self.held().insert(claim.execution, leash.clone());
        Held { claim, cancelled: leash.cancelled, lost: leash.lost, work: self.clone() }
    }

    /// Keeps the leases until `stop`; must run beside the runs.
    pub async fn keep_leases(&self, stop: CancellationToken) {
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.bells.cancel() => {}
                _ = beats.tick() => {}
            }
            if let Err(error) = self.beat().await {
                tracing::warn!(%error, "leases could not be kept; trying again");
            }
        }
    }

    async fn beat(&self) -> Result<(), WorkError> {
        let before: Vec<ExecutionId> = self.held().keys().copied().collect();
        let system = self.0.store.system(Reason::Claim);
        if !before.is_empty() {
            let beat = system.beat(self.0.id, LEASE, self.0.clock.now()).await?;
            for id in before.iter().filter(|id| !beat.held.contains(id)) {
                self.with_leash(*id, |leash| leash.lost.cancel());
            }
            for id in &beat.cancelled {
                self.with_leash(*id, |leash| leash.cancelled.cancel());
            }
        }
        // A worker that is never without work looks here.
        if self.promote().await? > 0 {
            self.0.bells.ring_work();
        }
        self.rescue().await
    }

    async fn rescue(&self) -> Result<(), WorkError> {
        let rescued = self.0.store.system(Reason::Rescue).rescue(self.0.clock.now()).await?;
        for rescue in rescued {
            tracing::warn!(execution = %rescue.execution, lost = rescue.lost, "rescued from a dead worker");
            self.0.bells.ring_execution(rescue.execution);
            self.0.bells.ring_work();
        }
        Ok(())
    }

    /// Gives back what this worker will not finish, for its next attempt elsewhere. Its leases must
    /// not be kept any more.
    pub async fn hand_back(&self) -> Result<(), WorkError> {
        if self.0.store.system(Reason::Claim).let_go(self.0.id).await? > 0 {
            self.rescue().await?;
        }
        Ok(())
    }

    fn with_leash(&self, id: ExecutionId, act: impl FnOnce(&Leash)) {
        if let Some(leash) = self.held().get(&id) {
            act(leash);
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<ExecutionId, Leash>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Ends the execution; `false` when the lease was lost and somebody else will.
    pub async fn finish(&self, finished: Finished) -> Result<bool, WorkError> {
        let scoped = self.work.0.store.scoped(&self.claim.access);
        let (outcome, begun) = (finished.outcome.status, Instant::now());
        let ended = scoped.finish(&self.claim, finished).await?;
        metrics::spent(Stage::Finish, begun.elapsed());
        match ended {
            Some(Ended { again: None, .. }) => metrics::finished(outcome),
            Some(Ended { again: Some(_), .. }) => metrics::tried_again(outcome),
            None => {}
        }
        self.work.0.bells.ring_execution(self.claim.execution);
        if ended.is_some_and(|ended| ended.next > 0) {
            self.work.0.bells.ring_work();
        }
        Ok(ended.is_some())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.work.held().remove(&self.claim.execution);
    }
}
