//! Row-level security and grants, tried by somebody who has a connection, is the tenant's role and
//! may say anything at all.

use super::stage::Stage;
use sqlx::postgres::PgDatabaseError;
use std::collections::BTreeSet;
use uuid::Uuid;

const NO_CONTEXT: &str = "no organization in this transaction";

#[tokio::test]
async fn without_an_organization_every_table_answers_with_an_error_and_no_rows() {
    let stage = Stage::new().await;
    let mut tables = 0;
    for context in ["RESET app.org", "SET app.org = ''"] {
        let mut tenant = stage.tenant().await;
        tenant.must(context).await;
        for (table, _, row) in stage.tables() {
            for sql in [
                format!("SELECT * FROM {table}"),
                format!("SELECT COUNT(*) FROM {table}"),
                format!("DELETE FROM {table}"),
                row.insert(table, stage.world.acme.column()),
            ] {
                let error = tenant.run(&sql).await.unwrap_err();
                assert_eq!((error.code(), error.message()), ("42501", NO_CONTEXT), "{sql}");
            }
            tables += 1;
        }
        tenant.denied("SELECT slug FROM organizations").await;
    }
    assert!(tables >= 2 * 15, "{tables}");
    let mut tenant = stage.tenant().await;
    tenant.must("SET app.org = 'no id'").await;
    assert!(tenant.run("SELECT * FROM users").await.is_err());
    // Who has the role and does not wear it is held all the same.
    stage.login().await.denied("SELECT * FROM users").await;
}

#[tokio::test]
async fn an_organization_sees_and_touches_its_own_rows_only() {
    let stage = Stage::new().await;
    let (acme, globex) = (stage.world.acme.column(), stage.world.globex.column());
    for (table, shared, row) in stage.tables() {
        let mut tenant = stage.tenant_of(stage.world.acme).await;
        let seen = format!("SELECT organization_id::text FROM {table}");
        let seen: BTreeSet<_> = tenant.texts(&seen).await.into_iter().collect();
        let mut expected = BTreeSet::from([acme.to_string()]);
        if shared {
            expected.insert(Uuid::nil().to_string());
        }
        assert_eq!(seen, expected, "{table}");
        let foreign = format!("SELECT * FROM {table} WHERE organization_id = '{globex}'");
        assert_eq!(tenant.run(&foreign).await.unwrap(), 0, "{table}");

        let column = row.columns.iter().find(|column| *column != "organization_id").unwrap();
        for sql in
            [format!("UPDATE {table} SET {column} = {column}"), format!("DELETE FROM {table}")]
        {
            match tenant.would(&sql).await {
                Ok(touched) => assert_eq!(touched, 1, "{sql}"),
                Err(error) => {
                    let never = error.message().contains("never changed");
                    assert!(never || error.code() == "42501", "{sql}: {error}");
                    assert!(["audit_log", "settings_history"].contains(&table), "{sql}: {error}");
                }
            }
            for owner in [globex, Uuid::nil()] {
                let sql = format!("{sql} WHERE organization_id = '{owner}'");
                let touched = tenant.would(&sql).await.unwrap_or_default();
                assert_eq!(touched, 0, "{sql}");
            }
        }
        for owner in [globex, Uuid::nil()] {
            tenant.denied(&row.insert(table, owner)).await;
            let upsert = format!("{} ON CONFLICT DO NOTHING", row.insert(table, owner));
            tenant.denied(&upsert).await;
            tenant.denied(&format!("UPDATE {table} SET organization_id = '{owner}'")).await;
        }
    }
}

#[tokio::test]
async fn of_the_organizations_it_sees_its_own_and_global_and_changes_what_is_its_own() {
    let stage = Stage::new().await;
    let mut tenant = stage.tenant_of(stage.world.acme).await;
    let seen = tenant.texts("SELECT slug FROM organizations ORDER BY slug").await;
    assert_eq!(seen, ["acme", "global"]);
    assert_eq!(tenant.must("UPDATE organizations SET generation = generation + 1").await, 1);
    for column in ["id", "slug", "name", "status", "is_provider", "purge_started_at"] {
        tenant.denied(&format!("UPDATE organizations SET {column} = {column}")).await;
    }
    let row = "SELECT FROM organizations WHERE slug = 'globex' FOR NO KEY UPDATE";
    assert_eq!(tenant.must(row).await, 0, "a row that is not seen is not locked either");
    tenant.denied("DELETE FROM organizations").await;
    let made = "INSERT INTO organizations (id, slug, name, status, is_provider, settings_json,
        settings_version, generation, created_at)
        VALUES (gen_random_uuid(), 'x', 'x', 'active', FALSE, '{}', 1, 0, 0)";
    tenant.denied(made).await;
    for table in ["seaql_migrations", "master_key_check"] {
        tenant.denied(&format!("SELECT * FROM {table}")).await;
        tenant.denied(&format!("DELETE FROM {table}")).await;
    }
}

