//! The audit: one chain of entries per organization, written in the transaction of what it tells.

use crate::{Scoped, StoreError, System, db::Write, row::FromRow};
use domain::{
    Actor, OrganizationId, Scope, Timestamp,
    audit::{self, Entry, Event, START, Who},
};
use uuid::Uuid;

/// An entry with the hash that chains it to the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// What happened.
    pub entry: Entry,
    /// [`audit::link`] of it.
    pub hash: String,
}

/// Which entries to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct ListAudit {
    /// Only those before this one.
    pub before: Option<i64>,
    /// Only this action, or a noun with all its actions when it ends in `.`.
    pub action: Option<String>,
    /// How many.
    pub limit: u32,
}

/// What was found when a chain was followed from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Chain {
    /// Entries that hang together, from the first one on.
    pub entries: i64,
    /// The hash of the last of them.
    pub head: String,
    /// Where and how the chain breaks, if it does.
    pub fault: Option<String>,
}

#[derive(FromRow)]
struct Head {
    seq: i64,
    hash: String,
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    at: i64,
    actor_kind: String,
    actor_id: Option<Uuid>,
    actor: String,
    acting_from: Option<Uuid>,
    reason: Option<String>,
    action: String,
    object: String,
    verdict: String,
    detail_json: String,
    hash: String,
}

impl From<Row> for Audited {
    fn from(row: Row) -> Self {
        let who = Who {
            kind: row.actor_kind,
            id: row.actor_id,
            name: row.actor,
            acting_from: row.acting_from.map(OrganizationId),
            reason: row.reason,
        };
        let entry = Entry {
            seq: row.seq,
            at: Timestamp(row.at),
            who,
            action: row.action,
            object: row.object,
            verdict: row.verdict,
            detail: row.detail_json,
        };
        Self { entry, hash: row.hash }
    }
}

/// Takes the chain's next number. The row stays locked until the transaction ends, so that two
/// writers of one organization cannot both hang their entry on the same one.
const NEXT: &str = "INSERT INTO audit_heads (organization_id, seq, hash) VALUES ($1, 1, '')
    ON CONFLICT (organization_id) DO UPDATE SET seq = audit_heads.seq + 1
    RETURNING seq, hash";
const INSERT: &str = "INSERT INTO audit_log (organization_id, seq, at, actor_kind, actor_id, actor,
    acting_from, reason, action, object, verdict, detail_json, hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
const ADVANCE: &str = "UPDATE audit_heads SET hash = $2 WHERE organization_id = $1";
const HEAD: &str = "SELECT seq, hash FROM audit_heads WHERE organization_id = $1";
const PAGE: &str = "SELECT seq, at, actor_kind, actor_id, actor, acting_from, reason, action,
    object, verdict, detail_json, hash FROM audit_log
    WHERE organization_id = $1 AND seq < $2 AND action >= $3 AND action < $4
    ORDER BY seq DESC LIMIT $5";
/// Entries that are followed at once.
const PAGE_FORWARD: i64 = 1000;
const FORWARD: &str = "SELECT seq, at, actor_kind, actor_id, actor, acting_from, reason, action,
    object, verdict, detail_json, hash FROM audit_log
    WHERE organization_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";

impl Write<'_> {
    /// Adds an entry to the audit of `owner`; it is there if and only if the transaction is.
    pub(crate) async fn audit(
        &self,
        owner: Scope,
        actor: &Actor,
        event: Event,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let gate = self.tenant(owner);
        let head = gate.one::<Head, 1>(NEXT, [owner.column().into()]).await?;
        let head = head.ok_or_else(|| StoreError::unreadable("audit", "no head"))?;
        let entry = Entry {
            seq: head.seq,
            at: now,
            who: Who::from(actor),
            action: event.action.to_owned(),
            object: event.object,
            verdict: event.verdict.as_str().to_owned(),
            detail: event.detail.to_string(),
        };
        let hash = audit::link(&head.hash, owner, &entry);
        gate.run_with_next(ADVANCE, [owner.column().into(), hash.clone().into()]).await?;
        gate.run_with_next(INSERT, values(owner, entry, hash)).await
    }

    /// Adds entries to the audits of several organizations, always in the same order, so that two
    /// transactions never hold what the other one waits for.
    pub(crate) async fn audit_each(
        &self,
        told: impl IntoIterator<Item = (Scope, Event)>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut told: Vec<_> = told.into_iter().collect();
        told.sort_by_key(|(owner, _)| owner.column());
        for (owner, event) in told {
            self.audit(owner, actor, event, now).await?;
        }
        Ok(())
    }
}

fn values(owner: Scope, entry: Entry, hash: String) -> [sea_orm::Value; 13] {
    let Entry { seq, at, who, action, object, verdict, detail } = entry;
    [
        owner.column().into(),
        seq.into(),
        at.0.into(),
        who.kind.into(),
        who.id.into(),
        who.name.into(),
        who.acting_from.map(|id| id.0).into(),
        who.reason.into(),
        action.into(),
        object.into(),
        verdict.into(),
        detail.into(),
        hash.into(),
    ]
}

impl Scoped {
    /// Adds an entry where nothing else changes: whoever asks was kept from something.
    pub async fn audit_denied(&self, event: Event, now: Timestamp) -> Result<(), StoreError> {
        let write = self.write().await?;
        write.audit(self.scope(), self.access().actor(), event, now).await?;
        write.commit().await
    }

