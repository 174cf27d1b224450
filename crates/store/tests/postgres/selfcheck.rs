//! The look that a server takes at its own walls: each of them broken, and named.

use servers::{Postgres, PostgresOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::Store;

/// What breaks a wall, what mends it, and what is said in between.
const BREAKS: &[(&str, &str, &str)] = &[
    (
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        "the table `users` has no forced row-level security",
    ),
    (
        "ALTER TABLE audit_log NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE audit_log FORCE ROW LEVEL SECURITY",
        "the table `audit_log` has no forced row-level security",
    ),
    (
        "DROP POLICY deletes_own ON users",
        "CREATE POLICY deletes_own ON users AS RESTRICTIVE FOR DELETE
            USING (organization_id = (SELECT app.current_org()))",
        "the table `users` lacks a restrictive policy",
    ),
    (
        "ALTER POLICY selects_own ON executions USING (TRUE)",
        "ALTER POLICY selects_own ON executions
            USING (organization_id = (SELECT app.current_org()))",
        "the table `executions` lacks a restrictive policy",
    ),
    (
        "ALTER POLICY updates_own ON executions WITH CHECK (TRUE)",
        "ALTER POLICY updates_own ON executions
            WITH CHECK (organization_id = (SELECT app.current_org()))",
        "the table `executions` lacks a restrictive policy",
    ),
    (
        "ALTER POLICY inserts_own ON job_queue TO bifrost_owner",
        "ALTER POLICY inserts_own ON job_queue TO bifrost_owner, bifrost_tenant",
        "the table `job_queue` lacks a restrictive policy",
    ),
    (
        "CREATE POLICY more ON users USING (TRUE)",
        "DROP POLICY more ON users",
        "the table `users` has another permissive policy",
    ),
    (
        "CREATE OR REPLACE FUNCTION app.current_org() RETURNS uuid LANGUAGE sql STABLE
            AS 'SELECT NULL::uuid'",
        "",
        "the function `current_org` is not the one",
    ),
    (
        "ALTER ROLE bifrost_tenant BYPASSRLS",
        "ALTER ROLE bifrost_tenant NOBYPASSRLS",
        "the role `bifrost_tenant` may do what only an administrator should",
    ),
    (
        "ALTER ROLE bifrost_scheduler SUPERUSER",
        "ALTER ROLE bifrost_scheduler NOSUPERUSER",
        "the role `bifrost_scheduler` may do what only an administrator should",
    ),
    (
        "ALTER ROLE bifrost_tenant CREATEROLE",
        "ALTER ROLE bifrost_tenant NOCREATEROLE",
        "the role `bifrost_tenant` may do what only an administrator should",
    ),
    (
        "ALTER ROLE bifrost_tenant LOGIN",
        "ALTER ROLE bifrost_tenant NOLOGIN",
        "the role `bifrost_tenant` can log in",
    ),
    (
        "GRANT bifrost_scheduler TO bifrost_tenant",
        "REVOKE bifrost_scheduler FROM bifrost_tenant",
        "the role `bifrost_tenant` is a member of another role",
    ),
    (
        "GRANT TEMPORARY ON DATABASE it TO PUBLIC",
        "REVOKE TEMPORARY ON DATABASE it FROM PUBLIC",
        "the role `bifrost_tenant` may create temporary tables",
    ),
    (
        "GRANT CREATE ON DATABASE it TO bifrost_tenant",
        "REVOKE CREATE ON DATABASE it FROM bifrost_tenant",
        "the role `bifrost_tenant` may create schemas",
    ),
    (
        "GRANT CREATE ON SCHEMA app TO bifrost_tenant",
        "REVOKE CREATE ON SCHEMA app FROM bifrost_tenant",
        "the role `bifrost_tenant` may create tables",
    ),
    (
        "CREATE TABLE odd (a int); ALTER TABLE odd OWNER TO bifrost_scheduler",
        "DROP TABLE odd",
        "the role `bifrost_scheduler` owns tables",
    ),
    (
        "ALTER TABLE users OWNER TO postgres",
        "ALTER TABLE users OWNER TO bifrost_owner",
        "the table `users` does not belong to bifrost_owner",
    ),
    (
        "GRANT TRUNCATE ON users TO bifrost_tenant",
        "REVOKE TRUNCATE ON users FROM bifrost_tenant",
        "the table `users` can be truncated",
    ),
    (
        "GRANT UPDATE (organization_id) ON users TO bifrost_tenant",
        "REVOKE UPDATE (organization_id) ON users FROM bifrost_tenant",
        "the table `users` lets rows change their owner",
    ),
    (
        "GRANT UPDATE (actor) ON audit_log TO bifrost_tenant",
        "REVOKE UPDATE (actor) ON audit_log FROM bifrost_tenant",
        "the table `audit_log` lets rows change their owner",
    ),
    (
        "GRANT SELECT ON users TO bifrost_scheduler",
        "REVOKE SELECT ON users FROM bifrost_scheduler",
        "the table `users` is open to the scheduler's role",
    ),
    (
        "GRANT SELECT ON master_key_check TO bifrost_tenant",
        "REVOKE SELECT ON master_key_check FROM bifrost_tenant",
        "the table `master_key_check` is open to the tenant's role",
    ),
    (
        "CREATE VIEW all_users AS SELECT * FROM users",
        "DROP VIEW all_users",
        "the view `all_users` is not a security_invoker view",
    ),
    (
        "CREATE FUNCTION public.all_users() RETURNS SETOF users LANGUAGE sql SECURITY DEFINER
            AS 'SELECT * FROM public.users'",
        "DROP FUNCTION public.all_users()",
        "the function `all_users` runs with the rights of its owner",
    ),
    (
        "CREATE TABLE notes (organization_id uuid)",
        "DROP TABLE notes",
        "the table `notes` has owners but is unknown",
    ),
    (
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_never_changes",
        "ALTER TABLE audit_log ENABLE TRIGGER audit_log_never_changes",
        "the trigger `audit_log_never_changes` is off",
    ),
    (
        "ALTER TRIGGER users_keeps_owner ON users RENAME TO other",
        "ALTER TRIGGER other ON users RENAME TO users_keeps_owner",
        "the table `users` lacks a trigger",
    ),
];

#[tokio::test]
async fn each_wall_that_is_broken_is_named_and_a_whole_one_is_not() {
    let server = Postgres::start(PostgresOptions::default());
    let mut root = PgConnection::connect(&format!("{}/postgres", server.url())).await.unwrap();
    let run = async |root: &mut PgConnection, sql: &str| {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(root).await.expect(sql);
    };
    run(&mut root, "CREATE DATABASE it").await;
    let url = format!("{}/it", server.url());
    let bare = Store::open_unmigrated(&url, false).await.unwrap();
    let missing = bare.missing_walls().await.unwrap();
    assert!(
        missing.contains(&"the role `bifrost_tenant` does not exist".to_owned()),
        "{missing:?}"
    );
    let store = Store::create(&url).await.unwrap();
    assert_eq!(store.missing_walls().await.unwrap(), [""; 0]);
    let mut root = PgConnection::connect(&url).await.unwrap();
    let body = "SELECT pg_get_functiondef('app.current_org()'::regprocedure)";
    let body: String = sqlx::query_scalar(body).fetch_one(&mut root).await.unwrap();
    for (break_it, mend_it, words) in BREAKS {
        run(&mut root, break_it).await;
        let missing = store.missing_walls().await.unwrap();
        assert!(missing.iter().any(|it| it.contains(words)), "{break_it}: {missing:?}");
        run(&mut root, if mend_it.is_empty() { &body } else { mend_it }).await;
        assert_eq!(store.missing_walls().await.unwrap(), [""; 0], "after {mend_it}");
    }
}
