//! A change of settings counts on another process within a second.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::{Client, Reply, Server};

/// The contract's: under one second, on every node, without a restart.
const FRESH: Duration = Duration::from_secs(1);

const WORKFLOWS: &str = "
import resource, time
from bifrost import context, files, workflow

@workflow
def nap(seconds: float = 3600) -> str:
    time.sleep(seconds)
    return 'rested'

@workflow
def where() -> list:
    return [context.organization.timezone, context.organization.currency,
            context.organization.locale, time.localtime(0).tm_hour]

@workflow
def memory() -> int:
    return resource.getrlimit(resource.RLIMIT_DATA)[0] >> 20

@workflow
def write(size: int) -> str:
    files.write('large.txt', 'x' * size)
    return 'written'
";

async fn set(client: &Client, settings: Value) -> Instant {
    let request = client.request(Method::PATCH, "/api/org/settings").json(&settings);
    let reply = client.send(request.header("if-match", "*")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    Instant::now()
}

async fn start(client: &Client, inputs: Value) -> Reply {
    client.post("/api/workflows/nap/executions", &json!({ "inputs": inputs })).await
}

async fn with_status(client: &Client, status: &str) -> Vec<Value> {
    let reply = client.get(&format!("/api/executions?status={status}")).await;
    reply.body["items"].as_array().unwrap().clone()
}

/// Waits for what the other process must see in time, and says how long it took.
async fn fresh(what: &str, changed: Instant, mut look: impl AsyncFnMut() -> bool) {
    loop {
        let asked = changed.elapsed();
        if look().await {
            return;
        }
        // What was asked in time and answered as before may still be on its way; later it is old.
        assert!(asked < FRESH, "{what}: not after {asked:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_answers_by_the_new_settings_within_a_second() {
    let server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    server.create_organization("acme");
    let here = server.sign_in("acme", "admin").await;
    let beside = server.beside(&["--role", "api"]);
    let there = here.at(&beside.url);
    let large = "x".repeat(3000);
    assert!(there.put_file("workflows/all.py", WORKFLOWS).await.status < 300);

    // Each is asked right before the change, so that the other process remembers the old one.
    assert!(there.put_file("a.txt", &large).await.status < 300);
    let changed = set(&here, json!({"modules": {"max_file_kb": 2}})).await;
    let small = async || there.put_file("a.txt", &large).await.status == 413;
    fresh("max_file_kb", changed, small).await;

    set(&here, json!({"executions": {"max_concurrent": 1}})).await;
    for _ in 0..2 {
        assert_eq!(start(&there, json!({})).await.status, 202);
    }
    let one_runs = async || (with_status(&here, "running").await.len() == 1).then_some(());
    testkit::eventually("one runs, one waits", one_runs).await;
    assert_eq!(with_status(&here, "pending").await.len(), 1);
    let changed = set(&here, json!({"executions": {"max_queued": 1}})).await;
    let mut refused = None;
    let full = async || {
        let reply = there
            .request(Method::POST, "/api/workflows/nap/executions")
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        refused = reply.headers().get("retry-after").cloned();
        reply.status() == 429
    };
    fresh("max_queued", changed, full).await;
    assert!(refused.is_some(), "429 says when to come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_runs_by_the_new_settings_at_once() {
    let program = env!("CARGO_BIN_EXE_bifrost").into();
    let arguments = vec!["--role".to_owned(), "api".to_owned()];
    let options = testkit::ServerOptions { program, arguments, environment: Vec::new() };
    let server = Server::with(options);
    server.create_organization("acme");
    let acme = server.sign_in("acme", "admin").await;
    let _worker = server.beside(&["--role", "all"]);
    assert!(acme.put_file("workflows/all.py", WORKFLOWS).await.status < 300);

    let before = acme.run("memory", json!({})).await["result"].as_i64().unwrap();
    set(&acme, json!({"executions": {"memory_mb": 612}})).await;
    let after = acme.run("memory", json!({})).await["result"].as_i64().unwrap();
    assert_eq!(after - before, 100);

    let regional = json!({"timezone": "Asia/Tokyo", "currency": "JPY", "locale": "ja-JP"});
    set(&acme, json!({ "regional": regional })).await;
    let there = acme.run("where", json!({})).await;
    assert_eq!(there["result"], json!(["Asia/Tokyo", "JPY", "ja-JP", 9]), "{there}");

    set(&acme, json!({"modules": {"max_file_kb": 1}})).await;
    let written = acme.run("write", json!({"size": 1500})).await;
    assert_eq!(
        (&written["status"], &written["error"]["type"]),
        (&json!("failed"), &json!("ValueError"))
    );

    set(&acme, json!({"executions": {"timeout_seconds": 1}})).await;
    assert_eq!(acme.run("nap", json!({})).await["status"], "timed_out");

    // Two at a time, and as soon as there may be more, more.
    set(&acme, json!({"executions": {"timeout_seconds": null, "max_concurrent": 2}})).await;
    for _ in 0..4 {
        assert_eq!(start(&acme, json!({})).await.status, 202);
    }
    let run = async |number: usize| {
        let all = async || (with_status(&acme, "running").await.len() == number).then_some(());
        testkit::eventually("so many run", all).await;
    };
    run(2).await;
    let changed = set(&acme, json!({"executions": {"max_concurrent": 3}})).await;
    let three = async || with_status(&acme, "running").await.len() == 3;
    fresh("max_concurrent", changed, three).await;
    // One ends, and the one that waits is next at once.
    let first = with_status(&acme, "running").await[0]["id"].clone();
    acme.post(&format!("/api/executions/{}/cancel", first.as_str().unwrap()), &json!({})).await;
    let none_waits = async || with_status(&acme, "pending").await.is_empty().then_some(());
    testkit::eventually("the last one starts", none_waits).await;
    assert_eq!(with_status(&acme, "running").await.len(), 3);
}
