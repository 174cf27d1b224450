//! A PostgreSQL server that is not there, does not let us in, lacks the database, is of another
//! version of ours, or is started again under a server of ours.

use crate::stage::{Stage, refused};
use servers::{Postgres, PostgresOptions};
use std::{fs, os::unix::fs::PermissionsExt, process::Command};
use testkit::{Server, eventually};

/// `bifrost serve` does not start, exits with 1 and says why; what it said.
fn does_not_start(url: &str, words: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bifrost"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(directory.path())
        .env("BIFROST_DATABASE_URL", url)
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{talk}");
    let said = talk.lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>();
    assert!(said.len() == 1 && said[0].contains(words), "`{words}` is not in: {talk}");
    talk
}

fn sql(server: &Postgres, database: &str, statement: &str) {
    let output = Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement])
        .arg(format!("{}/{database}", server.url()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A server at which only `postgres` needs no password.
fn with_passwords() -> (Postgres, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = directory.path().join("pg_hba.conf");
    let rules = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    fs::write(&file, rules).unwrap();
    let settings = vec![format!("hba_file={}", file.display())];
    (Postgres::start(PostgresOptions { settings, ..Default::default() }), directory)
}

#[test]
fn a_server_that_cannot_be_used_keeps_ours_from_starting_and_no_password_is_told() {
    does_not_start("postgres://bifrost:SECRET-7712@127.0.0.1:1/bifrost", "does not answer");
    let (server, _directory) = with_passwords();
    sql(&server, "postgres", "CREATE ROLE bifrost LOGIN PASSWORD 'RIGHT-8823' SUPERUSER");
    let url = server.url();
    let at = |login: &str, database: &str| url.replace("postgres@", login) + "/" + database;
    let talk = does_not_start(
        &at("bifrost:SECRET-7712@", "postgres"),
        "password authentication failed for user \"bifrost\"",
    );
    assert!(!talk.contains("SECRET"), "{talk}");
    let talk =
        does_not_start(&at("bifrost:RIGHT-8823@", "none"), "database \"none\" does not exist");
    assert!(!talk.contains("8823"), "{talk}");
    let told = does_not_start("postgres://bifrost:SECRET-7712@127.0.0.1:port/x", "error");
    assert!(!told.contains("SECRET"), "{told}");
}

#[test]
fn a_database_of_a_newer_version_is_left_alone_and_broken_walls_are_told() {
    let server = Postgres::start(PostgresOptions::default());
    sql(&server, "postgres", "CREATE DATABASE it");
    let url = format!("{}/it", server.url());
    drop(Server::on(env!("CARGO_BIN_EXE_bifrost"), &url));
    sql(&server, "it", "INSERT INTO seaql_migrations VALUES ('m9999_future', 1)");
    does_not_start(&url, "from a newer version of Bifrost (migration `m9999_future`");
    sql(&server, "it", "DELETE FROM seaql_migrations WHERE version = 'm9999_future'");
    sql(&server, "it", "ALTER TABLE users DISABLE ROW LEVEL SECURITY");
    does_not_start(&url, "the table `users` has no forced row-level security");
    sql(&server, "it", "ALTER TABLE users ENABLE ROW LEVEL SECURITY");
    // The walls are whole; what is missing in another directory is the key.
    does_not_start(&url, "the master key is missing");
}

#[tokio::test]
async fn a_database_server_that_goes_and_comes_back_is_all_that_has_to_be_started_again() {
    let mut server = Postgres::start(PostgresOptions { durable: true, ..Default::default() });
    sql(&server, "postgres", "CREATE DATABASE it");
    let url = format!("{}/it", server.url());
    let stage = Stage::of(Server::on(env!("CARGO_BIN_EXE_bifrost"), &url)).await;
    stage.still_works().await;
    for kill in [false, true] {
        match kill {
            true => server.kill(),
            false => server.stop(),
        }
        refused(&stage.acme.put_file("a.txt", "x").await, 503, "unavailable");
        refused(&stage.acme.get("/api/files").await, 503, "unavailable");
        server.start_again();
        // It may have to be told first that a crash is mended.
        eventually("the database answers", async || {
            (stage.acme.get("/api/files").await.status == 200).then_some(())
        })
        .await;
        let written = stage.acme.put_file(&format!("after-{kill}.txt"), "x").await;
        assert_eq!(written.status, 201, "{written:?}");
        stage.still_works().await;
    }
    // Without a request in between nobody notices.
    server.stop();
    server.start_again();
    stage.still_works().await;
}
