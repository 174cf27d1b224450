//! The cases: each operation with each thing it can be asked about, in seven ways.

use crate::{
    stage::{Caller, Stage},
    things::{Make, Thing, make},
};
use domain::Scope;
use serde_json::{Value, json};
use testkit::document::{Draft, Operation, Place, operations};

/// Whose, or what, the thing is that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Foreign,
    Missing,
    Global,
    WrongType,
    Malformed,
    /// The id of Global, or nothing.
    Nil,
    /// Last: it may be gone after this.
    Own,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Foreign,
        Self::Missing,
        Self::Global,
        Self::WrongType,
        Self::Malformed,
        Self::Nil,
        Self::Own,
    ];
}

/// A request and what its sender knows anyway.
pub struct Case {
    pub draft: Draft,
    pub sent: Vec<String>,
}

/// Every operation of the document that the server serves.
pub fn every_operation() -> Vec<Operation> {
    operations(&serde_json::from_str(&api::openapi::text().unwrap()).unwrap())
}

/// The parameters of `operation` that name a thing, by their place in the list.
pub fn things(operation: &Operation) -> Vec<(usize, Thing)> {
    let made = operation.parameters.iter().map(|it| make(operation, it)).enumerate();
    made.filter_map(|(at, made)| match made {
        Make::Thing(thing) => Some((at, thing)),
        Make::Plain(_) => None,
    })
    .collect()
}

impl Stage {
    /// Good values for `operation`, the things being `owner`'s: what is required, `If-Match`, and
    /// where something is named in the path, everything that can be changed about it.
    pub async fn defaults(&self, operation: &Operation, owner: Scope) -> Vec<Option<Value>> {
        let named = operation.parameters.iter().any(|it| it.place == Place::Path);
        let mut values = Vec::new();
        for parameter in &operation.parameters {
            let wanted = parameter.required
                || parameter.name == "If-Match"
                || (named && parameter.place == Place::Body)
                // Not an override: it has no other content but its own versions.
                || (operation.id == "diffFile" && parameter.place == Place::Query);
            values.push(match make(operation, parameter) {
                _ if !wanted => None,
                Make::Plain(value) => Some(value),
                Make::Thing(thing) => Some(json!(self.make(thing, owner).await)),
            });
        }
        values
    }

    /// `defaults` with the thing at `at` being of `kind`, as seen by `caller`.
    pub async fn case(
        &self,
        operation: &Operation,
        defaults: &[Option<Value>],
        (at, thing): (usize, Thing),
        kind: Kind,
        caller: &Caller,
    ) -> Case {
        let mut values = defaults.to_vec();
        let place = operation.parameters[at].place;
        let text = match kind {
            Kind::Own => self.named(operation, thing, caller.scope).await,
            Kind::Foreign => self.named(operation, thing, self.stranger_to(caller.scope)).await,
            Kind::Global => self.named(operation, thing, Scope::Global).await,
            Kind::Missing => self.missing(thing),
            Kind::WrongType => "%20".to_owned(),
            Kind::Malformed => "%FF%00".to_owned(),
            Kind::Nil if operation.parameters[at].schema["format"] == json!("uuid") => {
                uuid::Uuid::nil().to_string()
            }
            Kind::Nil if place == Place::Path => "null".to_owned(),
            Kind::Nil => String::new(),
        };
        let value = match (kind, place) {
            (Kind::WrongType, Place::Body) => json!(7),
            (Kind::WrongType | Kind::Malformed, Place::Header) => json!(" "),
            _ => json!(text),
        };
        values[at] = Some(value);
        let mut draft = operation.draft(&values);
        if (kind, place) == (Kind::Malformed, Place::Body) {
            draft.body = draft.body.map(|body| body[..body.len() - 1].to_owned());
        }
        let texts = values.into_iter().flatten();
        let sent = texts.filter_map(|value| value.as_str().map(str::to_owned));
        // A mere word may stand in any reply; what is somebody's has digits.
        let sent = sent.filter(|text| text.bytes().any(|byte| byte.is_ascii_digit())).collect();
        Case { draft, sent }
    }

    async fn named(&self, operation: &Operation, thing: Thing, owner: Scope) -> String {
        if thing != Thing::Cursor {
            return self.make(thing, owner).await;
        }
        let limit = operation.parameters.iter().position(|it| it.name == "limit");
        let mut values = self.defaults(operation, owner).await;
        values[limit.expect("a list with a cursor has a limit")] = Some(json!(1));
        let reply = self.admin(owner).send(&operation.draft(&values)).await;
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        match (reply.status, body["next_cursor"].as_str()) {
            (200, Some(cursor)) => cursor.to_owned(),
            // Not theirs to list: then a cursor of another list of theirs.
            (403, _) => self.users_cursor(owner).await,
            // Global has nothing above it.
            (200, None)
                if ["listOverrides", "listPins"].contains(&operation.id.as_str())
                    && owner == Scope::Global =>
            {
                self.users_cursor(owner).await
            }
            _ => panic!(
                "`{}` has no second page: furnish the stage with two more in `making.rs`: {}",
                operation.id,
                String::from_utf8_lossy(&reply.body)
            ),
        }
    }

    async fn users_cursor(&self, owner: Scope) -> String {
        let list = every_operation().into_iter().find(|it| it.id == "listUsers").unwrap();
        let mut draft = list.draft(&vec![None; list.parameters.len()]);
        draft.target += "?limit=1";
        let reply = self.admin(owner).send(&draft).await;
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        body["next_cursor"].as_str().expect("three users").to_owned()
    }
}
