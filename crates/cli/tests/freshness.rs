//! A write that was answered is what every later execution runs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

use serde_json::json;
use testkit::{Client, Server, ServerOptions, redis::Redis};

const WORKFLOW: &str = "
from bifrost import workflow
from shared import answer

@workflow
def ask() -> int:
    return answer.VALUE
";

/// Pairs of a write and a run; all of them with `BIFROST_FULL=1`.
fn pairs() -> u32 {
    if std::env::var_os("BIFROST_FULL").is_some() { 10_000 } else { 500 }
}

async fn write(client: &Client, value: u32) {
    let reply = client.put_file("shared/answer.py", &format!("VALUE = {value}\n")).await;
    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_run_is_older_than_the_last_answered_write() {
    let server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    server.create_organization("acme");
    let provider = server.sign_in("provider", "admin").await;
    let global = server.act(&provider, None).await;
    let acme = server.sign_in("acme", "ops").await;
    write(&global, 0).await;
    let reply = global.put_file("workflows/ask.py", WORKFLOW).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let stale = stale(&global, (&acme, &acme), pairs()).await;
    println!("{} pairs, {stale} stale", pairs());
    assert_eq!(stale, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_run_of_one_node_is_older_than_an_answered_write_of_another() {
    let redis = Redis::start();
    let cache = ["--redis-url".to_owned(), redis.url()];
    let arguments = ["--role", "api"].map(str::to_owned).into_iter().chain(cache.clone()).collect();
    let program = env!("CARGO_BIN_EXE_bifrost").into();
    // This one runs nothing.
    let writes = Server::with(ServerOptions { program, arguments, environment: Vec::new() });
    let runs = writes.beside(&cache.each_ref().map(String::as_str));
    writes.create_organization("acme");
    let provider = writes.sign_in("provider", "admin").await;
    let global = writes.act(&provider, None).await;
    let acme = writes.sign_in("acme", "ops").await;
    write(&global, 0).await;
    assert_eq!(global.put_file("workflows/ask.py", WORKFLOW).await.status, 201);
    let count = pairs() / 5;
    let stale = stale(&global, (&acme, &acme.at(&runs.url)), count).await;
    println!("{count} pairs, {stale} stale");
    assert_eq!(stale, 0);
}

/// How many of so many runs are older than the write before them.
async fn stale(global: &Client, (writes, runs): (&Client, &Client), count: u32) -> u32 {
    let mut stale = 0;
    for value in 1..=count {
        // The organization's own three times, then its deletion and a write of Global's.
        if value % 4 == 0 {
            assert_eq!(writes.delete_file("shared/answer.py").await.status, 204);
            write(global, value).await;
        } else {
            write(writes, value).await;
        }
        let execution = runs.run("ask", json!({})).await;
        assert_eq!(execution["status"], "succeeded", "{execution}");
        stale += u32::from(execution["result"] != json!(value));
    }
    stale
}
