//! `bifrost admin export` and `import` at the command line: pipes, exit codes, `kill -9`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};
use tempfile::TempDir;

fn bifrost(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bifrost"));
    command.args(["admin", "--data-dir"]).arg(data).args(arguments);
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    bifrost(data, arguments).output().unwrap()
}

fn done(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(output: &Output, code: i32, words: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(words), "{told}");
}

/// An instance with so many log lines that reading them takes a while.
fn instance(lines: u32) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    for slug in ["acme", "globex"] {
        done(&run(&data, &["create-organization", "--slug", slug, "--name", slug]));
    }
    let sql = format!(
        "INSERT INTO executions (organization_id, id, workflow, status, inputs_json, modules_json,
            attempt, requested_by, created_at, started_at, finished_at)
        SELECT id, x'01020304050607080102030405060708', 'w', 'succeeded', '{{}}', '[]', 1, 'operator',
            1, 1, 1 FROM organizations;
        WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {lines})
        INSERT INTO execution_logs (organization_id, execution_id, seq, time, level, message)
        SELECT id, x'01020304050607080102030405060708', seq, seq, 'info',
            'line ' || seq || ' of ' || slug FROM organizations, n;"
    );
    let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
    let database = data.join("bifrost.db");
    let status = Command::new("python3").args(["-c", script]).arg(database).arg(sql).status();
    assert!(status.unwrap().success());
    (directory, data)
}

/// The rows of an export without what an import adds to Global's audit.
fn rows(export: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(export).unwrap();
    let sections = text.split("{\"table\":").skip(1);
    let nil = "\"organization\":\"00000000-0000-0000-0000-000000000000\"";
    let audit = |section: &&str| section.starts_with("\"audit_") && section.contains(nil);
    let kept = sections.filter(|section| !audit(section));
    let kept = kept.map(|section| section.split("{\"rows\":").next().unwrap().to_owned());
    kept.collect()
}

#[test]
fn an_import_killed_again_and_again_ends_with_the_same_rows() {
    let (directory, data) = instance(4_000);
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    let told = done(&run(&data, &["export", "--json", "--to", one.to_str().unwrap()]));
    assert!(told.contains("\"execution_logs\":16000"), "{told}");
    let new = directory.path().join("new");
    let arguments = ["import", "--json", "--from", one.to_str().unwrap()];
    let (mut kills, mut time) = (0, Duration::from_millis(150));
    let told = loop {
        let mut child =
            bifrost(&new, &arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let (ended, end) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut told = String::new();
            output.read_to_string(&mut told).unwrap();
            // Nobody waits for it any more if it was killed.
            let _unheard = ended.send(());
            told
        });
        let killed = end.recv_timeout(time).is_err();
        if killed {
            child.kill().unwrap();
            kills += 1;
        }
        let (status, told) = (child.wait().unwrap(), reader.join().unwrap());
        if !killed {
            assert!(status.success(), "{told}");
            break told;
        }
        time = time.mul_f64(1.1);
    };
    println!("killed {kills} times");
    assert!(kills >= 3 && told.contains("\"resumed\":true"), "{kills}: {told}");
    done(&run(&new, &["export", "--to", two.to_str().unwrap()]));
    assert_eq!(rows(&one), rows(&two));
    assert!(done(&run(&new, &["verify-audit"])).contains("ok   acme"));
    assert!(done(&run(&new, &arguments)).contains("\"already\":true"));
}

#[test]
fn a_half_imported_instance_is_not_served() {
    let (directory, data) = instance(4_000);
    let file = directory.path().join("file");
    done(&run(&data, &["export", "--to", file.to_str().unwrap()]));
    let new = directory.path().join("new");
    let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('INSERT INTO imports \
        VALUES (1, ?, NULL, NULL, 1, 1, 1, 1, 0, 0)', ('x' * 64,)).connection.commit()";
    done(
        &Command::new(env!("CARGO_BIN_EXE_bifrost"))
            .args(["migrate", "--data-dir"])
            .arg(&new)
            .arg("up")
            .output()
            .unwrap(),
    );
    let status = Command::new("python3").args(["-c", script]).arg(new.join("bifrost.db")).status();
    assert!(status.unwrap().success());
    let mut serve = Command::new(env!("CARGO_BIN_EXE_bifrost"));
    let serve = serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&new).output();
    refused(&serve.unwrap(), 1, "an import into this database is not finished");
    let other = run(&new, &["import", "--from", file.to_str().unwrap()]);
    refused(&other, 3, "another import is not finished");
}

#[test]
fn one_organization_goes_through_a_pipe_and_conflicts_are_told() {
    let (directory, data) = instance(10);
    let export = run(&data, &["export", "--organization", "acme", "--to", "-"]);
    let file = directory.path().join("acme.jsonl");
    std::fs::write(&file, done(&export)).unwrap();
    let new = directory.path().join("new");
    done(&run(&new, &["create-organization", "--slug", "acme", "--name", "Another"]));
    let import = |arguments: &[&str]| {
        let mut command = bifrost(&new, &["import", "--from", "-"]);
        let input = std::fs::File::open(&file).unwrap();
        command.args(arguments).stdin(input).output().unwrap()
    };
    refused(&import(&[]), 3, "give another short name with --as");
    refused(&import(&["--as", "provider"]), 1, "reserved");
    refused(&import(&["--resume", "--as", "acme-two"]), 1, "no import to resume");
    done(&import(&["--as", "acme-two"]));
    let told = done(&run(&new, &["verify-audit", "--organization", "acme-two"]));
    assert!(told.contains("ok   acme-two                 3 entries"), "{told}");
    let left = std::fs::read_dir(&new).unwrap().map(|it| it.unwrap().file_name());
    let left: Vec<_> =
        left.filter(|name| !name.to_string_lossy().starts_with("bifrost.db")).collect();
    assert!(left.is_empty(), "what came through the pipe is gone: {left:?}");
    let taken = run(&data, &["export", "--to", file.to_str().unwrap()]);
    refused(&taken, 3, "exists already");
    refused(&run(&data, &["export", "--organization", "provider", "--to", "x"]), 1, "provider");
    refused(&run(&data, &["export"]), 2, "--to");
    std::fs::write(&file, "something else\n").unwrap();
    refused(&import(&["--as", "acme-three"]), 1, "no export of Bifrost");
}
