//! An installation as docs/deploying.md sets it up: a login that serves and owns nothing, and a
//! pooler in transaction mode between the servers and PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use futures_util::future::join_all;
use serde_json::json;
use servers::{PgBouncer, Postgres, PostgresOptions};
use std::{path::Path, process::Command};
use testkit::{Client, Server, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bifrost");
/// Connections to PostgreSQL, of both servers together. Each alone would take 16.
const CONNECTIONS: u32 = 3;
const AT_ONCE: u32 = 40;

const WORKFLOWS: &str = r#"
import time
from bifrost import log, workflow

@workflow
def double(number: int) -> int:
    log.info("doubling %s", number)
    return 2 * number

@workflow
def forever() -> None:
    while True:
        time.sleep(0.01)
"#;

/// A server whose database has been set up by an administrator and migrated.
struct Installation {
    postgres: Postgres,
}

impl Installation {
    fn new() -> Self {
        let it = Self { postgres: Postgres::start(PostgresOptions::default()) };
        let admin = it.postgres.url();
        psql(&format!("{admin}/postgres"), &["-c", "CREATE DATABASE bifrost"]).expect("made");
        let roles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/postgres/roles.sql");
        psql(&format!("{admin}/bifrost"), &["-f", roles.to_str().unwrap()]).expect("set up");
        it
    }

    fn url(&self, login: &str) -> String {
        format!("postgres://{login}@127.0.0.1:{}/bifrost", self.postgres.port())
    }

    /// A number that PostgreSQL knows.
    fn count(&self, sql: &str) -> u32 {
        psql(&format!("{}/bifrost", self.postgres.url()), &["-c", sql]).unwrap().parse().unwrap()
    }
}

/// What it prints, or what it says is wrong.
fn psql(url: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("psql");
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url]).args(arguments);
    command.envs([("MIGRATE_PASSWORD", "not asked for"), ("APP_PASSWORD", "not asked for")]);
    done(command)
}

fn bifrost(url: &str, arguments: &[&str]) -> Result<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(arguments).args(["--database-url", url, "--data-dir"]).arg(directory.path());
    done(command)
}

fn done(mut command: Command) -> Result<String, String> {
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

async fn double(client: Client, number: u32) -> (u16, serde_json::Value) {
    let inputs = json!({ "inputs": { "number": number } });
    let reply = client.post("/api/workflows/double/executions?wait=60", &inputs).await;
    (reply.status, reply.body["result"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_three_connections_of_a_pooler_in_transaction_mode() {
    let installation = Installation::new();
    bifrost(&installation.url("bifrost_migrate"), &["migrate", "up"]).expect("migrated");
    let pooler = PgBouncer::start(installation.postgres.port(), "bifrost_app", CONNECTIONS);
    let url = format!("postgres://bifrost_app@127.0.0.1:{}/bifrost", pooler.port());
    let one = Server::on(PROGRAM, &format!("{url}?statement-cache-capacity=0"));
    let other = one.beside(&[]);
    one.create_organization("acme");
    let acme = one.sign_in("acme", "admin").await;
    assert_eq!(acme.put_file("workflows/some.py", WORKFLOWS).await.status, 201);

    let servers = [acme.clone(), acme.at(&other.url)];
    let runs = (0..AT_ONCE).map(|number| double(servers[number as usize % 2].clone(), number));
    for (number, reply) in (0..AT_ONCE).zip(join_all(runs).await) {
        assert_eq!(reply, (200, json!(2 * number)), "{}{}", one.talk(), other.talk());
    }
    let used = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'bifrost_app'";
    assert!(installation.count(used) <= CONNECTIONS);

    let reply = acme.post("/api/workflows/forever/executions", &json!({ "inputs": {} })).await;
    let execution = format!("/api/executions/{}", reply.body["id"].as_str().unwrap());
    let is =
        async |status: &str| (acme.get(&execution).await.body["status"] == status).then_some(());
    eventually("it runs", async || is("running").await).await;
    assert_eq!(
        acme.at(&other.url).post(&format!("{execution}/cancel"), &json!({})).await.status,
        200
    );
    eventually("it is cancelled", async || is("cancelled").await).await;
}

#[test]
fn the_login_that_serves_can_neither_migrate_nor_read_by_itself() {
    let installation = Installation::new();
    let (serves, migrates) = (installation.url("bifrost_app"), installation.url("bifrost_migrate"));
    let told = bifrost(&serves, &["migrate", "up"]).expect_err("refused");
    assert!(told.contains("bifrost migrate up"), "{told}");
    bifrost(&migrates, &["migrate", "up"]).expect("migrated");
    assert_eq!(bifrost(&serves, &["migrate", "up"]), Ok(String::new()), "nothing to do");
    bifrost(&serves, &["migrate", "down", "1"]).expect_err("refused");
    let refused = |sql: &str| psql(&serves, &["-c", sql]).expect_err(sql);
    for sql in
        ["SELECT * FROM public.organizations", "SET ROLE bifrost_owner", "CREATE TEMP TABLE t ()"]
    {
        let told = refused(sql);
        assert!(told.contains("permission denied"), "{sql}: {told}");
    }
}
