//! Packages in the whole program: built when the file is written, whole or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use testkit::{Client, Server, ServerOptions, eventually};

/// What `make test` installs.
fn uv() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/uv/bin/uv");
    assert!(path.exists(), "there is no {}: run `make uv`", path.display());
    path
}

fn start(uv: &Path) -> Server {
    Server::with(ServerOptions {
        program: env!("CARGO_BIN_EXE_bifrost").into(),
        arguments: vec!["--uv".to_owned(), uv.display().to_string()],
        environment: Vec::new(),
    })
}

async fn ready(client: &Client) -> Value {
    eventually("the packages are there", async || {
        let shown = client.get("/api/environment").await.body;
        assert_ne!(shown["status"], json!("failed"), "{shown}");
        (shown["status"] == json!("ready")).then_some(shown)
    })
    .await
}

const FLOW: &str = "
import idna
from bifrost import workflow

@workflow
def run() -> str:
    return idna.__version__
";

async fn run(client: &Client) -> Value {
    let path = "/api/workflows/run/executions?wait=60";
    let reply = client.post(path, &json!({ "inputs": {} })).await;
    assert_eq!(reply.body["status"], json!("succeeded"), "{reply:?}");
    reply.body["result"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_is_built_before_anything_runs() {
    let server = start(&uv());
    server.create_organization("acme");
    let acme = server.sign_in("acme", "admin").await;
    acme.put_file("requirements.txt", "idna==3.7\n").await;
    let shown = ready(&acme).await;
    assert_eq!(shown["packages"], json!([{ "name": "idna", "version": "3.7" }]));
    acme.put_file("run.py", FLOW).await;
    assert_eq!(run(&acme).await, json!("3.7"));
    let names = ["bifrost_zygotes", "bifrost_zygote_memory_bytes{kind=\"unique\"}"];
    eventually("memory is counted", async || {
        let reply = reqwest::get(format!("{}/metrics", server.url)).await.unwrap();
        let text = reply.text().await.unwrap();
        names.iter().all(|name| text.contains(name)).then_some(())
    })
    .await;
    // What cannot be had is told with the resolver's words and none of the machine's.
    acme.put_file("requirements.txt", "idna==3.7\nno-such-package-of-anybodys==1\n").await;
    let failed = eventually("it fails", async || {
        let shown = acme.get("/api/environment").await.body;
        (shown["status"] == json!("failed")).then_some(shown)
    })
    .await;
    let why = failed["error"].as_str().unwrap();
    assert!(why.contains("no-such-package-of-anybodys"), "{why}");
    assert!(!why.contains(&server.data_dir().display().to_string()), "{why}");
    assert_eq!(failed["packages_version"], json!(1));
    assert_eq!(run(&acme).await, json!("3.7"));
}

/// A uv that stops in the middle of installing for as long as there is a file `hang`. Behind its walls
/// it can read what is beside it and write nothing there.
fn hanging(directory: &Path) -> PathBuf {
    let here = directory.display();
    let script = format!(
        "#!/bin/sh\n\
         if [ -e {here}/hang ]; then case \"$*\" in *'pip install'*)\n\
           while [ \"$1\" != --target ]; do shift; done\n\
           mkdir -p \"$2/idna\"; echo 'half' > \"$2/idna/__init__.py\"\n\
           sleep 20; exit 1;;\n\
         esac; fi\n\
         exec {here}/uv \"$@\"\n"
    );
    fs::copy(uv(), directory.join("uv")).unwrap();
    let path = directory.join("shims/uv");
    fs::create_dir(directory.join("shims")).unwrap();
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_it_installs_leaves_nothing_that_could_be_imported() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("hang"), "").unwrap();
    let mut server = start(&hanging(directory.path()));
    server.create_organization("acme");
    let acme = server.sign_in("acme", "admin").await;
    acme.put_file("run.py", FLOW).await;
    acme.put_file("requirements.txt", "idna==3.7\n").await;
    let root = server.data_dir().join("environments");
    let left = || {
        let names = fs::read_dir(&root).unwrap().map(|it| it.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect::<Vec<_>>()
    };
    eventually("it installs", async || {
        let half = |name: &String| root.join(name).join("packages/idna/__init__.py").exists();
        left().iter().any(half).then_some(())
    })
    .await;
    server.kill();
    assert!(left().iter().all(|name| name.starts_with('.')), "{:?}", left());
    fs::remove_file(directory.path().join("hang")).unwrap();
    server.restart();
    let acme = server.sign_in("acme", "ops").await;
    assert_eq!(run(&acme).await, json!("3.7"));
    assert_eq!(ready(&acme).await["packages_version"], json!(1));
}
