//! The servers, the processes, and organizations that each override one module.

use crate::node::Node;
use reqwest::Method;
use serde_json::json;
use servers::{Postgres, PostgresOptions};
use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Mutex,
};
use tempfile::TempDir;
use testkit::{Client, eventually, redis::Redis};

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub apis: usize,
    pub workers: usize,
    pub organizations: usize,
    /// Executions of each organization.
    pub each: usize,
}

/// An organization and a key of its admin.
#[derive(Clone)]
pub struct Tenant {
    pub slug: String,
    pub key: String,
}

/// Everything that runs.
pub struct Scene {
    pub size: Size,
    pub postgres: Mutex<Postgres>,
    pub redis: Mutex<Redis>,
    pub apis: Vec<(String, Mutex<Node>)>,
    pub workers: Vec<Mutex<Node>>,
    pub tenants: Vec<Tenant>,
    pub database_url: String,
    directory: TempDir,
}

const GLOBAL: &str = "NAME = 'global'\n";
const WORKFLOW: &str = "\
import time
from bifrost import context, log, workflow
from shared import who

@workflow
def greet(n: int) -> dict:
    log.info(f'attempt {context.attempt} of {n}')
    time.sleep(0.02)
    return {'who': who.NAME, 'n': n}
";
const PASSWORD: &str = "correct horse battery staple";

impl Scene {
    /// Starts it all and fills it.
    pub async fn start(size: Size) -> Self {
        let postgres = Postgres::start(PostgresOptions { durable: true, ..Default::default() });
        let redis = Redis::start();
        let (directory, redis_url) = (tempfile::tempdir().unwrap(), redis.url());
        let database_url = format!("{}/chaos", postgres.url());
        psql(&format!("{}/postgres", postgres.url()), "CREATE DATABASE chaos");
        let keys = directory.path().join("keys");
        std::fs::create_dir_all(&keys).unwrap();
        let common = |role: &str| {
            let keys = keys.to_str().unwrap();
            let places = ["--database-url", &database_url, "--redis-url", &redis_url];
            let rest = ["--keys-dir", keys, "--role", role];
            places.into_iter().chain(rest).map(str::to_owned).collect::<Vec<_>>()
        };
        let mut apis = Vec::new();
        for n in 0..size.apis {
            let port = free_port();
            let mut arguments = common("api");
            arguments.extend(["--listen".to_owned(), format!("127.0.0.1:{port}")]);
            let node = Node::start(directory.path().join(format!("api{n}")), arguments);
            apis.push((format!("http://127.0.0.1:{port}"), Mutex::new(node)));
            ready(&apis[n].0).await;
        }
        let workers = (0..size.workers).map(|n| {
            let arguments = [common("worker"), vec!["--concurrency".to_owned(), "4".to_owned()]];
            Mutex::new(Node::start(directory.path().join(format!("worker{n}")), arguments.concat()))
        });
        let workers = workers.collect();
        let (postgres, redis) = (Mutex::new(postgres), Mutex::new(redis));
        let tenants = Vec::new();
        let mut scene =
            Self { size, postgres, redis, apis, workers, tenants, database_url, directory };
        scene.fill().await;
        scene
    }

    async fn fill(&mut self) {
        let url = self.apis[0].0.clone();
        let provider = self.admin_of("provider").await;
        let act = json!({ "organization": null, "reason": "set up" });
        let token = provider.post("/api/auth/act", &act).await;
        let global = Client::new(&url, Some(token.body["access_token"].as_str().unwrap()));
        assert_eq!(global.put_file("shared/who.py", GLOBAL).await.status, 201);
        assert_eq!(global.put_file("workflows/greet.py", WORKFLOW).await.status, 201);
        for n in 0..self.size.organizations {
            let slug = format!("tenant-{n}");
            let create = ["admin", "create-organization", "--slug", &slug, "--name", &slug];
            self.command(&create, "");
            let admin = self.admin_of(&slug).await;
            let own = format!("NAME = '{slug}'\n");
            assert_eq!(admin.put_file("shared/who.py", &own).await.status, 201);
            let wanted = json!({ "name": "chaos", "role": "ops" });
            let made = admin.post("/api/api-keys", &wanted).await;
            let key = made.body["secret"].as_str().or(made.body["key"].as_str());
            let key = key.unwrap_or_else(|| panic!("{made:?}")).to_owned();
            self.tenants.push(Tenant { slug, key });
        }
    }

    async fn admin_of(&self, organization: &str) -> Client {
        let email = format!("admin@{organization}.test");
        let create = ["admin", "create-user", "--organization", organization, "--email", &email];
        let create = [create.to_vec(), vec!["--role", "admin", "--password-stdin"]].concat();
        self.command(&create, PASSWORD);
        let anonymous = Client::new(&self.apis[0].0, None);
        let login = json!({ "organization": organization, "email": email, "password": PASSWORD });
        let reply = anonymous.post("/api/auth/login", &login).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        Client::new(&self.apis[0].0, Some(reply.body["access_token"].as_str().unwrap()))
    }

    /// Runs a `bifrost` command on the database; its standard output.
    pub fn command(&self, arguments: &[&str], input: &str) -> String {
        use std::io::Write;
        let directory: PathBuf = self.directory.path().join("commands");
        let mut child = Command::new(env!("CARGO_BIN_EXE_bifrost"))
            .args(arguments)
            .args(["--database-url", &self.database_url, "--data-dir"])
            .arg(directory)
            .arg("--keys-dir")
            .arg(self.directory.path().join("keys"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "bifrost {arguments:?}: {talk}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A tenant's client at one of the API processes.
    pub fn client(&self, tenant: &Tenant, api: usize) -> Client {
        Client::new(&self.apis[api % self.apis.len()].0, Some(&tenant.key))
    }

    /// What a statement says, past the program.
    pub fn ask(&self, sql: &str) -> String {
        psql(&self.database_url, sql)
    }

    /// What every process has said, for a failed test.
    pub fn logs(&self) -> String {
        let nodes = self.apis.iter().map(|(_, node)| node).chain(&self.workers);
        nodes.map(|node| node.lock().unwrap().log()).collect::<Vec<_>>().join("\n----\n")
    }
}

/// Waits until a server says that it is ready.
async fn ready(url: &str) {
    let client = reqwest::Client::new();
    eventually("it is ready", async || {
        let asked = client.request(Method::GET, format!("{url}/readyz")).send().await;
        asked.ok().filter(|reply| reply.status().is_success()).map(|_| ())
    })
    .await;
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn psql(url: &str, sql: &str) -> String {
    let output = Command::new("psql").args(["-XqAt", "-c", sql, url]).output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
