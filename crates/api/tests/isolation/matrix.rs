//! Each operation × each thing it names × whose that thing is × who asks.

use crate::{
    cases::{Case, Kind, every_operation, things},
    stage::{Caller, Stage},
    things::Thing,
};
use api::access_table::{TABLE, Who};
use domain::{Access, Actor, UserId};
use reqwest::Method;
use std::collections::{BTreeMap, BTreeSet};
use testkit::{
    document::{Draft, Operation},
    raw::{Raw, without_ids},
};

/// What was asked, for whoever reads a failure.
struct Question<'a> {
    operation: &'a Operation,
    thing: Thing,
    kind: Kind,
    caller: &'a Caller,
}

impl std::fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { operation, thing, kind, caller } = self;
        write!(f, "{} asks {} about a {kind:?} {thing:?}", caller.name, operation.id)
    }
}

fn who(operation: &Operation) -> Who {
    let fits = |it: &&api::access_table::Row| {
        it.method == operation.method.as_str() && it.documented_path() == operation.path
    };
    TABLE.iter().find(fits).unwrap_or_else(|| panic!("{} is not in the table", operation.id)).who
}

fn is_admitted(operation: &Operation, caller: &Caller) -> bool {
    let who = who(operation);
    let admits = |role| {
        let (id, email) = (UserId(uuid::Uuid::nil()), String::new());
        let person = Actor::User { id, email, acting: None };
        who.admits(&Access::from_verified_token(caller.scope, role, person))
    };
    who == Who::Public || caller.role.is_some_and(admits)
}

/// Whether `caller` may tell what exists: the provider's admins may, of organizations.
fn sees_all(thing: Thing, caller: &Caller, stage: &Stage) -> bool {
    let provider = [stage.provider, domain::Scope::Global].contains(&caller.scope);
    thing.is_organization() && provider
}

/// The reply as it is compared: of a success, without the ids it gave out.
fn telling(reply: &Raw, sent: &[String]) -> String {
    let sent: Vec<_> = sent.iter().map(String::as_str).collect();
    let text = reply.telling(&sent);
    if reply.status < 400 { without_ids(&text) } else { text }
}

/// Nothing of others is in `reply`, beside what the caller said first.
fn assert_no_mark(stage: &Stage, question: &Question<'_>, reply: &Raw, sent: &[String]) {
    let Question { operation, caller, .. } = question;
    let reads_all = who(operation) == Who::GlobalAdmin && is_admitted(operation, caller);
    // Whoever signs in with somebody's own address and password is that person.
    let signs_in = caller.role.is_none() && question.kind == Kind::Own && reply.status < 300;
    if reads_all || signs_in || sees_all(question.thing, caller, stage) {
        return;
    }
    let mut bytes = String::from_utf8_lossy(&reply.bytes()).into_owned();
    for it in sent {
        bytes = bytes.replace(it, "");
    }
    if let Some(found) = caller.search.find(bytes.as_bytes()) {
        panic!("{question}: {found} in {bytes}");
    }
}

/// What was answered to one caller about one thing, by whose it was.
type Answers = BTreeMap<Kind, String>;

async fn ask(
    stage: &Stage,
    operation: &Operation,
    (at, thing): (usize, Thing),
    caller: &Caller,
) -> Answers {
    let defaults = stage.defaults(operation, caller.scope).await;
    let mut answers = Answers::new();
    if who(operation) == Who::Public && operation.method == Method::POST {
        // Attempts to sign in come back with time.
        stage.api.clock.push(14);
    }
    for kind in Kind::ALL {
        let question = Question { operation, thing, kind, caller };
        let case = stage.case(operation, &defaults, (at, thing), kind, caller).await;
        let touches = kind == Kind::Foreign && operation.method != Method::GET;
        let guarded = touches && !sees_all(thing, caller, stage);
        let before = if guarded { rows_of_others(stage, caller).await } else { String::new() };
        let reply = caller.sender.send(&case.draft).await;
        if guarded {
            let after = rows_of_others(stage, caller).await;
            assert!(before == after, "{question} changed what is another's");
        }
        check_reply(stage, &question, &case, &reply);
        answers.insert(kind, telling(&reply, &case.sent));
    }
    answers
}

async fn rows_of_others(stage: &Stage, caller: &Caller) -> String {
    stage.peek.rows_of_others(caller.scope.column()).await
}

