//! The bait, a server beside it, an organization that attacks and one that has something to lose.

use crate::{plain::Attack, space::As};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};
use tempfile::TempDir;
use testkit::{Client, Server, ServerOptions, eventually};

/// In what is to be taken, and the name of processes that mean to stay: another one in each process,
/// since several of these tests may run at the same time. Names of processes have 15 letters.
pub fn mark() -> &'static str {
    static MARK: LazyLock<String> = LazyLock::new(|| format!("qxmark{}x", std::process::id()));
    &MARK
}

/// In the server's environment.
pub const SECRET: &str = "qxserversecret5";

/// Where the Python side of the attacks is.
pub fn python_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks/python")
}

/// What the attacks are after; gone with the value.
pub struct Bait {
    directory: TempDir,
    child: Child,
    /// Where everything is.
    pub told: Value,
}

impl Bait {
    /// Starts the services and lays out the files.
    pub fn lay_out() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = Command::new("python3")
            .arg("bait.py")
            .arg(directory.path())
            .current_dir(python_directory())
            .env("BAIT_MARK", mark())
            .env("A_SECRET_OF_THE_SERVER", SECRET)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told = serde_json::from_str(&line).expect("where the bait is");
        Self { directory, child, told }
    }

    /// Nothing was changed, added or taken away.
    pub fn assert_is_whole(&self) {
        let at = |name: &str| self.directory.path().join(name);
        for name in ["secret", "victim", "keep/kept"] {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), mark(), "{name}");
        }
        for name in ["open", "beside"] {
            assert_eq!(fs::read_dir(at(name)).unwrap().count(), 0, "{name} is empty");
        }
        assert_eq!(fs::read_dir(at("keep")).unwrap().count(), 1, "what was there");
    }
}

impl Drop for Bait {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It removes what outlives processes, and then ends.
        let _ended = self.child.wait();
    }
}

/// Everything in its place.
pub struct Stage {
    pub server: Server,
    bait: Bait,
    acme: Client,
    globex: Client,
    neighbour: Value,
    lingering: String,
    _program: TempDir,
}

const NEIGHBOUR: &str = r#"
import os, time
from bifrost import context, files, log, workflow

@workflow
def linger() -> None:
    """Has a secret, and waits to be cancelled."""
    with open("secret.txt", "w") as file:
        file.write("MARK")
    os.chmod("secret.txt", 0o644)
    log.info("here: " + os.getcwd())
    while not context.cancelled:
        time.sleep(0.02)

@workflow
def neighbour(number: int) -> int:
    return number + 1
"#;

