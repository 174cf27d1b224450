//! Secrets on the real program: the master key at its start, rotations beside a running server, and
//! nothing of a secret in any file, log line or reply.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};
use testkit::{Client, Server, ServerOptions, peek::Peek};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bifrost");
const SECRET: &str = "TOP-SECRET-VALUE-4711";

const USE: &str = "
import base64, os, sys
from bifrost import config, log, workflow

@workflow
def use():
    key = config.get('halopsa.api_key')
    print('key', key)
    log.info('key', key=key)
    os.write(1, key.encode() + b'\\n')
    return {'length': len(key), 'key': key, 'hex': key.encode().hex()}

@workflow
def fail():
    raise ValueError(config.get('halopsa.api_key'))

@workflow
def environment():
    return dict(os.environ)
";

async fn put(client: &Client, key: &str, value: &str) {
    let request = client.request(reqwest::Method::PUT, &format!("/api/config/{key}"));
    let body = json!({"value": value, "secret": true});
    let reply = client.send(request.header("if-match", "*").json(&body)).await;
    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
}

async fn acme_of(server: &Server) -> Client {
    server.create_organization("acme");
    let acme = server.sign_in("acme", "admin").await;
    assert_eq!(acme.put_file("workflows/use.py", USE).await.status, 201);
    put(&acme, "halopsa.api_key", SECRET).await;
    acme
}

async fn assert_usable(acme: &Client) {
    let run = acme.run("use", json!({})).await;
    let masked = json!({"length": SECRET.len(), "key": "***", "hex": "***"});
    assert_eq!(run["result"], masked, "{run}");
}

/// What `serve` says when it refuses to start.
fn refused(server: &Server) -> String {
    let output = server.output(&["serve", "--listen", "127.0.0.1:0"]);
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{talk}");
    talk
}

