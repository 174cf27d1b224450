//! The database under test: an SQLite file, or a database of a PostgreSQL server that is there
//! already. `BIFROST_TEST_ENGINE=postgres` chooses; `cargo xtask servers` starts the server and
//! says in `BIFROST_TEST_POSTGRES` where it is.

use std::path::Path;

/// What the store runs on in this run of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file in the test's directory.
    Sqlite,
    /// A database of its own.
    Postgres,
}

/// The engine of this run.
pub fn engine() -> Engine {
    match std::env::var("BIFROST_TEST_ENGINE").as_deref() {
        Ok("postgres") => Engine::Postgres,
        Ok("sqlite") | Err(_) => Engine::Sqlite,
        Ok(other) => panic!("BIFROST_TEST_ENGINE is `{other}`; give `sqlite` or `postgres`"),
    }
}

/// The server's URL without a database.
pub fn postgres() -> String {
    std::env::var("BIFROST_TEST_POSTGRES")
        .expect("a PostgreSQL server: run the tests through `cargo xtask servers --`")
}

/// The URL of the database that belongs to a directory, whether it is there or not.
pub fn url(directory: &Path) -> String {
    match engine() {
        Engine::Sqlite => format!("sqlite:{}", directory.join("bifrost.db").display()),
        Engine::Postgres => format!("{}/{}", postgres(), name(directory)),
    }
}

/// Makes the database of a directory, empty. Files are made when they are opened.
pub fn create(directory: &Path) {
    if engine() == Engine::Postgres {
        administer(&format!("CREATE DATABASE \"{}\"", name(directory)));
    }
}

/// Removes the database of a directory, whoever still uses it. Files go with their directory.
pub fn remove(directory: &Path) {
    if engine() == Engine::Postgres {
        administer(&format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", name(directory)));
    }
}

/// Runs a statement as the server's superuser, outside of any database under test.
pub fn administer(sql: &str) {
    let output = std::process::Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .arg(format!("{}/postgres", postgres()))
        .output()
        .expect("psql runs");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Temporary directories have names of their own; so has the database.
fn name(directory: &Path) -> String {
    let name = directory.file_name().and_then(|name| name.to_str()).expect("a name");
    format!("t{}", name.replace('.', "_"))
}
