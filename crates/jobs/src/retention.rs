//! The caretaker that lets go of what organizations no longer keep: executions that ended longer
//! ago than `executions.retention_days`, with their logs, and refresh tokens long run out.
//!
//! It works in small bites and rests as long as each took, so that writers wait for no more than
//! one of them. Any number of processes may do this at once: what one removed the other does not
//! find.

use crate::Clock;
use domain::{Scope, Timestamp};
use std::{sync::Arc, time::Duration};
use store::{Bite, Organization, Reason, Removed, Store, StoreError, System};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// What one transaction removes at most: some milliseconds of work.
const BITE: Bite = Bite { rows: 100, lines: 2_000 };
/// Organizations looked at in one question.
const PAGE: u32 = 100;
/// How long a refresh token is kept after it ran out, so that using one is still recognised.
const TOKENS: Duration = Duration::from_secs(7 * DAY);
const DAY: u64 = 24 * 60 * 60;

/// Removes what is too old, now and again.
pub struct Retention {
    store: Store,
    clock: Arc<dyn Clock>,
    every: Duration,
}

impl Retention {
    /// One that looks every so often.
    pub fn new(store: Store, clock: Arc<dyn Clock>, every: Duration) -> Self {
        Self { store, clock, every }
    }

    /// Looks at once and then again and again, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut times = tokio::time::interval(self.every);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = times.tick() => {}
            }
            match self.sweep(&stop).await {
                Ok(Removed { executions: 0, lines: 0, tokens: 0, .. }) => {}
                Ok(Removed { executions, lines, tokens, .. }) => {
                    tracing::info!(executions, lines, tokens, "let go of what is too old");
                }
                Err(error) => tracing::warn!(%error, "could not look for what is too old"),
            }
        }
    }

    /// Looks once at every organization, Global included; what was removed.
    pub async fn sweep(&self, stop: &CancellationToken) -> Result<Removed, StoreError> {
        let system = self.store.system(Reason::Retention);
        let mut removed = Removed::default();
        let mut after = None;
        if let Some(global) = system.organization(Scope::Global).await? {
            self.sweep_one(&system, &global, stop, &mut removed).await?;
        }
        loop {
            let page = system.organizations(after, PAGE).await?;
            for organization in &page {
                self.sweep_one(&system, organization, stop, &mut removed).await?;
            }
            match page.last() {
                Some(last) if !stop.is_cancelled() => after = Some(last.scope.column()),
                _ => return Ok(removed),
            }
        }
    }

    async fn sweep_one(
        &self,
        system: &System,
        organization: &Organization,
        stop: &CancellationToken,
        removed: &mut Removed,
    ) -> Result<(), StoreError> {
        if system.arriving().await? == Some(organization.scope) {
            // What has come of it is still to be held against what was sent.
            return Ok(());
        }
        let days = u64::from(organization.settings.executions.retention_days);
        let now = self.clock.now();
        let executions = What::Executions(ago(now, Duration::from_secs(days * DAY)));
        for what in [executions, What::Tokens(ago(now, TOKENS))] {
            while !stop.is_cancelled() {
                let begun = Instant::now();
                let bitten = what.bite(system, organization.scope).await?;
                removed.executions += bitten.executions;
                removed.lines += bitten.lines;
                removed.tokens += bitten.tokens;
                if !bitten.more {
                    break;
                }
                // Not waiting for anything: the rest belongs to whoever else wants to write.
                tokio::time::sleep(begun.elapsed()).await;
            }
        }
        Ok(())
    }
}

/// What goes, and how old it must be.
enum What {
    Executions(Timestamp),
    Tokens(Timestamp),
}

impl What {
    async fn bite(&self, system: &System, owner: Scope) -> Result<Removed, StoreError> {
        match *self {
            Self::Executions(before) => system.remove_executions(owner, before, BITE).await,
            Self::Tokens(before) => system.remove_refresh_tokens(owner, before, BITE).await,
        }
    }
}

fn ago(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
}