fn write_key(path: &Path) -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    let key = BASE64_STANDARD.encode(bytes);
    fs::write(path, format!("{key}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_with_the_key_of_its_database_only() {
    let mut server = Server::start(PROGRAM);
    acme_of(&server).await;
    assert_eq!(server.stop(), Some(0));
    let path = server.data_dir().join("master.key");
    let kept = fs::read(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = path.display().to_string();

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(&server).contains("chmod 600"));

    let other = write_key(&path);
    let talk = refused(&server);
    assert!(talk.contains("is not the one this database was set up with"), "{talk}");
    assert!(talk.contains(&shown) && !talk.contains(&other), "{talk}");
    let doctor = server.output(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(told.contains("FAIL master key") && told.contains(&shown), "{told}");

    fs::remove_file(&path).unwrap();
    let talk = refused(&server);
    assert!(talk.contains("the master key is missing") && talk.contains(&shown), "{talk}");
    assert!(talk.contains("discard-secrets"), "{talk}");
    assert!(!path.exists(), "no new key is made over sealed secrets");

    fs::write(&path, &kept).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    server.restart();
    let doctor = server.output(&["doctor"]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("ok   master key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_beside_a_running_server() {
    let mut server = Server::start(PROGRAM);
    let acme = acme_of(&server).await;
    let path = server.data_dir().join("master.key");
    let old = fs::read(&path).unwrap();
    let said = server.command(&["admin", "rotate-master-key"], "");
    assert_eq!(said, "wrapped 1 data key(s) with the new master key\n");
    assert_ne!(fs::read(&path).unwrap(), old);
    assert_usable(&acme).await;
    server.create_organization("globex");
    let globex = server.sign_in("globex", "admin").await;
    put(&globex, "halopsa.api_key", SECRET).await;
    let said = server.command(&["admin", "rotate-data-keys", "--json"], "");
    let said: Value = serde_json::from_str(&said).unwrap();
    let one = |slug: &str| json!({"organization": slug, "secrets": 1});
    assert_eq!(said, json!({"rotated": [one("acme"), one("globex")]}));
    let said = server.command(&["admin", "rotate-data-keys", "--organization", "acme"], "");
    assert_eq!(said, "acme: 1 secret(s) sealed anew\n");
    assert_usable(&acme).await;
    server.command(&["admin", "rotate-master-key"], "");
    server.restart();
    assert_usable(&acme.at(&server.url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_may_come_from_the_environment_and_goes_no_further() {
    let directory = tempfile::tempdir().unwrap();
    let key = write_key(&directory.path().join("key"));
    let environment = vec![
        ("BIFROST_MASTER_KEY".to_owned(), key.clone()),
        ("BIFROST_LOG".to_owned(), "trace".to_owned()),
    ];
    let program = PathBuf::from(PROGRAM);
    let server = Server::with(ServerOptions { program, arguments: Vec::new(), environment });
    let acme = acme_of(&server).await;
    assert_usable(&acme).await;
    assert!(!server.data_dir().join("master.key").exists());
    let inside = acme.run("environment", json!({})).await;
    assert!(inside["result"]["HOME"].is_string(), "{inside}");
    assert!(inside["result"].get("BIFROST_MASTER_KEY").is_none(), "{inside}");
    assert!(!server.talk().contains(&key));
    let both = Command::new(PROGRAM)
        .args(["serve", "--master-key-file"])
        .arg(directory.path().join("key"))
        .env("BIFROST_MASTER_KEY", &key)
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&both.stderr).into_owned();
    assert!(talk.contains("give one of them") && !talk.contains(&key), "{talk}");
    assert_eq!(both.status.code(), Some(1));
    let malformed = Command::new(PROGRAM)
        .args(["serve", "--data-dir"])
        .arg(directory.path().join("new"))
        .env("BIFROST_MASTER_KEY", "not-a-key-4711")
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&malformed.stderr).into_owned();
    assert!(talk.contains("BIFROST_MASTER_KEY") && !talk.contains("not-a-key-4711"), "{talk}");
    assert_eq!(malformed.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_file_of_one_s_own_is_rotated_beside_a_running_server() {
    let directory = tempfile::tempdir().unwrap();
    let (path, next) = (directory.path().join("key"), directory.path().join("key.next"));
    write_key(&path);
    let shown = path.display().to_string();
    let environment = vec![("BIFROST_MASTER_KEY_FILE".to_owned(), shown.clone())];
    let program = PathBuf::from(PROGRAM);
    let mut server = Server::with(ServerOptions { program, arguments: Vec::new(), environment });
    let acme = acme_of(&server).await;
    let rotate = |arguments: &[&str]| {
        let command = [&["admin", "rotate-master-key", "--master-key-file", &shown], arguments];
        server.output(&command.concat())
    };
    let unsaid = rotate(&[]);
    let talk = String::from_utf8_lossy(&unsaid.stderr).into_owned();
    assert_eq!(unsaid.status.code(), Some(1));
    assert!(talk.contains("--new-master-key-file"), "{talk}");
    write_key(&next);
    let rotated = rotate(&["--new-master-key-file", next.to_str().unwrap()]);
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    assert_usable(&acme).await;
    fs::rename(&next, &path).unwrap();
    assert_usable(&acme).await;
    server.restart();
    assert_usable(&acme.at(&server.url)).await;
    assert!(!server.data_dir().join("master.key").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_file_no_log_and_no_reply() {
    let environment = vec![("BIFROST_LOG".to_owned(), "trace".to_owned())];
    let program = PathBuf::from(PROGRAM);
    let mut server = Server::with(ServerOptions { program, arguments: Vec::new(), environment });
    let acme = acme_of(&server).await;
    assert_usable(&acme).await;
    let mut replies = vec![acme.run("fail", json!({})).await, acme.run("use", json!({})).await];
    let id = replies[1]["id"].as_str().unwrap().to_owned();
    for path in [
        "/api/config".to_owned(),
        "/api/config/halopsa.api_key".to_owned(),
        "/api/audit".to_owned(),
        "/api/executions".to_owned(),
        format!("/api/executions/{id}"),
        format!("/api/executions/{id}/logs"),
    ] {
        replies.push(acme.get(&path).await.body);
    }
    assert_eq!(replies[0]["error"]["message"], "***");
    let lines = replies.last().unwrap()["items"].as_array().unwrap();
    let lines: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.contains(&"key ***") && lines.contains(&"***"), "{lines:?}");
    for reply in &replies {
        assert!(!reply.to_string().contains(SECRET), "{reply}");
    }
    assert!(acme.get("/api/files/content/workflows/use.py").await.status == 200);
    assert!(is_kept_sealed(&server).await, "the search finds what is there");
    assert!(server.talk().lines().count() > 20, "it logs");
    assert!(!server.talk().contains(SECRET));
    assert_eq!(server.stop(), Some(0));
    assert!(is_kept_sealed(&server).await, "afterwards");
    assert!(!server.talk().contains(SECRET));
}

/// Whether the name of the secret is in the server's files or its database, where the secret itself
/// must not be.
async fn is_kept_sealed(server: &Server) -> bool {
    // A file that is gone by now holds nothing.
    let read = |file| fs::read(file).unwrap_or_default();
    let files = files_below(server.data_dir()).into_iter().map(read);
    let rows = Peek::new(server.data_dir()).await.files().await;
    let kept: Vec<_> = files.chain(rows).collect();
    let holds = |text: &str| {
        kept.iter().any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    assert!(!holds(SECRET) && !holds(&BASE64_STANDARD.encode(SECRET)));
    holds("halopsa.api_key")
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files.extend(files_below(&entry.path())),
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_master_key_is_lost_an_operator_can_begin_again() {
    let mut server = Server::start(PROGRAM);
    let acme = acme_of(&server).await;
    server.kill();
    fs::remove_file(server.data_dir().join("master.key")).unwrap();
    refused(&server);
    let unsure = server.output(&["admin", "discard-secrets"]);
    assert_eq!(unsure.status.code(), Some(1));
    assert_eq!(server.command(&["admin", "discard-secrets", "--yes"], ""), "removed 1 secret(s)\n");
    server.restart();
    let acme = acme.at(&server.url);
    assert_eq!(acme.get("/api/config/halopsa.api_key").await.status, 404);
    put(&acme, "halopsa.api_key", SECRET).await;
    assert_usable(&acme).await;
}
