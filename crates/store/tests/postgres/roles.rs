//! Logins with few rights, databases that begin at once, and walls that `migrate up` puts up again.

use servers::{Postgres, PostgresOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{Store, StoreError};

async fn run(url: &str, sql: &str) {
    let mut root = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut root).await.expect(sql);
}

async fn is_whole(store: &Store) {
    assert_eq!(store.missing_walls().await.unwrap(), [""; 0]);
}

/// The statements that the documentation gives to whoever runs the server.
fn from_the_documentation() -> String {
    let text = include_str!("../../../../docs/operations.md");
    let block = text.split("```sql\n").nth(1).expect("a block of SQL");
    block.split("```").next().expect("its end").to_owned()
}

#[tokio::test]
async fn a_login_that_may_not_make_roles_is_told_so_and_served_once_an_administrator_made_them() {
    let server = Postgres::start(PostgresOptions::default());
    let root = format!("{}/postgres", server.url());
    run(&root, "CREATE ROLE bifrost LOGIN NOINHERIT").await;
    run(&root, "CREATE DATABASE bifrost").await;
    let url = format!("{}/bifrost", server.url().replace("//postgres@", "//bifrost@"));
    let refused = Store::create(&url).await.err().unwrap();
    assert!(matches!(refused, StoreError::Walls(_)), "{refused:?}");
    assert!(refused.to_string().contains("docs/operations.md"), "{refused}");

    // What the documentation says, on a server where nothing of it is there yet.
    run(&root, "DROP DATABASE bifrost").await;
    run(&root, "DROP ROLE bifrost").await;
    for statement in from_the_documentation().split(';').filter(|it| !it.trim().is_empty()) {
        let in_it = statement.contains("SCHEMA");
        run(&if in_it { format!("{}/bifrost", server.url()) } else { root.clone() }, statement)
            .await;
    }
    let store = Store::create(&url).await.unwrap();
    is_whole(&store).await;
    testkit::world::create_organization(&store, "acme").await;

    // One that serves need not be the one that migrates.
    run(&root, "REVOKE bifrost_owner FROM bifrost").await;
    let store = Store::create(&url).await.unwrap();
    testkit::world::create_organization(&store, "globex").await;
    assert!(store.migrate_down(Some(1)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_begin_on_one_server_at_once_do_not_hinder_each_other() {
    let server = Postgres::start(PostgresOptions::default());
    for name in ["one", "two"] {
        run(&format!("{}/postgres", server.url()), &format!("CREATE DATABASE {name}")).await;
    }
    let urls = ["one", "two", "one", "two", "one"];
    let all = urls.map(|name| {
        let url = format!("{}/{name}", server.url());
        tokio::spawn(async move { Store::create(&url).await })
    });
    for store in all {
        is_whole(&store.await.unwrap().unwrap()).await;
    }
}

#[tokio::test]
async fn migrating_up_puts_broken_walls_up_again() {
    let server = Postgres::start(PostgresOptions::default());
    let (root, url) = (format!("{}/postgres", server.url()), format!("{}/it", server.url()));
    run(&root, "CREATE DATABASE it").await;
    let store = Store::create(&url).await.unwrap();
    for break_it in [
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY; DROP POLICY selects_own ON users",
        "ALTER POLICY selects_own ON executions USING (TRUE)",
        "GRANT TRUNCATE ON users TO bifrost_tenant",
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_never_changes",
    ] {
        run(&url, break_it).await;
        assert_ne!(store.missing_walls().await.unwrap(), [""; 0], "{break_it}");
        store.migrate_up().await.unwrap();
        is_whole(&store).await;
    }
    // A database that was restored has its tables, and the rights of a new one.
    drop(store);
    run(&root, "CREATE DATABASE restored TEMPLATE it").await;
    let url = format!("{}/restored", server.url());
    let store = Store::create(&url).await.unwrap();
    let missing = store.missing_walls().await.unwrap().concat();
    assert!(missing.contains("may create temporary tables"), "{missing}");
    store.migrate_up().await.unwrap();
    is_whole(&store).await;
}