#[tokio::test]
async fn there_is_no_way_out_of_the_role() {
    let stage = Stage::new().await;
    for mut tenant in [stage.login().await, stage.tenant_of(stage.world.acme).await] {
        for sql in [
            "SET ROLE bifrost_owner",
            "SET ROLE bifrost_scheduler",
            "SET ROLE postgres",
            "SET LOCAL ROLE bifrost_owner",
            "SET SESSION AUTHORIZATION postgres",
            "SET session_replication_role = replica",
            "ALTER ROLE bifrost_tenant BYPASSRLS",
            "GRANT bifrost_owner TO bifrost_tenant",
            "CREATE TABLE mine (a int)",
            "CREATE TEMPORARY TABLE users (a int)",
            "CREATE SCHEMA mine",
            "CREATE VIEW all_users AS SELECT * FROM users",
            "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE OR REPLACE FUNCTION app.current_org() RETURNS uuid LANGUAGE sql AS 'SELECT NULL'",
            "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION app.current_org()",
            "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE users NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE users DISABLE TRIGGER ALL",
            "ALTER TABLE users OWNER TO bifrost_tenant",
            "DROP POLICY selects_own ON users",
            "CREATE POLICY mine ON users USING (TRUE)",
            "DROP TABLE users",
            "TRUNCATE users",
            "CREATE INDEX mine ON users (email)",
            "CREATE TRIGGER mine BEFORE INSERT ON users FOR EACH ROW
                EXECUTE FUNCTION app.keeps_owner()",
            "CREATE EXTENSION file_fdw",
            "COPY users TO '/tmp/users'",
            "COPY users FROM '/etc/passwd'",
            "COPY (SELECT 1) TO PROGRAM 'id'",
            "SELECT pg_read_file('/etc/passwd')",
            "SELECT pg_ls_dir('/')",
            "SELECT lo_import('/etc/passwd')",
            "ALTER SYSTEM SET row_security = off",
            "ALTER DATABASE postgres SET row_security = off",
            "ALTER DEFAULT PRIVILEGES FOR ROLE bifrost_owner GRANT ALL ON TABLES TO bifrost_tenant",
            "SELECT passwd FROM pg_shadow",
        ] {
            tenant.denied(sql).await;
        }
    }
    let mut tenant = stage.tenant_of(stage.world.acme).await;
    tenant.must("SET row_security = off").await;
    for (table, _, _) in stage.tables() {
        tenant.denied(&format!("SELECT * FROM {table}")).await;
        tenant.denied(&format!("DELETE FROM {table}")).await;
    }
    tenant.must("SET row_security = on").await;
    // Names without a schema mean the same whatever the path: there is nowhere to put others.
    tenant.must("SET search_path = pg_temp, app, public").await;
    let owners = "SELECT DISTINCT organization_id::text FROM users";
    assert_eq!(tenant.texts(owners).await, [stage.world.acme.column().to_string()]);
    let copied = tenant.copied("COPY users (organization_id) TO STDOUT").await;
    assert_eq!(copied, format!("{}\n", stage.world.acme.column()), "what is copied is held too");
    let activity = "SELECT COUNT(*)::text FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND usename IS NOT NULL
            AND query NOT IN ('', '<insufficient privilege>')";
    assert_eq!(tenant.texts(activity).await, ["0"], "statements of others are not shown");
    let sampled = "SELECT COUNT(*)::text FROM pg_stats WHERE schemaname = 'public'
        AND tablename NOT IN ('seaql_migrations')";
    assert_eq!(tenant.texts(sampled).await, ["0"], "nor samples of their values");
}

