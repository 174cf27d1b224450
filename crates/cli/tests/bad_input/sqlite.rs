//! An SQLite file that is locked, read-only, from a newer version, damaged, or on a full disk.

use crate::stage::{Stage, refused, still_works, workflow};
use serde_json::json;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use testkit::eventually;
use testkit::{Client, Server, ServerOptions};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input").join(name)
}

/// Another process that is writing to the database of a server: for so long, or until it is told.
struct Lock(Child);

impl Lock {
    fn hold(server: &Server, seconds: Option<&str>) -> Self {
        let mut command = Command::new("python3");
        command.arg(here("hold_lock.py")).arg(server.data_dir().join("bifrost.db"));
        command.args(seconds).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "held\n");
        Self(child)
    }

    fn release(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

#[tokio::test]
async fn a_lock_of_two_seconds_is_waited_for() {
    let stage = Stage::new().await;
    let lock = Lock::hold(&stage.server, Some("2"));
    let begun = Instant::now();
    let (read, written) =
        tokio::join!(stage.acme.get("/api/files"), stage.acme.put_file("a.txt", "x"));
    assert_eq!((read.status, written.status), (200, 201), "{written:?}");
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
    lock.release();
    stage.still_works().await;
}

#[tokio::test]
async fn a_lock_without_end_is_told_and_nothing_is_half_written() {
    let stage = Stage::new().await;
    let source = workflow("time.sleep(1)\nprint('said')\nreturn context.attempt");
    assert_eq!(stage.acme.put_file("main.py", &source).await.status, 201);
    let reply = stage.acme.post("/api/workflows/main/executions", &json!({})).await;
    let running = format!("/api/executions/{}", reply.body["id"].as_str().unwrap());
    eventually("it runs", async || {
        (stage.acme.get(&running).await.body["status"] == "running").then_some(())
    })
    .await;
    let (lock, nothing) = (Lock::hold(&stage.server, None), json!({}));
    let begun = Instant::now();
    let (written, started, read) = tokio::join!(
        stage.acme.put_file("a.txt", "x"),
        stage.acme.post("/api/workflows/fine/executions?wait=1", &nothing),
        stage.acme.get("/api/files"),
    );
    println!("refused after {:.1?}", begun.elapsed());
    refused(&written, 503, "unavailable");
    refused(&started, 503, "unavailable");
    assert_eq!(read.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    lock.release();
    assert_eq!(stage.acme.get("/api/files/content/a.txt").await.status, 404);
    assert_eq!(stage.acme.get("/api/executions").await.body["items"].as_array().unwrap().len(), 1);
    let ended = eventually("its outcome is kept", async || {
        let execution = stage.acme.get(&running).await.body;
        execution["finished_at"].is_string().then_some(execution)
    })
    .await;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("succeeded"), &json!(1)), "{ended:#}");
    stage.still_works().await;
}

/// A stopped server's directory, in which `fine` can be run.
async fn stopped() -> (Stage, PathBuf) {
    let mut stage = Stage::new().await;
    assert_eq!(stage.server.stop(), Some(0));
    let directory = stage.server.data_dir().to_owned();
    (stage, directory)
}

/// `bifrost serve` does not start, exits with 1 and says why.
fn does_not_start(mut command: Command, directory: &Path, words: &str) {
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory);
    let output = command.output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{talk}");
    let said = talk.lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>();
    assert!(said.len() == 1 && said[0].contains(words), "`{words}` is not in: {talk}");
}

fn bifrost() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bifrost"))
}

/// `bifrost` as somebody whom file modes apply to.
fn bifrost_as_nobody() -> Command {
    if !rustix::process::geteuid().is_root() {
        return bifrost();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.arg(env!("CARGO_BIN_EXE_bifrost"));
    command
}

/// Gives the files of a data directory to whom `bifrost_as_nobody` runs as.
fn give_away(directory: &Path) {
    if rustix::process::geteuid().is_root() {
        let status = Command::new("chown").args(["-R", "65534:65534"]).arg(directory).status();
        assert!(status.unwrap().success());
    }
}

fn set_modes(directory: &Path, file_mode: u32, directory_mode: u32) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::set_permissions(path, fs::Permissions::from_mode(file_mode)).unwrap();
        }
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(directory_mode)).unwrap();
}