fn check_reply(stage: &Stage, question: &Question<'_>, case: &Case, reply: &Raw) {
    let Question { operation, caller, kind, .. } = question;
    let body = String::from_utf8_lossy(&reply.body);
    assert!(reply.status < 500, "{question}: {} {body}", reply.status);
    if caller.role.is_none() && who(operation) != Who::Public {
        assert_eq!(reply.status, 401, "{question}: {body}");
    }
    let refused = reply.status == 403 && body.contains("\"code\":\"forbidden\"");
    // What can't be read as a request may be refused before anybody asks who sent it.
    if *kind != Kind::Malformed && caller.role.is_some() {
        assert_eq!(refused, !is_admitted(operation, caller), "{question}: {} {body}", reply.status);
    }
    assert_no_mark(stage, question, reply, &case.sent);
}

/// What the answers must have to do with each other.
fn compare(question: &Question<'_>, answers: &Answers, stage: &Stage) {
    let Question { operation, thing, caller, .. } = question;
    let missing = &answers[&Kind::Missing];
    if !is_admitted(operation, caller) {
        for kind in [Kind::Own, Kind::Foreign, Kind::Global] {
            assert_eq!(&answers[&kind], missing, "{question}: a refusal tells {kind:?}");
        }
        return;
    }
    if sees_all(*thing, caller, stage) {
        return;
    }
    assert_eq!(&answers[&Kind::Foreign], missing, "{question}: foreign and missing differ");
    let in_global = caller.scope == domain::Scope::Global;
    if !in_global && !thing.is_shared() {
        assert_eq!(&answers[&Kind::Global], missing, "{question}: Global and missing differ");
    }
}

#[tokio::test]
async fn what_is_anothers_is_answered_like_what_is_not_there() {
    let stage = Stage::new().await;
    let (mut cases, mut blind) = (0, BTreeSet::new());
    for operation in every_operation() {
        for (at, thing) in things(&operation) {
            let name = format!("{} {}", operation.id, operation.parameters[at].name);
            let mut sees = false;
            for caller in &stage.callers {
                let answers = ask(&stage, &operation, (at, thing), caller).await;
                cases += answers.len();
                let kind = Kind::Foreign;
                let question = Question { operation: &operation, thing, kind, caller };
                compare(&question, &answers, &stage);
                let seen = match sees_all(thing, caller, &stage) {
                    true => Kind::Foreign,
                    false => Kind::Own,
                };
                sees |= answers[&seen] != answers[&Kind::Missing];
            }
            if !sees {
                blind.insert(name);
            }
        }
    }
    println!("{cases} cases");
    assert!(cases > 1_500, "only {cases} cases");
    assert_eq!(blind, BTreeSet::new(), "own and missing look alike to all: nothing is proven");
}

/// `yes` or `-`, as in `access_table.txt`.
async fn observed(caller: &Caller, draft: &Draft) -> &'static str {
    let reply = caller.sender.send(draft).await;
    let body = String::from_utf8_lossy(&reply.body);
    let refused = match caller.role {
        None => reply.status == 401 && body.contains("\"code\":\"not_signed_in\""),
        Some(_) => reply.status == 403 && body.contains("\"code\":\"forbidden\""),
    };
    if refused { "-" } else { "yes" }
}

#[tokio::test]
async fn the_server_behaves_as_the_kept_table_says() {
    let stage = Stage::new().await;
    let kept = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/access_table.txt");
    let kept = std::fs::read_to_string(kept).unwrap();
    let mut rows = 0;
    for line in kept.lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().collect();
        let (method, path) = (words[0], words[1].replace("{*", "{"));
        let found = every_operation().into_iter().find(|it| it.path == path && it.method == method);
        // The document itself is the one route that is not in the document.
        let Some(operation) = found else {
            assert_eq!(path, "/api/openapi.json");
            continue;
        };
        for caller in &stage.callers {
            let column = match caller.name {
                "nobody" => 2,
                "viewer" => 3,
                "ops" => 4,
                "acting in Global" => 6,
                _ => 5,
            };
            let values = stage.defaults(&operation, caller.scope).await;
            let seen = observed(caller, &operation.draft(&values)).await;
            assert_eq!(seen, words[column], "{} and {line}", caller.name);
        }
        rows += 1;
    }
    assert_eq!(rows, every_operation().len(), "the table has every operation");
}
