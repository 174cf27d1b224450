//! A server killed with `kill -9`: nothing accepted is lost, nothing ends twice.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use serde_json::{Value, json};
use std::path::Path;
use testkit::{Client, Server, eventually};

const WORKFLOWS: &str = r#"
import os, time
from bifrost import context, workflow

@workflow
def linger(started: str, go_on: str) -> int:
    """Says that it runs, and runs until it is told to go on."""
    with open(started, "a") as file:
        file.write(f"{context.attempt}\n")
    while not os.path.exists(go_on):
        time.sleep(0.01)
    return context.attempt

@workflow(retries=0)
def once(started: str, go_on: str) -> int:
    return linger(started, go_on)
"#;

async fn start(client: &Client, workflow: &str, started: &Path, go_on: &Path) -> String {
    let inputs = json!({ "inputs": { "started": started, "go_on": go_on } });
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

fn attempts(started: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(started).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_loses_nothing_and_ends_everything_once() {
    let mut server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    server.create_organization("acme");
    let acme = server.sign_in("acme", "admin").await;
    assert_eq!(acme.put_file("workflows/linger.py", WORKFLOWS).await.status, 201);
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    let go_on = path("go-on");

    let again = start(&acme, "linger", &path("again"), &go_on).await;
    let once = start(&acme, "once", &path("once"), &go_on).await;
    let runs = |name: &str| attempts(&path(name)).len();
    eventually("both run", async || (runs("again") + runs("once") == 2).then_some(())).await;
    let below = processes_below(server.pid());
    assert!(below.len() >= 3, "a zygote and two children: {below:?}");
    server.kill();
    eventually("no process of the server is left", async || {
        below.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    })
    .await;

    server.restart();
    let acme = acme.at(&server.url);
    let later = start(&acme, "linger", &path("later"), &go_on).await;
    eventually("it runs again", async || (runs("again") == 2).then_some(())).await;
    std::fs::write(&go_on, "").unwrap();
    let again = end_of(&acme, &again).await;
    assert_eq!((&again["status"], &again["result"]), (&json!("succeeded"), &json!(2)));
    assert_eq!(again["attempt"], 2);
    let once = end_of(&acme, &once).await;
    assert_eq!((&once["status"], &once["attempt"]), (&json!("lost"), &json!(1)), "{once}");
    assert_eq!(end_of(&acme, &later).await["status"], "succeeded");
    assert_eq!(attempts(&path("again")), ["1", "2"]);
    assert_eq!(attempts(&path("once")), ["1"]);
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
