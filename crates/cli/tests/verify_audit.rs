//! `bifrost admin verify-audit` at the command line: sound, broken, and compared with earlier heads.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::{
    path::Path,
    process::{Command, Output},
};

fn bifrost(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bifrost"));
    command.args(arguments).env("BIFROST_DATA_DIR", data).output().unwrap()
}

fn create_organization(data: &Path, slug: &str) {
    let created = bifrost(data, &["admin", "create-organization", "--slug", slug, "--name", slug]);
    assert!(created.status.success(), "{created:?}");
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Changes the database as somebody with its file in their hands can.
fn tamper(data: &Path, sql: &str) {
    let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
    let database = data.join("bifrost.db");
    let status = Command::new("python3").args(["-c", script]).arg(database).arg(sql).status();
    assert!(status.unwrap().success());
}

#[test]
fn a_changed_entry_is_found_and_a_chain_written_anew_misses_the_noted_head() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    create_organization(data, "acme");
    let heads = bifrost(data, &["admin", "verify-audit", "--json"]);
    assert_eq!(heads.status.code(), Some(0), "{heads:?}");
    let noted = data.join("heads.json");
    std::fs::write(&noted, &heads.stdout).unwrap();
    let noted = noted.to_str().unwrap();

    create_organization(data, "globex");
    let sound = bifrost(data, &["admin", "verify-audit", "--against", noted]);
    assert_eq!(sound.status.code(), Some(0), "{sound:?}");
    assert!(said(&sound).contains("ok   global                   2 entries"), "{}", said(&sound));

    // The last entry of Acme is taken away, with the head as it was before: a whole chain, shorter.
    tamper(
        data,
        "DROP TRIGGER audit_log_never_shrinks;
        DELETE FROM audit_log WHERE object = 'acme' AND organization_id <> zeroblob(16);
        DELETE FROM audit_heads WHERE organization_id IN
            (SELECT id FROM organizations WHERE slug = 'acme');",
    );
    let alone = bifrost(data, &["admin", "verify-audit", "--organization", "acme"]);
    assert_eq!(alone.status.code(), Some(1), "{alone:?}");
    assert!(said(&alone).contains("there is no entry"), "{}", said(&alone));
    let compared = bifrost(data, &["admin", "verify-audit", "--against", noted]);
    assert_eq!(compared.status.code(), Some(1), "{compared:?}");
    assert!(said(&compared).contains("FAIL acme"), "{}", said(&compared));

    tamper(data, "DROP TRIGGER audit_log_never_changes; UPDATE audit_log SET actor = 'nobody';");
    tamper(data, "UPDATE audit_log SET actor_id = X'00' WHERE object = 'globex'");
    let unreadable = bifrost(data, &["admin", "verify-audit", "--organization", "globex"]);
    assert_eq!(unreadable.status.code(), Some(1), "{unreadable:?}");
    assert!(said(&unreadable).contains("entry 1 cannot be read"), "{}", said(&unreadable));
    let broken = bifrost(data, &["admin", "verify-audit"]);
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    assert!(said(&broken).contains("FAIL global"), "{}", said(&broken));
}
