//! A worker: takes executions from the queue, runs each in its own child, and ends it in the store.

use crate::{
    Entry, NotStarted, OrganizationInfo, Place, RunLimits, RunReport, RunRequest, Runner, UserInfo,
};
use domain::{
    Scope,
    execution::{Failure, Outcome, Status},
};
use jobs::{Clock, Held, Work};
use std::{sync::Arc, time::Duration};
use store::{Claim, Finished};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Most executions taken in one claim, so that one worker does not empty the queue for the others.
const MOST_AT_ONCE: u32 = 16;
/// How long to wait before asking a queue again that could not be asked.
const AFTER_TROUBLE: Duration = Duration::from_millis(500);

/// Takes and runs executions until told to stop.
pub struct Worker {
    runner: Runner,
    work: Work,
    clock: Arc<dyn Clock>,
    slots: Arc<Semaphore>,
    concurrency: u32,
}

impl Worker {
    /// A worker that runs up to `concurrency` executions at the same time.
    pub fn new(runner: Runner, work: Work, clock: Arc<dyn Clock>, concurrency: u32) -> Self {
        let slots = Arc::new(Semaphore::new(concurrency as usize));
        Self { runner, work, clock, slots, concurrency }
    }

    /// Works until `stop`; then running executions get `drain` to end. What still runs after that
    /// is killed without an outcome and handed back, so that another worker can take it at once.
    pub async fn run(self, stop: CancellationToken, drain: Duration) {
        let worker = Arc::new(self);
        let leases_stop = CancellationToken::new();
        let leases = tokio::spawn({
            let (work, stop) = (worker.work.clone(), leases_stop.clone());
            async move { work.keep_leases(stop).await }
        });
        let (runs, kill) = (TaskTracker::new(), CancellationToken::new());
        while let Some(held) = worker.next(&stop).await {
            for (held, slot) in held {
                let (worker, kill) = (worker.clone(), kill.clone());
                runs.spawn(async move {
                    tokio::select! {
                        () = worker.execute(held, slot) => {}
                        () = kill.cancelled() => {}
                    }
                });
            }
        }
        runs.close();
        let drained = timeout(drain, runs.wait()).await.is_ok();
        if !drained {
            let running = runs.len();
            tracing::warn!(running, "still running at the end of the drain; killed, handed back");
            kill.cancel();
            runs.wait().await;
        }
        leases_stop.cancel();
        if let Err(error) = leases.await {
            tracing::error!(%error, "the lease keeper died");
        }
        if !drained && let Err(error) = worker.work.hand_back().await {
            tracing::warn!(%error, "nothing could be handed back; it is free when its lease ends");
        }
    }

    /// The next executions, each with the slot it runs in; `None` when it is time to stop.
    async fn next(&self, stop: &CancellationToken) -> Option<Vec<(Held, OwnedSemaphorePermit)>> {
        loop {
            let slot = tokio::select! {
                () = stop.cancelled() => return None,
                slot = self.slots.clone().acquire_owned() => slot.ok()?,
            };
            let free = 1 + self.slots.available_permits() as u32;
            let limit = free.min(MOST_AT_ONCE).min(self.concurrency);
            drop(slot);
            let held = tokio::select! {
                () = stop.cancelled() => return None,
                held = self.work.next(limit) => held,
            };
            match held {
                Ok(held) => return Some(self.seat(held).await),
                Err(error) => {
                    tracing::error!(%error, "the queue cannot be asked; trying again");
                    tokio::time::sleep(AFTER_TROUBLE).await;
                }
            }
        }
    }

    async fn seat(&self, held: Vec<Held>) -> Vec<(Held, OwnedSemaphorePermit)> {
        let mut seated = Vec::with_capacity(held.len());
        for held in held {
            // A run that comes back from waiting may have been faster: then this one waits for it.
            if let Ok(slot) = self.slots.clone().acquire_owned().await {
                seated.push((held, slot));
            }
        }
        seated
    }

