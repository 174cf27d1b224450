//! What `sslmode` asks of the server before anything is said to it.

use servers::{Identity, Postgres, PostgresOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::path::PathBuf;
use store::{Reason, Store, StoreError};
use tempfile::TempDir;

/// A server whose certificate is for `localhost`, and the file that says so.
struct Stage {
    server: Postgres,
    authority: PathBuf,
    directory: TempDir,
}

fn pem() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

impl Stage {
    async fn new() -> Self {
        let (certificate, key) = pem();
        let directory = tempfile::tempdir().unwrap();
        let authority = directory.path().join("authority.pem");
        std::fs::write(&authority, &certificate).unwrap();
        let identity = Some(Identity { certificate, key });
        let server = Postgres::start(PostgresOptions { identity, ..Default::default() });
        let mut root = PgConnection::connect(&format!("{}/postgres", server.url())).await.unwrap();
        for sql in ["CREATE DATABASE there", "ALTER DATABASE there OWNER TO postgres"] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut root).await.unwrap();
        }
        Self { server, authority, directory }
    }

    async fn open(&self, host: &str, rest: &str) -> Result<Store, StoreError> {
        let port = self.server.port();
        Store::create(&format!("postgres://postgres@{host}:{port}/there?{rest}")).await
    }

    fn believing(&self, mode: &str) -> String {
        format!("sslmode={mode}&sslrootcert={}", self.authority.display())
    }

    /// How many of the connections that serve are encrypted, and how many are not.
    async fn connections(&self) -> (i64, i64) {
        let url = format!("{}/postgres?application_name=onlooker", self.server.url());
        let mut root = PgConnection::connect(&url).await.unwrap();
        let count = |ssl: &str| {
            AssertSqlSafe(format!(
                "SELECT COUNT(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                 WHERE application_name = 'bifrost' AND {ssl}"
            ))
        };
        let encrypted = sqlx::query_scalar(count("ssl")).fetch_one(&mut root).await.unwrap();
        let plain = sqlx::query_scalar(count("NOT ssl")).fetch_one(&mut root).await.unwrap();
        (encrypted, plain)
    }
}

#[tokio::test]
async fn a_server_that_proves_its_name_is_served_over_tls() {
    let stage = Stage::new().await;
    let store = stage.open("localhost", &stage.believing("verify-full")).await.unwrap();
    store.system(Reason::Health).probe().await.unwrap();
    let (encrypted, plain) = stage.connections().await;
    assert!(encrypted > 0 && plain == 0, "{encrypted} encrypted, {plain} not");
}

#[tokio::test]
async fn a_certificate_for_another_name_does_for_verify_ca_only() {
    let stage = Stage::new().await;
    let refused = stage.open("127.0.0.1", &stage.believing("verify-full")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{:?}", refused.err());
    stage.open("127.0.0.1", &stage.believing("verify-ca")).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_somebody_else_does_where_nobody_asks() {
    let stage = Stage::new().await;
    let other = stage.directory.path().join("other.pem");
    std::fs::write(&other, pem().0).unwrap();
    for mode in ["verify-full", "verify-ca"] {
        let rest = format!("sslmode={mode}&sslrootcert={}", other.display());
        let refused = stage.open("localhost", &rest).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{mode}: {:?}", refused.err());
    }
    for mode in ["require", "prefer"] {
        let _open = stage.open("localhost", &format!("sslmode={mode}")).await.unwrap();
        let (encrypted, plain) = stage.connections().await;
        assert!(encrypted > 0 && plain == 0, "{mode}: {encrypted} encrypted, {plain} not");
    }
}

#[tokio::test]
async fn a_server_without_tls_does_only_where_it_is_not_required() {
    let server = Postgres::start(PostgresOptions::default());
    let url = |mode: &str| format!("{}/postgres?sslmode={mode}", server.url());
    let refused = Store::create(&url("require")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{:?}", refused.err());
    for mode in ["prefer", "disable"] {
        Store::create(&url(mode)).await.unwrap();
    }
}