/// What tells refusals apart, without the ids that were asked for.
fn shape(error: &PgDatabaseError) -> String {
    let detail = error.detail().unwrap_or_default();
    let words = detail.split([',', '(', ')']).map(str::trim);
    let words = words.map(|word| if word.parse::<Uuid>().is_ok() { "ID" } else { word });
    let words = words.collect::<Vec<_>>().join(" ");
    format!("{} {} {words}", error.code(), error.message())
}

#[tokio::test]
async fn what_refers_to_a_foreign_row_is_refused_like_what_refers_to_nothing() {
    let stage = Stage::new().await;
    let globex = stage.world.globex.column();
    let foreign = format!("SELECT id::text FROM users WHERE organization_id = '{globex}'");
    let foreign = stage.peek.texts(&foreign).await.remove(0);
    let mut tenant = stage.tenant_of(stage.world.acme).await;
    let insert = |user: &str| {
        format!(
            "INSERT INTO refresh_tokens (organization_id, hash, family, user_id, expires_at,
                created_at) VALUES ('{}', gen_random_uuid()::text, gen_random_uuid(), '{user}', 1, 1)",
            stage.world.acme.column()
        )
    };
    let there = tenant.run(&insert(&foreign)).await.unwrap_err();
    let missing = tenant.run(&insert(&Uuid::now_v7().to_string())).await.unwrap_err();
    assert_eq!(shape(&there), shape(&missing));
    assert_eq!(there.code(), "23503");

    // An id of somebody else's is free to take: the key starts with the organization.
    let taken = format!(
        "INSERT INTO users (organization_id, id, email, name, role, active, epoch, created_at)
         VALUES ('{}', '{foreign}', 'x', 'x', 'viewer', TRUE, 1, 1)
         ON CONFLICT (organization_id, id) DO UPDATE SET email = 'changed'",
        stage.world.acme.column()
    );
    assert_eq!(tenant.must(&taken).await, 1);
    let theirs = format!("organization_id = '{globex}'");
    let theirs = stage.peek.rows_where("users", &theirs).await;
    assert!(theirs.len() == 1 && !theirs[0].contains("changed"), "{theirs:?}");
}

#[tokio::test]
async fn the_scheduler_sees_nothing_of_what_organizations_keep() {
    let stage = Stage::new().await;
    let login = format!("scheduler_{}", Uuid::now_v7().simple());
    testkit::database::administer(&format!("CREATE ROLE {login} LOGIN IN ROLE bifrost_scheduler"));
    let mut scheduler = stage.login_as(&login).await;
    scheduler.must("SET ROLE bifrost_scheduler").await;
    for context in ["RESET app.org", &format!("SET app.org = '{}'", stage.world.acme.column())] {
        scheduler.must(context).await;
        for table in store::guard::CATALOG.tables {
            let (name, caretakers) = (table.name(), table.caretakers());
            let sql = format!("SELECT * FROM {name}");
            match caretakers {
                true => drop(scheduler.must(&sql).await),
                false => {
                    scheduler.denied(&sql).await;
                    scheduler.denied(&format!("DELETE FROM {name}")).await;
                    scheduler.denied(&format!("SELECT FROM {name} FOR UPDATE")).await;
                }
            }
        }
    }
    for sql in ["SET ROLE bifrost_tenant", "SET ROLE bifrost_owner", "TRUNCATE job_queue"] {
        scheduler.denied(sql).await;
    }
    scheduler.denied("UPDATE job_queue SET organization_id = organization_id").await;
}

#[tokio::test]
async fn the_owner_is_held_by_the_same_policies() {
    let stage = Stage::new().await;
    let login = format!("owner_{}", Uuid::now_v7().simple());
    testkit::database::administer(&format!("CREATE ROLE {login} LOGIN IN ROLE bifrost_owner"));
    let mut owner = stage.login_as(&login).await;
    owner.must("SET ROLE bifrost_owner").await;
    owner.must("RESET app.org").await;
    for (table, _, _) in stage.tables() {
        owner.denied(&format!("SELECT * FROM {table}")).await;
    }
    owner.must(&format!("SET app.org = '{}'", stage.world.acme.column())).await;
    let seen = owner.texts("SELECT organization_id::text FROM users").await;
    assert_eq!(seen, [stage.world.acme.column().to_string()]);
}
