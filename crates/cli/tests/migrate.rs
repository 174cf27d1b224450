//! `bifrost migrate` at the command line: up, down to nothing with data at each step, up again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use serde_json::Value;
use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

const ORGANIZATION: [&str; 7] =
    ["admin", "create-organization", "--slug", "acme", "--name", "Acme", "--json"];
const PASSWORD: &str = "a long enough password\n";

fn bifrost(data: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bifrost"))
        .args(arguments)
        .env("BIFROST_DATA_DIR", data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn succeed(data: &Path, arguments: &[&str], input: &str) -> String {
    let output = bifrost(data, arguments, input);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {talk}");
    String::from_utf8(output.stdout).unwrap()
}

fn user<'a>(organization: &'a str, email: &'a str, role: &'a str) -> [&'a str; 9] {
    let [a, b, c] = ["admin", "create-user", "--password-stdin"];
    [a, b, c, "--organization", organization, "--email", email, "--role", role]
}

fn pending(data: &Path) -> (usize, usize) {
    let status = succeed(data, &["migrate", "status", "--json"], "");
    let status: Value = serde_json::from_str(&status).unwrap();
    let steps = status["migrations"].as_array().unwrap();
    (steps.iter().filter(|step| step["applied"] == false).count(), steps.len())
}

#[test]
fn up_down_to_nothing_and_up_again_with_data_at_each_step() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    succeed(data, &["migrate", "up"], "");
    let (_, steps) = pending(data);
    let created: Value = serde_json::from_str(&succeed(data, &ORGANIZATION, "")).unwrap();
    assert_eq!(created["slug"], "acme");
    succeed(data, &user("acme", "a@acme.test", "admin"), PASSWORD);
    for down in 1..steps {
        let gone = succeed(data, &["migrate", "down", &down.to_string()], "");
        assert_eq!(gone.lines().count(), down);
        assert_eq!(pending(data), (down, steps));
        assert_eq!(succeed(data, &["migrate", "up"], "").lines().count(), down);
        // Organizations and users are of the first step and have lived through the others.
        let again = bifrost(data, &user("acme", "a@acme.test", "admin"), PASSWORD);
        assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"));
    }
    succeed(data, &["migrate", "down"], "");
    assert_eq!(pending(data), (steps, steps));
    succeed(data, &["migrate", "up"], "");
    succeed(data, &ORGANIZATION, "");
}

#[test]
fn admin_refuses_what_cannot_be() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let ends = |code: i32, arguments: &[&str], input: &str, why: &str| {
        let output = bifrost(data, arguments, input);
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {talk}");
        assert!(talk.contains(why), "`{why}` is not in: {talk}");
    };
    let refused = |arguments: &[&str], input: &str, why: &str| ends(1, arguments, input, why);
    let organization = |slug| ["admin", "create-organization", "--slug", slug, "--name", "X"];
    refused(&organization("global"), "", "reserved");
    ends(2, &organization("A B"), "", "not a slug");
    ends(0, &organization("acme"), "", "");
    ends(3, &organization("acme"), "", "exists already");
    refused(&user("nobody", "a@b.test", "admin"), PASSWORD, "there is no organization");
    refused(&user("global", "a@b.test", "admin"), PASSWORD, "Global has no users");
    ends(2, &user("provider", "a@b.test", "king"), PASSWORD, "not a role");
    ends(0, &user("provider", "c@d.test", "ops"), PASSWORD, "");
    ends(3, &user("provider", "c@d.test", "ops"), PASSWORD, "exists already");
    refused(&user("provider", "nonsense", "admin"), PASSWORD, "not an e-mail address");
    refused(&user("provider", "a@b.test", "admin"), "short", "at least 8 characters");
    let usage = bifrost(data, &["admin", "create-organization"], "");
    assert_eq!(usage.status.code(), Some(2));
}