    /// Entries of the asking organization, newest first.
    pub async fn audit_entries(&self, list: ListAudit) -> Result<Vec<Audited>, StoreError> {
        let (from, to) = action_range(list.action.as_deref());
        let values = [
            self.scope().column().into(),
            list.before.unwrap_or(i64::MAX).into(),
            from.into(),
            to.into(),
            i64::from(list.limit).into(),
        ];
        let rows = self.gate().all::<Row, 5>(PAGE, values).await?;
        Ok(rows.into_iter().map(Audited::from).collect())
    }
}

/// Actions from the first text on and below the second one.
fn action_range(action: Option<&str>) -> (String, String) {
    match action {
        None => (String::new(), "\u{10ffff}".to_owned()),
        Some(noun) if noun.ends_with('.') => (noun.to_owned(), format!("{noun}\u{10ffff}")),
        Some(action) => (action.to_owned(), format!("{action}\u{1}")),
    }
}

impl System {
    /// Adds an entry where nothing else changes: somebody was kept from something.
    pub async fn append_audit(
        &self,
        owner: Scope,
        actor: &Actor,
        event: Event,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let write = self.write(owner).await?;
        write.audit(owner, actor, event, now).await?;
        write.commit().await
    }

    /// Notes that somebody of `home` begins to act in `target` as `actor`, in both organizations'
    /// audits.
    pub async fn audit_acting(
        &self,
        (home, target): (Scope, Scope),
        slug: &str,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let write = self.write(home).await?;
        let told = [home, target].map(|owner| (owner, Event::done("auth.act", slug)));
        write.audit_each(told, actor, now).await?;
        write.commit().await
    }

    /// Follows the chain of `owner` from its first entry to its head. `seen` is what an earlier
    /// look found: the chain must still go through it.
    pub async fn verify_audit(
        &self,
        owner: Scope,
        seen: Option<&Chain>,
    ) -> Result<Chain, StoreError> {
        let gate = self.tenant(owner);
        let mut chain = Chain { entries: 0, head: START.to_owned(), fault: None };
        let mut page = PAGE_FORWARD;
        loop {
            let values = [owner.column().into(), chain.entries.into(), page.into()];
            let rows = match gate.all::<Row, 3>(FORWARD, values).await {
                // Something on this page cannot be read: one by one, it is found.
                Err(StoreError::Database(_) | StoreError::Unreadable { .. }) if page > 1 => {
                    page = 1;
                    continue;
                }
                Err(error @ (StoreError::Database(_) | StoreError::Unreadable { .. })) => {
                    let fault = format!("entry {} cannot be read: {error}", chain.entries + 1);
                    return Ok(Chain { fault: Some(fault), ..chain });
                }
                rows => rows?,
            };
            if rows.is_empty() {
                break;
            }
            for audited in rows.into_iter().map(Audited::from) {
                let followed = chain.follow(owner, audited);
                if let Err(fault) = followed.and_then(|()| chain.passes(seen)) {
                    return Ok(Chain { fault: Some(fault), ..chain });
                }
            }
        }
        let head = gate.one::<Head, 1>(HEAD, [owner.column().into()]).await?;
        let fault = chain.ends_at(head).or_else(|| chain.begins(owner));
        chain.fault = fault.or_else(|| chain.reaches(seen));
        Ok(chain)
    }
}

impl Chain {
    fn follow(&mut self, owner: Scope, audited: Audited) -> Result<(), String> {
        let Audited { entry, hash } = audited;
        let expected = self.entries + 1;
        if entry.seq != expected {
            return Err(format!("entry {expected} is missing; the next one is {}", entry.seq));
        }
        if audit::link(&self.head, owner, &entry) != hash {
            return Err(format!("entry {expected} is not what was written, or not in its place"));
        }
        (self.entries, self.head) = (expected, hash);
        Ok(())
    }

    /// Whoever rewrites a chain from some entry on cannot make it go through a head that somebody
    /// noted before.
    fn passes(&self, seen: Option<&Self>) -> Result<(), String> {
        match seen {
            Some(seen) if seen.entries == self.entries && seen.head != self.head => {
                Err(format!("entry {} is not the one that was seen before", self.entries))
            }
            _ => Ok(()),
        }
    }

    /// The first entry of every organization says that it was created; Global and the provider are
    /// there from the first migration.
    fn begins(&self, owner: Scope) -> Option<String> {
        let seeded = [Scope::Global, Scope::Organization(OrganizationId::PROVIDER)];
        let empty = self.entries == 0 && !seeded.contains(&owner);
        empty.then(|| "there is no entry, not even that it was created".to_owned())
    }

    fn reaches(&self, seen: Option<&Self>) -> Option<String> {
        let seen = seen.filter(|seen| seen.entries > self.entries)?;
        Some(format!("{} entries were seen before, now there are {}", seen.entries, self.entries))
    }

    fn ends_at(&self, head: Option<Head>) -> Option<String> {
        let (seq, hash) = head.map_or((0, START.to_owned()), |head| (head.seq, head.hash));
        let ends = seq == self.entries && hash == self.head;
        (!ends).then(|| format!("the last entry should be {seq}, but {} is", self.entries))
    }
}
