//! The server, or any process of it, killed with `kill -9`: nothing accepted is lost, nothing ends
//! twice.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

#[path = "postgres_chaos/dice.rs"]
mod dice;

use dice::Dice;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
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

async fn start(client: &Client, workflow: &str, inputs: Value) -> String {
    let body = json!({ "inputs": inputs });
    let reply = client.post(&format!("/api/workflows/{workflow}/executions"), &body).await;
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

    let again = start(&acme, "linger", json!({})).await;
    let once = start(&acme, "once", json!({})).await;
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
    let later = start(&acme, "linger", json!({})).await;
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

/// Leaves a process behind that would live on.
const WORK: &str = "
import ctypes, os, time
from bifrost import workflow

@workflow
def work(number: int) -> int:
    ctypes.CDLL(None).prctl(15, b'MARK', 0, 0, 0)
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    time.sleep(number % 7 / 100)
    return number * 2
";

#[tokio::test(flavor = "multi_thread")]
async fn whichever_process_is_killed_at_whatever_moment_each_run_ends_once() {
    let seed = Dice::seed();
    let rounds = if std::env::var_os("BIFROST_FULL").is_some() { 100 } else { 12 };
    println!("BIFROST_CHAOS_SEED={seed}, {rounds} rounds");
    let mut dice = Dice::new(seed);
    let mark = format!("bf{:012x}", seed & 0xffff_ffff_ffff);
    let mut server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    server.create_organization("acme");
    let mut acme = server.sign_in("acme", "admin").await;
    let source = WORK.replace("MARK", &mark);
    assert_eq!(acme.put_file("workflows/work.py", &source).await.status, 201);
    let mut ends = Vec::new();
    for round in 0..rounds {
        let mut ids = Vec::new();
        for number in round * 4..round * 4 + 4 {
            ids.push((number, start(&acme, "work", json!({ "number": number })).await));
        }
        tokio::time::sleep(dice.between(Duration::ZERO, Duration::from_millis(120))).await;
        let below = processes_below(server.pid());
        match below.get(dice.roll(below.len() + 2)) {
            Some(pid) => kill(*pid),
            None => {
                server.kill();
                server.restart();
                acme = acme.at(&server.url);
            }
        }
        for (number, id) in ids {
            let end = end_of(&acme, &id).await;
            match end["status"].as_str().unwrap() {
                "succeeded" => assert_eq!(end["result"], json!(number * 2), "{end}"),
                "crashed" | "lost" => assert_eq!(end["result"], Value::Null, "{end}"),
                _ => panic!("{end}"),
            }
            ends.push((id, end));
        }
    }
    for (id, end) in &ends {
        assert_eq!(&end_of(&acme, id).await, end, "it ended twice");
    }
    let succeeded = ends.iter().filter(|(_, end)| end["status"] == "succeeded").count();
    println!("{} runs, {succeeded} of them succeeded", ends.len());
    eventually("nothing of a run is left", async || named(&mark).is_empty().then_some(())).await;
}

/// One that has gone meanwhile is as good.
fn kill(pid: u32) {
    let pid = pid.to_string();
    let killed = std::process::Command::new("kill").args(["-9", &pid]).output();
    killed.expect("`kill` is there");
}

/// The processes with this name.
fn named(name: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let names = entries.filter_map(|entry| {
        let text = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        (text.trim() == name).then(|| entry.file_name().to_string_lossy().into_owned())
    });
    names.collect()
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
