//! The database under test: an SQLite file, or a database of a PostgreSQL server that is there
//! already. `BIFROST_TEST_ENGINE=postgres` chooses; `cargo xtask servers` starts the server and
//! says in `BIFROST_TEST_POSTGRES` where it is.

use std::{
    ops::Deref,
    path::Path,
    process::{Command, Output},
};
use store::Store;
use tempfile::TempDir;

/// What the store runs on in this run of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file in the test's directory.
    Sqlite,
    /// A database of its own.
    Postgres,
}

/// A directory and the database that belongs to it, empty at first; both are gone with the value.
pub struct Place(TempDir);

impl Place {
    /// Makes a place.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        create(directory.path());
        Self(directory)
    }

    /// Makes a place whose database is as that of another one, which nobody has open.
    pub fn copy_of(other: &Self) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        match engine() {
            Engine::Sqlite => {
                let file = |directory: &Path| directory.join("bifrost.db");
                std::fs::copy(file(other.path()), file(directory.path())).expect("copied");
            }
            Engine::Postgres => {
                let other = name(other.path());
                empty(&other);
                assert!(copy(&other, &name(directory.path())));
            }
        }
        Self(directory)
    }

    /// Makes a place whose database has its tables.
    pub async fn migrated() -> Self {
        if engine() == Engine::Sqlite {
            let place = Self::new();
            Store::create(&place.url()).await.expect("a database");
            return place;
        }
        let place = Self(tempfile::tempdir().expect("a temporary directory"));
        if !copy(TEMPLATE, &name(place.path())) {
            make_template().await;
            assert!(copy(TEMPLATE, &name(place.path())));
        }
        place
    }

    /// The URL of the database.
    pub fn url(&self) -> String {
        url(self.path())
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Place {
    type Target = TempDir;

    fn deref(&self) -> &TempDir {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        remove(self.0.path());
    }
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
    let output = psql(&[sql]);
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
}

fn psql(statements: &[&str]) -> Output {
    let mut command = Command::new("psql");
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
    // Each in a transaction of its own: databases cannot be made in one with anything else.
    command.args(statements.iter().flat_map(|statement| ["-c", statement]));
    command.arg(format!("{}/postgres", postgres())).output().expect("psql runs")
}

/// A database with its tables, from which a copy is made much faster than by migrating.
const TEMPLATE: &str = "bifrost_template";

/// Makes a database from another one, if that is there. Rights on the database itself are not
/// copied.
fn copy(old: &str, new: &str) -> bool {
    let output = psql(&[
        &format!("CREATE DATABASE \"{new}\" TEMPLATE \"{old}\""),
        &format!("REVOKE TEMPORARY, CREATE ON DATABASE \"{new}\" FROM PUBLIC"),
        &format!("GRANT CREATE ON DATABASE \"{new}\" TO bifrost_owner"),
    ]);
    let talk = String::from_utf8_lossy(&output.stderr);
    let missing = talk.contains("does not exist");
    assert!(output.status.success() || missing, "copying {old}: {talk}");
    output.status.success()
}

/// Sends everybody away from a database: connections that were dropped close when they get to it.
fn empty(database: &str) {
    administer(&format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'"
    ));
}

/// Makes the template. Of several processes that want to, one does it and the others wait for it.
async fn make_template() {
    let server = postgres().replace(|it: char| !it.is_ascii_alphanumeric(), "_");
    let file = std::env::temp_dir().join(format!("bifrost-template-{server}.lock"));
    let turn = std::fs::File::create(file).expect("a file to take turns by");
    turn.lock().expect("a turn");
    let probe = psql(&[&format!("ALTER DATABASE {TEMPLATE} CONNECTION LIMIT 100")]);
    if probe.status.success() {
        return;
    }
    let making = format!("{TEMPLATE}_making");
    administer(&format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)"));
    administer(&format!("CREATE DATABASE {making}"));
    drop(Store::create(&format!("{}/{making}", postgres())).await.expect("a database"));
    empty(&making);
    administer(&format!("ALTER DATABASE {making} RENAME TO {TEMPLATE}"));
}

/// Temporary directories have names of their own; so has the database.
fn name(directory: &Path) -> String {
    let name = directory.file_name().and_then(|name| name.to_str()).expect("a name");
    format!("t{}", name.replace('.', "_"))
}
