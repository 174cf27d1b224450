//! A seeded script of one organization: which operation next, by whom, about what. Everything it
//! asks about it knows from earlier replies, or from a fixed list of names that others use as well.

use crate::{
    cases::every_operation,
    things::{Make, Thing, make},
};
use serde_json::{Value, json};
use testkit::{
    document::{Draft, Operation, Parameter},
    raw::{Raw, id_length},
};

/// xorshift64*: the same seed, the same choices.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// Names of things that have no ids, used by everybody.
const FILES: [&str; 5] = ["flows.py", "shared/a.py", "shared/b.py", "notes.md", "shared"];
const WORKFLOWS: [&str; 3] = ["greet", "report", "absent"];
const MODULES: [&str; 3] = ["flows", "shared.a", "shared"];
const CONTENTS: [&str; 5] = [
    "# workflow greet {\"type\": \"object\"}\n",
    "# workflow report {\"type\": \"object\", \"required\": [\"x\"]}\n",
    "# workflow report {\"type\": \"object\"}\n# options {\"schedule\": \"0 7 * * *\"}\n",
    "x = 1\n",
    "syntax error\n",
];

/// Somebody's script, and what its replies have told so far.
pub struct Script {
    dice: Dice,
    operations: Vec<Operation>,
    ids: Vec<String>,
    cursors: Vec<String>,
    hashes: Vec<String>,
}

impl Script {
    /// Without what is about signing in, whose limits go by address, which is everybody's here,
    /// without the server's own keys, and without what only Global's admins may.
    pub fn new(seed: u64) -> Self {
        let mut operations = every_operation();
        operations.retain(|it| it.path.starts_with("/api/") && !it.path.starts_with("/api/auth/"));
        // Writing and running come up as often as all the looking.
        let busy = ["putFile", "startExecution", "startExecution", "createUser", "restoreFile"];
        for name in busy.repeat(6) {
            operations.extend(operations.iter().find(|it| it.id == name).cloned());
        }
        let (ids, cursors, hashes) = (Vec::new(), Vec::new(), Vec::new());
        Self { dice: Dice::new(seed), operations, ids, cursors, hashes }
    }

    /// The next request. `foreign` stands in for an id that is not the organization's.
    pub fn next(&mut self, foreign: &str) -> (Operation, Draft) {
        let operation = self.dice.pick(&self.operations.clone());
        let values: Vec<_> =
            operation.parameters.iter().map(|it| self.value(&operation, it, foreign)).collect();
        let draft = operation.draft(&values);
        (operation, draft)
    }

    /// A number below `n`.
    pub fn choose(&mut self, n: usize) -> usize {
        self.dice.below(n)
    }

    fn value(
        &mut self,
        operation: &Operation,
        parameter: &Parameter,
        foreign: &str,
    ) -> Option<Value> {
        let said = parameter.required || self.dice.below(3) == 0;
        let value = match make(operation, parameter) {
            _ if parameter.name == "/content" => json!(self.dice.pick(&CONTENTS)),
            // Utf-8, and pages of two, so that there are second ones.
            _ if parameter.name == "/encoding" => return None,
            _ if parameter.name == "limit" => json!(2),
            Make::Plain(value) => match parameter.schema["enum"].as_array() {
                Some(words) => self.dice.pick(words),
                None => value,
            },
            Make::Thing(thing) => json!(self.thing(thing, foreign)),
        };
        (said || parameter.name == "If-Match").then_some(value)
    }

    fn thing(&mut self, thing: Thing, foreign: &str) -> String {
        match thing {
            Thing::File => self.dice.pick(&FILES).to_owned(),
            Thing::Module => self.dice.pick(&MODULES).to_owned(),
            Thing::Workflow | Thing::Scheduled | Thing::Running => {
                self.dice.pick(&WORKFLOWS).to_owned()
            }
            Thing::ConfigKey => format!("key{}", self.dice.below(3)),
            Thing::Email => format!("person{}@example.test", self.dice.below(4)),
            Thing::IdempotencyKey => format!("key{}", self.dice.below(3)),
            Thing::Slug => format!("slug{}", self.dice.below(3)),
            Thing::Cursor if self.cursors.is_empty() => "AAAA".to_owned(),
            Thing::Cursor => self.dice.pick(&self.cursors.clone()),
            _ if self.ids.is_empty() || self.dice.below(6) == 0 => foreign.to_owned(),
            _ => self.dice.pick(&self.ids.clone()),
        }
    }

    /// The reply with what is random named by the order in which it was first seen.
    pub fn told(&mut self, reply: &Raw, foreign: &str) -> String {
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if let Some(cursor) = body["next_cursor"].as_str() {
            remember(&mut self.cursors, cursor);
        }
        let mut text = reply.telling(&[foreign]);
        for (at, cursor) in self.cursors.iter().enumerate() {
            text = text.replace(cursor.as_str(), &format!("<cursor {at}>"));
        }
        self.named(&text)
    }

    fn named(&mut self, text: &str) -> String {
        let mut rest = text;
        let mut out = String::with_capacity(text.len());
        while let Some(first) = rest.chars().next() {
            let (id, hash) = (id_length(rest), hash_length(rest));
            let length = if id > 0 {
                out += &format!("<id {}>", remember(&mut self.ids, &rest[..id]));
                id
            } else if hash > 0 {
                out += &format!("<hash {}>", remember(&mut self.hashes, &rest[..hash]));
                hash
            } else {
                out.push(first);
                first.len_utf8()
            };
            rest = &rest[length..];
        }
        out
    }
}

fn remember(list: &mut Vec<String>, value: &str) -> usize {
    list.iter().position(|it| it == value).unwrap_or_else(|| {
        list.push(value.to_owned());
        list.len() - 1
    })
}

fn hash_length(text: &str) -> usize {
    let hex = text.bytes().take_while(u8::is_ascii_hexdigit).count();
    if hex == 64 { 64 } else { 0 }
}
