//! Serving: stopping with work in hand, roles, and what keeps a server from starting.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};
use testkit::{Client, Server, ServerOptions, peek::Peek};

const NAP: &str = "
import time
from bifrost import workflow

@workflow
def nap(seconds: float) -> str:
    time.sleep(seconds)
    return 'rested'
";

async fn acme_of(server: &Server) -> Client {
    server.create_organization("acme");
    let acme = server.sign_in("acme", "admin").await;
    assert_eq!(acme.put_file("workflows/nap.py", NAP).await.status, 201);
    acme
}

async fn status_after(client: &Client, id: &str, before: &[&str]) -> Value {
    loop {
        let status = client.get(&format!("/api/executions/{id}")).await.body["status"].clone();
        if !before.iter().any(|word| status == *word) {
            return status;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_lets_its_runs_end() {
    let mut server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    let acme = acme_of(&server).await;
    let path = "/api/workflows/nap/executions";
    let reply = acme.post(path, &json!({ "inputs": { "seconds": 1.0 } })).await;
    let id = reply.body["id"].as_str().unwrap().to_owned();
    assert_eq!(status_after(&acme, &id, &["pending"]).await, "running");
    assert_eq!(server.stop(), Some(0), "{}", server.talk());
    server.restart();
    assert_eq!(status_after(&acme.at(&server.url), &id, &[]).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopping_server_cannot_let_end_waits_for_the_next_at_once() {
    let program = env!("CARGO_BIN_EXE_bifrost").into();
    let arguments = ["--drain-seconds", "0"].map(str::to_owned).to_vec();
    let mut server = Server::with(ServerOptions { program, arguments, environment: Vec::new() });
    let acme = acme_of(&server).await;
    let inputs = json!({ "inputs": { "seconds": 3600 } });
    let reply = acme.post("/api/workflows/nap/executions", &inputs).await;
    let id = reply.body["id"].as_str().unwrap().to_owned();
    assert_eq!(status_after(&acme, &id, &["pending"]).await, "running");
    assert_eq!(server.stop(), Some(0), "{}", server.talk());
    let peek = Peek::new(server.data_dir()).await;
    assert_eq!(peek.texts("SELECT status FROM executions").await, ["pending"]);
    server.restart();
    let acme = acme.at(&server.url);
    assert_eq!(status_after(&acme, &id, &["pending"]).await, "running");
    let again = acme.get(&format!("/api/executions/{id}")).await.body;
    assert_eq!(again["attempt"], 2, "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_may_answer_while_another_one_works() {
    let program = env!("CARGO_BIN_EXE_bifrost").into();
    let arguments = vec!["--role".to_owned(), "api".to_owned()];
    let server = Server::with(ServerOptions { program, arguments, environment: Vec::new() });
    let acme = acme_of(&server).await;
    let inputs = json!({ "inputs": { "seconds": 0.0 } });
    let reply = acme.post("/api/workflows/nap/executions?wait=0.2", &inputs).await;
    assert_eq!((reply.status, &reply.body["status"]), (202, &json!("pending")));
    let _worker = server.beside(&["--role", "all"]);
    let id = reply.body["id"].as_str().unwrap();
    assert_eq!(status_after(&acme, id, &["pending", "running"]).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_execution_is_cancelled_at_once() {
    let server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    let acme = acme_of(&server).await;
    let reply =
        acme.post("/api/workflows/nap/executions", &json!({ "inputs": { "seconds": 3600 } })).await;
    let id = reply.body["id"].as_str().unwrap().to_owned();
    assert_eq!(status_after(&acme, &id, &["pending"]).await, "running");
    let reply = acme.post(&format!("/api/executions/{id}/cancel"), &json!({})).await;
    assert!(matches!(reply.status, 200 | 202), "{reply:?}");
    assert_eq!(status_after(&acme, &id, &["running"]).await, "cancelled");
}

#[test]
fn a_data_directory_may_be_relative_as_the_default_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bifrost"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .current_dir(directory.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<String> = lines.take(1).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told.iter().any(|line| line.starts_with("listening on ")), "{told:?}");
    assert!(directory.path().join("bifrost-data/bifrost.db").exists());
}

#[test]
fn a_reader_that_leaves_early_ends_a_command_quietly() {
    let directory = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_bifrost");
    let script = format!("{program} doctor --data-dir d | true");
    let output =
        Command::new("sh").args(["-c", &script]).current_dir(directory.path()).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(!talk.contains("panicked"), "{talk}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_knows_the_provider_s_person_who_acts() {
    let server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    server.create_organization("acme");
    let provider = server.sign_in("provider", "admin").await;
    let acting = server.act(&provider, Some("acme")).await;
    let who = "from bifrost import context, workflow\n\n@workflow\ndef who():\n    \
               return [context.organization.slug, context.user.email]\n";
    assert_eq!(acting.put_file("workflows/who.py", who).await.status, 201);
    let execution = acting.run("who", json!({})).await;
    assert_eq!(execution["result"], json!(["acme", "admin@provider.test"]), "{execution}");
}

#[test]
fn what_keeps_a_server_from_starting_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], why: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_bifrost"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path())
            .args(arguments)
            .output()
            .unwrap();
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{talk}");
        assert!(talk.contains(why), "`{why}` is not in: {talk}");
    };
    refused(&["--redis-url", "http://localhost"], "redis+cluster://");
    refused(&["--database-url", "postgres://127.0.0.1:1/x"], "the database does not answer");
    refused(&["--python", "/nowhere/python3"], "/nowhere/python3");
    refused(&["--config", "/nowhere.toml"], "/nowhere.toml");
}
