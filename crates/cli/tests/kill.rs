//! A server killed with `kill -9`: nothing accepted is lost, nothing ends twice.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use serde_json::{Value, json};
use std::path::Path;
use testkit::{Client, Server, eventually};

const WORKFLOWS: &str = r#"
import time
from bifrost import config, context, log, workflow

@workflow
def linger() -> int:
    """Says that it runs, and runs until it is told to go on."""
    log.info(str(context.attempt))
    while not config.get("go_on", False):
        time.sleep(0.02)
    return context.attempt

@workflow(retries=0)
def once() -> int:
    return linger()
"#;

async fn start(client: &Client, workflow: &str) -> String {
    let inputs = json!({ "inputs": {} });
    let reply = client.post(&format!("/api/workflows/{workflow}/executions"), &inputs).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    reply.body["id"].as_str().unwrap().to_owned()
}

async fn end_of(client: &Client, id: &str) -> Value {
    eventually("it ends", async || {
        let reply = client.get(&format!("/api/executions/{id}")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body["finished_at"].is_string().then_some(reply.body)
    })
    .await
}

/// What the run said each time it began.
async fn attempts(client: &Client, id: &str) -> Vec<String> {
    let logs = client.get(&format!("/api/executions/{id}/logs")).await.body;
    let lines = logs["items"].as_array().into_iter().flatten();
    lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_loses_nothing_and_ends_everything_once() {
    let mut server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    server.create_organization("acme");
    let acme = server.sign_in("acme", "admin").await;
    assert_eq!(acme.put_file("workflows/linger.py", WORKFLOWS).await.status, 201);

    let again = start(&acme, "linger").await;
    let once = start(&acme, "once").await;
    eventually("both run", async || {
        let (first, second) = (attempts(&acme, &again).await, attempts(&acme, &once).await);
        (first.len() + second.len() == 2).then_some(())
    })
    .await;
    let below = processes_below(server.pid());
    assert!(below.len() >= 3, "a zygote and two children: {below:?}");
    server.kill();
    eventually("no process of the server is left", async || {
        below.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    })
    .await;

    server.restart();
    let acme = acme.at(&server.url);
    let later = start(&acme, "linger").await;
    eventually("it runs again", async || (attempts(&acme, &again).await.len() == 2).then_some(()))
        .await;
    let word = json!({ "value": true, "secret": false });
    let reply =
        acme.send(acme.request(reqwest::Method::PUT, "/api/config/go_on").json(&word)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let ended = end_of(&acme, &again).await;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("succeeded"), &json!(2)));
    assert_eq!(ended["attempt"], 2);
    let lost = end_of(&acme, &once).await;
    assert_eq!((&lost["status"], &lost["attempt"]), (&json!("lost"), &json!(1)), "{lost}");
    assert_eq!(end_of(&acme, &later).await["status"], "succeeded");
    assert_eq!(attempts(&acme, &again).await, ["1", "2"]);
    assert_eq!(attempts(&acme, &once).await, ["1"]);
}

/// Every process below `pid`, whichever thread started it.
fn processes_below(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")));
    let text = lists.map(Result::unwrap_or_default).collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for child in text.split_whitespace().filter_map(|word| word.parse().ok()) {
        found.push(child);
        found.extend(processes_below(child));
    }
    found
}