    async fn execute(&self, held: Held, slot: OwnedSemaphorePermit) {
        let lease = held.claim.lease();
        let place = Place::new(lease, self.work.bells().clone(), self.slots.clone(), slot);
        let report = match request(&held.claim, &held.cancelled, &place) {
            Ok(request) => tokio::select! {
                report = self.runner.run(request) => report,
                () = held.lost.cancelled() => {
                    tracing::warn!(execution = %held.claim.execution, "lease lost; run abandoned");
                    return;
                }
            },
            Err(failure) => Ok(ended(Status::Failed, failure)),
        };
        let report = match report {
            Ok(report) => report,
            Err(NotStarted::Inputs(why)) => ended(Status::Failed, failure("InputsTooLarge", why)),
            Err(error) => {
                // Nothing has run. Without an outcome its lease runs out and it is tried again.
                tracing::error!(execution = %held.claim.execution, %error, "run not started");
                return;
            }
        };
        self.finish(&held, report).await;
    }

    async fn finish(&self, held: &Held, report: RunReport) {
        let execution = held.claim.execution;
        let (timings, traffic) = (report.timings, report.traffic);
        tracing::debug!(%execution, ?timings, ?traffic, "run ended");
        let finished = Finished {
            outcome: report.outcome,
            modules: report.modules,
            logs: report.logs,
            now: self.clock.now(),
        };
        while !held.lost.is_cancelled() {
            match held.finish(finished.clone()).await {
                Ok(true) => return,
                Ok(false) => break,
                Err(error) if error.is_transient() => {
                    tracing::warn!(%execution, %error, "outcome not kept yet; trying again");
                    tokio::time::sleep(AFTER_TROUBLE).await;
                }
                Err(error) => {
                    tracing::error!(%execution, %error, "outcome cannot be kept");
                    return;
                }
            }
        }
        tracing::warn!(%execution, "lease lost; the outcome counts for nothing");
    }
}

fn request(
    claim: &Claim,
    cancel: &CancellationToken,
    place: &Place,
) -> Result<RunRequest, Failure> {
    let Some(entry) = claim.entry.clone() else {
        let why = format!("the workflow `{}` went away after it was asked for", claim.workflow);
        return Err(failure("WorkflowNotFound", why));
    };
    let settings = &claim.settings;
    let seconds = claim.timeout_seconds.unwrap_or(settings.executions.timeout_seconds);
    let (slug, name) = claim.organization.clone();
    let organization = claim.access.scope().organization();
    Ok(RunRequest {
        access: claim.access.clone(),
        execution: claim.execution,
        workflow: claim.workflow.clone(),
        attempt: claim.attempt,
        organization: organization.map(|id| OrganizationInfo { id, slug, name }),
        regional: settings.regional.clone(),
        user: claim.user.clone().map(|(id, email, name)| UserInfo { id, email, name }),
        entry: Entry {
            module: entry.module,
            provider: claim.provider.is_some(),
            function: claim.provider.clone().unwrap_or(entry.function),
        },
        inputs: claim.inputs.clone(),
        allowed_hosts: settings.network.allowed_hosts.clone(),
        limits: RunLimits {
            // What a workflow asks for cannot go beyond what its organization allows.
            timeout: Duration::from_secs(seconds.min(settings.executions.timeout_seconds).into()),
            memory_mb: settings.executions.memory_mb,
            max_file_kb: settings.modules.max_file_kb,
            max_queued: settings.executions.max_queued,
        },
        own_generation: (claim.access.scope() != Scope::Global).then_some(claim.own_generation),
        global_generation: claim.global_generation,
        cancel: cancel.clone(),
        place: place.clone(),
    })
}

fn failure(kind: &str, message: String) -> Failure {
    Failure { kind: kind.to_owned(), message, traceback: String::new(), details: None }
}

fn ended(status: Status, failure: Failure) -> RunReport {
    RunReport {
        outcome: Outcome { status, result: None, result_type: None, failure: Some(failure) },
        modules: Vec::new(),
        logs: Vec::new(),
        log_lines_lost: 0,
        traffic: crate::egress::Traffic::default(),
        timings: crate::Timings::default(),
    }
}
