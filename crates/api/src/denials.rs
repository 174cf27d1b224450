//! What people were kept from, written to their organization's audit beside the requests.
//!
//! An entry costs a transaction. Writing it within the request would make a refusal slower than a
//! reply, and would let anybody with a token fill the disk: so a task of its own writes, the same
//! attempt counts once a minute, and each organization has a bounded number of entries a minute.

use domain::{Actor, Scope, Timestamp, audit::Event};
use moka::sync::Cache;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use store::{Reason, Store};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How long the same attempt is not written again.
const ONCE_IN: Duration = Duration::from_secs(60);
/// Entries of one organization in that time; further ones are in the server's log only.
const MOST: u32 = 120;
/// Entries on their way to the database.
const WAITING: usize = 1024;
/// Longest object of an entry, in bytes: paths of requests are somebody else's text.
const LONGEST: usize = 512;

/// Notes attempts that were refused.
pub struct Denials {
    waiting: mpsc::Sender<Denial>,
    seen: Cache<(Uuid, String, String), ()>,
    counts: Cache<Uuid, Arc<AtomicU32>>,
}

/// Who was kept from something, and in whose audit that goes.
pub struct Kept<'a> {
    /// The organization.
    pub scope: Scope,
    /// The hand that tried.
    pub actor: &'a Actor,
    /// Why it failed.
    pub because: &'static str,
}

struct Denial {
    scope: Scope,
    actor: Actor,
    event: Event,
    now: Timestamp,
}

impl Denials {
    /// Over a store; must be called within a runtime. The task ends when the value is dropped and
    /// everything noted is written.
    pub fn new(store: Store) -> Self {
        let (waiting, noted) = mpsc::channel(WAITING);
        tokio::spawn(write(store, noted));
        let seen = Cache::builder().max_capacity(50_000).time_to_live(ONCE_IN).build();
        let counts = Cache::builder().max_capacity(50_000).time_to_live(ONCE_IN).build();
        Self { waiting, seen, counts }
    }

    /// Notes that somebody was kept from doing `action` to `object`.
    pub fn note(&self, kept: Kept<'_>, action: &'static str, object: &str, now: Timestamp) {
        let owner = kept.scope.column();
        let mut object = object.to_owned();
        object.truncate(object.floor_char_boundary(LONGEST));
        let key = (owner, kept.actor.label(), object.clone());
        if !self.seen.entry(key).or_insert(()).is_fresh() {
            return;
        }
        let count = self.counts.get_with(owner, Arc::default);
        if count.fetch_add(1, Ordering::Relaxed) >= MOST {
            tracing::warn!(organization = %owner, "refusals beyond what the audit takes a minute");
            return;
        }
        let event = Event::denied(action, object).with(json!({ "because": kept.because }));
        let denial = Denial { scope: kept.scope, actor: kept.actor.clone(), event, now };
        if self.waiting.try_send(denial).is_err() {
            tracing::warn!(organization = %owner, "a refusal is not in the audit: too many wait");
        }
    }
}

async fn write(store: Store, mut noted: mpsc::Receiver<Denial>) {
    while let Some(Denial { scope, actor, event, now }) = noted.recv().await {
        let system = store.system(Reason::Audit);
        if let Err(error) = system.append_audit(scope, &actor, event, now).await {
            tracing::error!(%error, "a refusal is not in the audit");
        }
    }
}
