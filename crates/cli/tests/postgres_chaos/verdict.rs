//! What must be true in the end, whatever happened.

use crate::{
    clients::{Accepted, answered},
    dice::Dice,
    scene::Scene,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How often an execution is tried when its workers die.
const ATTEMPTS: i64 = 3;

/// Looks at every accepted execution, and that there is nothing else.
pub async fn check(scene: &Scene, accepted: &[Accepted]) {
    let ids: BTreeSet<&str> = accepted.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), accepted.len(), "two requests got one execution");
    let rows = scene.ask("SELECT COUNT(*) FROM executions");
    assert_eq!(rows, accepted.len().to_string(), "an execution that nobody asked for");
    assert_eq!(scene.ask("SELECT COUNT(*) FROM job_queue"), "0", "the queue is empty");
    let again = "SELECT COUNT(*) FROM executions WHERE finished_at IS NULL";
    assert_eq!(scene.ask(again), "0");
    let mut dice = Dice::new(1);
    for one in accepted {
        let execution = get(scene, one, &mut dice, "").await;
        outcome(scene, one, &execution);
        let logs = get(scene, one, &mut dice, "/logs?limit=200").await;
        attempts(one, &execution, &logs);
    }
    scene.command(&["admin", "verify-audit"], "");
}

async fn get(scene: &Scene, one: &Accepted, dice: &mut Dice, more: &str) -> Value {
    let path = format!("/api/executions/{}{more}", one.id);
    let tenant = &scene.tenants[one.tenant];
    answered(scene, tenant, dice, |client| client.request(Method::GET, &path)).await
}

/// It succeeded with what is its organization's own, or every one of its workers died.
fn outcome(scene: &Scene, one: &Accepted, execution: &Value) {
    let attempt = execution["attempt"].as_i64().unwrap();
    assert!((1..=ATTEMPTS).contains(&attempt), "{execution}");
    match execution["status"].as_str().unwrap() {
        "succeeded" => {
            let own = json!({ "who": scene.tenants[one.tenant].slug, "n": one.n });
            assert_eq!(execution["result"], own, "{execution}");
        }
        "lost" => assert_eq!(attempt, ATTEMPTS, "{execution}"),
        other => panic!("{other}: {execution}\n{}", scene.logs()),
    }
}

/// Each attempt says so in the log, once; one whose worker died early may have said nothing.
fn attempts(one: &Accepted, execution: &Value, logs: &Value) {
    let lines = logs["items"].as_array().unwrap().iter();
    let said: Vec<i64> = lines
        .map(|line| {
            let text = line["message"].as_str().unwrap();
            let text = text.strip_prefix("attempt ").unwrap_or_else(|| panic!("{logs}"));
            let (attempt, n) = text.split_once(" of ").unwrap();
            assert_eq!(n, one.n.to_string(), "somebody else's line");
            attempt.parse().unwrap()
        })
        .collect();
    let different: BTreeSet<i64> = said.iter().copied().collect();
    assert_eq!(different.len(), said.len(), "an attempt ran twice: {logs}");
    let attempt = execution["attempt"].as_i64().unwrap();
    assert!(different.iter().all(|said| (1..=attempt).contains(said)), "{execution}: {logs}");
    let succeeded = execution["status"] == "succeeded";
    assert!(!succeeded || different.contains(&attempt), "{execution}: {logs}");
}
