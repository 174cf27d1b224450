//! What the audit remembers, and how each entry is chained to the one before it.

use crate::{access::Actor, ids::OrganizationId, scope::Scope, time::Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that was done, or that somebody was kept from doing.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Noun and verb, such as `file.write`.
    pub action: &'static str,
    /// What it was done to: a path, a slug, an id.
    pub object: String,
    /// Whether it was done.
    pub verdict: Verdict,
    /// More about it, never a secret.
    pub detail: serde_json::Value,
}

/// Whether something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AuditVerdict)]
pub enum Verdict {
    /// It was.
    Done,
    /// It was refused.
    Denied,
}

impl Event {
    /// Something that was done.
    pub fn done(action: &'static str, object: impl Into<String>) -> Self {
        let (object, detail) = (object.into(), serde_json::Value::Null);
        Self { action, object, verdict: Verdict::Done, detail }
    }

    /// Something that was refused.
    pub fn denied(action: &'static str, object: impl Into<String>) -> Self {
        Self { verdict: Verdict::Denied, ..Self::done(action, object) }
    }

    /// The same with more about it. Secrets do not belong here: entries are never changed.
    pub fn with(self, detail: serde_json::Value) -> Self {
        Self { detail, ..self }
    }
}

impl Verdict {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
        }
    }
}

/// Who did it, as an entry keeps it: readable for as long as the entry lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Who {
    /// `user`, `key`, `execution`, `operator`, `schedule` or `platform`.
    pub kind: String,
    /// The id of the user, key or execution.
    pub id: Option<Uuid>,
    /// Address or name.
    pub name: String,
    /// The organization a provider's person acts from.
    pub acting_from: Option<OrganizationId>,
    /// Why they act.
    pub reason: Option<String>,
}

impl From<&Actor> for Who {
    fn from(actor: &Actor) -> Self {
        let (kind, id) = match actor {
            Actor::User { id, .. } => ("user", Some(id.0)),
            Actor::ApiKey { id, .. } => ("key", Some(id.0)),
            Actor::Execution(id) => ("execution", Some(id.0)),
            Actor::Operator => ("operator", None),
            Actor::Schedule => ("schedule", None),
            Actor::Platform => ("platform", None),
        };
        let acting = actor.acting();
        Self {
            kind: kind.to_owned(),
            id,
            name: actor.label(),
            acting_from: acting.map(|acting| acting.home),
            reason: acting.map(|acting| acting.reason.clone()),
        }
    }
}

/// One entry of an organization's audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counts from 1 in each organization, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: Who,
    /// Noun and verb.
    pub action: String,
    /// What it was done to.
    pub object: String,
    /// `done` or `denied`.
    pub verdict: String,
    /// More about it, as JSON text.
    pub detail: String,
}

/// What the first entry of a chain is linked to.
pub const START: &str = "";

/// The hash of an entry: SHA-256, in hex, over everything it says, whose it is, and the hash of the
/// entry before it. Changing, moving or removing an entry breaks every later link.
pub fn link(previous: &str, owner: Scope, entry: &Entry) -> String {
    let Entry { seq, at, who, action, object, verdict, detail } = entry;
    // JSON of a tuple of strings and numbers is unambiguous: every field is quoted or delimited.
    let said = serde_json::json!([
        previous,
        owner.column(),
        seq,
        at.0,
        [&who.kind, &who.name],
        [who.id, who.acting_from.map(|id| id.0)],
        who.reason,
        [action, object, verdict, detail],
    ]);
    hex::encode(Sha256::digest(said.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            seq: 3,
            at: Timestamp(5),
            who: Who::from(&Actor::Operator),
            action: "file.write".to_owned(),
            object: "a.py".to_owned(),
            verdict: "done".to_owned(),
            detail: "{}".to_owned(),
        }
    }

    #[test]
    fn every_field_the_owner_and_the_entry_before_are_in_the_hash() {
        let acme = Scope::Organization(OrganizationId(Uuid::from_u128(7)));
        let whole = link("before", acme, &entry());
        assert_eq!(whole, link("before", acme, &entry()));
        let changes: [fn(&mut Entry); 11] = [
            |it| it.seq = 4,
            |it| it.at = Timestamp(6),
            |it| it.who.kind = "user".to_owned(),
            |it| it.who.id = Some(Uuid::nil()),
            |it| it.who.name = "else".to_owned(),
            |it| it.who.acting_from = Some(OrganizationId::PROVIDER),
            |it| it.who.reason = Some(String::new()),
            |it| it.action = "file.delete".to_owned(),
            |it| it.object = "b.py".to_owned(),
            |it| it.verdict = "denied".to_owned(),
            |it| it.detail = "[]".to_owned(),
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut changed = entry();
            change(&mut changed);
            assert_ne!(whole, link("before", acme, &changed), "change {at}");
        }
        assert_ne!(whole, link("other", acme, &entry()));
        assert_ne!(whole, link("before", Scope::Global, &entry()));
    }

    #[test]
    fn words_cannot_move_from_one_field_to_the_next() {
        let moved = Entry { action: "file.writea".to_owned(), object: ".py".to_owned(), ..entry() };
        assert_ne!(link("", Scope::Global, &entry()), link("", Scope::Global, &moved));
    }
}
