//! The table as the Python side tells it, and the attacks without walls.

use crate::stage::{Bait, SECRET, mark, python_directory};
use serde::Deserialize;
use serde_json::json;
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// One row of the table, and how it went without walls if it was tried.
#[derive(Debug, Deserialize)]
pub struct Attack {
    pub name: String,
    /// Errors by which it is refused, any of them.
    pub refused: Vec<String>,
    /// How else its run may end.
    pub ends: Vec<String>,
    absent: Vec<String>,
    /// Why it is not tried without walls, if it is not.
    pub alone: String,
    /// The wall without which it may succeed where the machine says that it has not got it.
    pub wall: String,
    #[serde(default)]
    reached: Option<String>,
    #[serde(default, rename = "refused_by")]
    word: Option<String>,
}

impl Attack {
    /// Whether this machine has not what is attacked.
    pub fn is_absent(&self) -> bool {
        self.word.as_ref().is_some_and(|word| self.absent.contains(word))
    }

    /// Whether it succeeds without walls, or says why it cannot be tried.
    pub fn is_shown(&self) -> bool {
        !self.alone.is_empty() || self.reached.is_some() || self.is_absent()
    }
}

/// All attacks, untried; with `BIFROST_ATTACKS=files.,links.` only those whose names begin so.
pub fn list() -> Vec<Attack> {
    let told = call(&["--list"], "");
    assert!(told.len() > 200, "only {} attacks", told.len());
    let Ok(wanted) = std::env::var("BIFROST_ATTACKS") else { return told };
    let is_wanted = |attack: &Attack| wanted.split(',').any(|it| attack.name.starts_with(it));
    told.into_iter().filter(is_wanted).collect()
}

/// All attacks on the bait, with a directory that looks like a server's.
pub fn attempt(bait: &Bait, data: &Path) -> Vec<Attack> {
    let mut told = bait.told.clone();
    let more = json!({
        "data": data, "runtime": data.join("runtime"), "neighbour": data.join("neighbour"),
        "server": told["victim_pid"], "server_port": told["tcp"], "mounted": "/sys",
        "letters": SECRET.chars().collect::<Vec<_>>(), "small": true, "many": 1000,
        "foreign": "none", "organization": "none",
    });
    let (into, from) = (told.as_object_mut().unwrap(), more.as_object().unwrap().clone());
    into.extend(from);
    call(&[], &told.to_string())
}

/// What the attacks on files look for.
pub fn pretend_to_be_a_server() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["signing-keys", "runtime", "neighbour"] {
        fs::create_dir(directory.path().join(name)).unwrap();
    }
    for name in ["bifrost.db", "master.key", "neighbour/secret.txt"] {
        fs::write(directory.path().join(name), mark()).unwrap();
    }
    directory
}

fn call(arguments: &[&str], input: &str) -> Vec<Attack> {
    let mut child = Command::new("python3")
        .arg("plain.py")
        .args(arguments)
        .current_dir(python_directory())
        .env("A_SECRET_OF_THE_SERVER", SECRET)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