impl Stage {
    /// Starts a server as somebody, with the attacks as an organization's files.
    pub async fn start(who: As) -> Self {
        let bait = Bait::lay_out();
        let (server, directory) = server(who);
        for slug in ["acme", "globex"] {
            server.create_organization(slug);
        }
        let acme = server.sign_in("acme", "admin").await;
        let globex = server.sign_in("globex", "admin").await;
        write_attacks(&acme).await;
        let neighbour = NEIGHBOUR.replace("MARK", mark());
        assert_eq!(globex.put_file("neighbour.py", &neighbour).await.status, 201);
        assert_eq!(globex.put_file("their-secret.txt", mark()).await.status, 201);
        let settings = json!({ "executions": { "timeout_seconds": 40 } });
        let request = acme.request(reqwest::Method::PATCH, "/api/org/settings");
        let reply = acme.send(request.header("if-match", "*").json(&settings)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let (lingering, neighbour) = linger(&globex).await;
        Self { server, bait, acme, globex, neighbour, lingering, _program: directory }
    }

    /// As many runs at once as there can be, so that whatever is made once is there.
    pub async fn warm_up(&self) {
        let runs = (0..12).map(|number| self.globex.run("neighbour", json!({ "number": number })));
        for run in futures_util::future::join_all(runs).await {
            assert_eq!(run["status"], "succeeded", "{run}");
        }
    }

    /// Runs one attack beside a run of the neighbour; the attack's execution.
    pub async fn attack(&self, attack: &Attack) -> Value {
        let name = &attack.name;
        let inputs = json!({ "name": name, "bait": self.bait() });
        let body = json!({ "inputs": inputs });
        let lasts = attack.ends.iter().any(|end| end == "timed_out");
        let workflow = if lasts { "attack_for_ever" } else { "attack" };
        let path = format!("/api/workflows/{workflow}/executions?wait=60");
        let attack = self.acme.post(&path, &body);
        let neighbour = self.globex.run("neighbour", json!({ "number": 1 }));
        let (reply, neighbour) = tokio::join!(attack, neighbour);
        assert_eq!(neighbour["status"], "succeeded", "beside {name}: {neighbour}");
        assert_eq!(neighbour["result"], 2, "beside {name}");
        assert_eq!(reply.status, 200, "{name}: {reply:?}\n{}", self.server.talk());
        reply.body
    }

    fn bait(&self) -> Value {
        let mut told = self.bait.told.clone();
        let data = self.server.data_dir();
        let port: u16 = self.server.url.rsplit(':').next().unwrap().parse().unwrap();
        let full = std::env::var_os("BIFROST_FULL").is_some();
        let more = json!({
            "data": data, "runtime": runtime(data), "neighbour": self.neighbour,
            "server": self.server.pid(), "server_port": port, "mounted": data,
            "letters": SECRET.chars().collect::<Vec<_>>(), "small": false,
            "many": if full { 1_000_000 } else { 100_000 },
            "foreign": self.lingering, "organization": "globex",
        });
        told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        told
    }

    /// The walls of which the server says that they do not hold; none of them is required.
    pub async fn missing_walls(&self) -> Vec<String> {
        let provider = self.server.sign_in("provider", "admin").await;
        let global = self.server.act(&provider, None).await;
        let shown = global.get("/api/system/isolation").await.body;
        assert_eq!(shown["whole"], json!(true), "{shown}");
        let walls = shown["walls"].as_array().unwrap().iter();
        let missing = walls.filter(|wall| wall["holds"] == json!(false));
        missing.map(|wall| wall["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Cancels the run that the attacks were after; it has to have been undisturbed.
    pub async fn end_neighbour(&mut self) {
        let path = format!("/api/executions/{}", self.lingering);
        let running = self.globex.get(&path).await.body;
        assert_eq!(running["status"], "running", "{running}");
        self.globex.post(&format!("{path}/cancel"), &json!({})).await;
        eventually("the neighbour's run ends", async || {
            let run = self.globex.get(&path).await.body;
            run["finished_at"].is_string().then_some(())
        })
        .await;
    }

    /// Whatever the attacks were after is as it was.
    pub fn assert_bait_is_whole(&self) {
        self.bait.assert_is_whole();
    }
}

/// A server that runs as somebody; the directory has to be kept as long. It would not start without
/// a required wall, so that no bomb goes off in the open.
pub fn server(who: As) -> (Server, TempDir) {
    let (program, directory) = program(who);
    let server = Server::with(ServerOptions {
        program,
        arguments: vec!["--concurrency=6".to_owned(), "--isolation=required".to_owned()],
        environment: vec![("A_SECRET_OF_THE_SERVER".to_owned(), SECRET.to_owned())],
    });
    (server, directory)
}

/// The program as root starts it, or in the clothes of a user without any right.
fn program(who: As) -> (PathBuf, TempDir) {
    let bifrost = env!("CARGO_BIN_EXE_bifrost");
    if who == As::Root {
        return (bifrost.into(), tempfile::tempdir().unwrap());
    }
    script(&format!(
        r#"before=
for argument; do
  if [ "$before" = --data-dir ]; then chown -R {USER}:{USER} "$argument"; fi
  before=$argument
done
cd /
if [ "$1" = serve ]; then set -- "$@" --python /usr/bin/python3; fi
exec setpriv --reuid={USER} --regid={USER} --clear-groups --inh-caps=-all --bounding-set=-all {bifrost} "$@"
"#
    ))
}

/// A program made of a few lines for the shell, and where it lies.
pub fn script(lines: &str) -> (PathBuf, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = directory.path().join("bifrost");
    fs::write(&path, format!("#!/bin/sh\n{lines}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (path, directory)
}

/// Nobody's number.
const USER: u32 = 64_123;

async fn write_attacks(acme: &Client) {
    let root = python_directory();
    let families = fs::read_dir(root.join("attacks")).unwrap();
    let names = families.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| name.ends_with(".py")).map(|name| format!("attacks/{name}"));
    for name in names.chain(["attack.py".to_owned()]) {
        let text = fs::read_to_string(root.join(&name)).unwrap();
        let reply = acme.put_file(&name, &text).await;
        assert_eq!(reply.status, 201, "{name}: {reply:?}");
    }
}

/// A run that lasts, and where it is.
async fn linger(globex: &Client) -> (String, Value) {
    let reply = globex.post("/api/workflows/linger/executions", &json!({ "inputs": {} })).await;
    let id = reply.body["id"].as_str().unwrap().to_owned();
    let place = eventually("it says where it is", async || {
        let logs = globex.get(&format!("/api/executions/{id}/logs")).await.body;
        let line = logs["items"].as_array()?.first()?["message"].as_str()?.to_owned();
        line.strip_prefix("here: ").map(|place| json!(place))
    })
    .await;
    (id, place)
}

fn runtime(data: &Path) -> PathBuf {
    let mut versions = fs::read_dir(data.join("runtime")).unwrap();
    versions.next().expect("a runtime").unwrap().path()
}