#[tokio::test]
async fn a_database_that_cannot_be_written_keeps_a_server_from_starting() {
    let (mut stage, directory) = stopped().await;
    give_away(&directory);
    set_modes(&directory, 0o444, 0o700);
    does_not_start(bifrost_as_nobody(), &directory, "the database is read-only");
    set_modes(&directory, 0o444, 0o555);
    does_not_start(bifrost_as_nobody(), &directory, "the database is read-only");
    set_modes(&directory, 0o000, 0o700);
    does_not_start(bifrost_as_nobody(), &directory, "cannot be opened");
    let empty = tempfile::tempdir().unwrap();
    fs::set_permissions(empty.path(), fs::Permissions::from_mode(0o555)).unwrap();
    does_not_start(bifrost_as_nobody(), empty.path(), "cannot be opened");
    does_not_start(bifrost_as_nobody(), &empty.path().join("inner"), "cannot be made");
    set_modes(&directory, 0o600, 0o700);
    stage.server.restart();
    still_works(&stage.acme.at(&stage.server.url)).await;
}

fn sql(directory: &Path, statement: &str) {
    let script =
        "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as c: c.execute(sys.argv[2])";
    let database = directory.join("bifrost.db");
    let status = Command::new("python3").args(["-c", script]).arg(database).arg(statement).status();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let (mut stage, directory) = stopped().await;
    sql(&directory, "INSERT INTO seaql_migrations VALUES ('m9999_future', 1)");
    does_not_start(
        bifrost(),
        &directory,
        "from a newer version of Bifrost (migration `m9999_future`",
    );
    sql(&directory, "DELETE FROM seaql_migrations WHERE version = 'm9999_future'");
    stage.server.restart();
    still_works(&stage.acme.at(&stage.server.url)).await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("bifrost.db");
    fs::write(&database, "a letter to my aunt, ".repeat(1000)).unwrap();
    does_not_start(bifrost(), directory.path(), "not a Bifrost database or is damaged");
    assert!(fs::read_to_string(&database).unwrap().starts_with("a letter to my aunt"));
    fs::remove_file(&database).unwrap();
    fs::create_dir(&database).unwrap();
    does_not_start(bifrost(), directory.path(), "cannot be opened");
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_half_written() {
    let (stage, directory) = stopped().await;
    let environment = vec![
        ("SEED".to_owned(), directory.to_str().unwrap().to_owned()),
        ("BIFROST".to_owned(), env!("CARGO_BIN_EXE_bifrost").to_owned()),
    ];
    let program = here("on_a_small_disk.sh");
    let server = Server::with(ServerOptions { program, arguments: Vec::new(), environment });
    let acme = stage.acme.at(&server.url);
    still_works(&acme).await;
    // Through the server's own eyes: the disk is mounted for it alone.
    let inside = format!("/proc/{}/root{}", server.pid(), server.data_dir().display());
    let ballast = Path::new(&inside).join("ballast");
    fs::write(&ballast, vec![0; 3 << 20]).unwrap();
    let written = fill(&acme).await;
    println!("full after {written} files");
    let listed = acme.get("/api/files?scope=own&prefix=fill/").await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), written);
    let refusal = acme.get(&format!("/api/files/content/fill/{written}.txt")).await;
    assert_eq!(refusal.status, 404);
    fs::remove_file(&ballast).unwrap();
    assert_eq!(
        acme.put_file(&format!("fill/{written}.txt"), &"x".repeat(300 << 10)).await.status,
        201
    );
    still_works(&acme).await;
}

/// Writes files until there is no room; how many there was room for.
async fn fill(acme: &Client) -> usize {
    for number in 0..100 {
        let reply = acme.put_file(&format!("fill/{number}.txt"), &"x".repeat(300 << 10)).await;
        if reply.status != 201 {
            refused(&reply, 503, "unavailable");
            return number;
        }
    }
    panic!("the disk was never full");
}
