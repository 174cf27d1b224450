//! Every statement of the product, proven twice: by the guard, and by a prover that shares nothing
//! with it. The list is written to `target/sql-audit.txt`.

use super::{
    second_prover::{Confined, Owned, Tables, prove},
    statements::{self, Constant, calls, constants},
};
use crate::guard::{CATALOG, Kind, Mode, Proof, inspect};
use std::{collections::BTreeSet, path::Path};

/// Tables whose global rows everybody may read. Written down a second time on purpose: a table that
/// is marked so in the catalog by mistake is noticed here.
const SHARED: &[&str] = &[
    "organizations",
    "workspace_files",
    "workspace_file_versions",
    "workflows",
    "config_values",
    // Without the key of Global nobody could open a secret of Global's.
    "data_keys",
    "environment_locks",
];

/// Tables without an owner, which no tenant's statement names.
const PLATFORM: &[&str] = &["master_key_check", "imports"];

/// The tables as the migrations make them, not as the guard's catalog has them.
fn tables() -> Tables {
    let mut tables = Tables::new();
    for sql in statements::tables() {
        let Some(rest) = sql.trim_start().strip_prefix("CREATE TABLE ") else { continue };
        let name = rest.split_whitespace().next().unwrap().to_owned();
        if PLATFORM.contains(&name.as_str()) {
            continue;
        }
        let owned = rest.contains("organization_id uuid NOT NULL");
        assert!(owned || name == "organizations", "`{name}` has no owner: say here why not");
        let key = if owned { "organization_id" } else { "id" };
        let shared = SHARED.contains(&name.as_str());
        tables.insert(name, Owned { key, shared });
    }
    tables
}

/// The statements with the modes in which they can run.
fn product() -> Vec<(Constant, Option<Proof>, bool)> {
    let all = constants().into_iter().map(|constant| {
        let tenant = inspect(&constant.sql, &CATALOG, Mode::Tenant).ok();
        let system = inspect(&constant.sql, &CATALOG, Mode::System).is_ok();
        (constant, tenant, system)
    });
    all.collect()
}

/// The texts that run for a tenant.
pub fn tenant_statements() -> Vec<String> {
    let tenant = product().into_iter().filter(|(_, proof, _)| proof.is_some());
    tenant.map(|(constant, ..)| constant.sql).collect()
}

fn same(proof: &Proof, confined: &Confined) -> bool {
    proof.organization().iter().eq(&confined.organization)
        && proof.readable().iter().eq(&confined.readable)
}

#[test]
fn every_statement_is_proven_twice() {
    let tables = tables();
    let (mut report, mut wrong, mut caretakers) = (String::new(), Vec::new(), String::new());
    let (mut tenant, mut system) = (0, 0);
    for (Constant { place, sql }, proof, for_caretakers) in product() {
        let second = prove(&sql, &tables);
        let text = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        match (&proof, &second) {
            (Some(proof), Ok(confined)) if same(proof, confined) => {
                tenant += 1;
                let numbers = (proof.organization(), proof.readable());
                report += &format!(
                    "{place}: organization {:?}, or Global {:?}\n  {text}\n",
                    numbers.0, numbers.1
                );
            }
            (None, Err(why)) if for_caretakers => {
                system += 1;
                report += &format!("{place}: for caretakers ({why})\n  {text}\n");
                caretakers += &format!("{place}\n  {text}\n");
            }
            // Confined, but to an organization that is the caretaker's to choose.
            (None, Ok(_)) if for_caretakers => {
                system += 1;
                report += &format!("{place}: for caretakers, of one organization\n  {text}\n");
                caretakers += &format!("{place}\n  {text}\n");
            }
            other => wrong.push(format!("{place}: {other:?}\n  {text}")),
        }
    }
    println!("{tenant} statements of tenants and {system} of caretakers proven twice");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/sql-audit.txt");
    std::fs::write(target, report).unwrap();
    assert!(wrong.is_empty(), "{} disagree:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tenant > 50, "only {tenant}");
    golden("caretakers.txt", &caretakers);
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{} is not up to date: run with UPDATE_GOLDEN=1", path.display());
}

#[test]
fn nothing_is_run_but_those_statements() {
    let constants = constants();
    let names: BTreeSet<_> =
        constants.iter().map(|it| it.place.split(' ').nth(1).unwrap().to_owned()).collect();
    let calls = calls();
    for (file, argument) in &calls {
        let name = argument.rsplit([':', '.']).next().unwrap();
        assert!(names.contains(name), "{file} runs `{argument}`, which is no constant of SQL");
    }
    println!("{} calls run {} constants", calls.len(), constants.len());
    let run: BTreeSet<_> =
        calls.iter().map(|(_, argument)| argument.rsplit([':', '.']).next().unwrap()).collect();
    let idle: Vec<_> =
        constants.iter().filter(|it| !run.contains(it.place.split(' ').nth(1).unwrap())).collect();
    assert!(idle.is_empty(), "run by nobody, or in a way this test does not see: {idle:?}");
}

#[test]
fn what_passes_by_the_guard_names_no_row_of_a_tenant() {
    let texts = statements::beside_the_guard();
    assert!(texts.len() > 5, "{texts:?}");
    for Constant { place, sql } in texts {
        let words: Vec<_> = sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        // Which steps have been migrated is asked before there is anything of anybody's.
        let others = CATALOG.tables.iter().filter(|table| table.name() != "seaql_migrations");
        let named: Vec<_> = others.filter(|table| words.contains(&table.name())).collect();
        // The one lock that makes a writer wait for those before it gives nothing away.
        let lock = sql == "SELECT 1 FROM organizations WHERE id = $1 FOR NO KEY UPDATE";
        assert!(named.is_empty() || lock, "{place}: {sql}");
    }
}

#[test]
fn the_catalog_says_of_each_table_what_the_migrations_say() {
    for (name, owned) in tables() {
        let table =
            CATALOG.table(&name).unwrap_or_else(|| panic!("`{name}` is not in the catalog"));
        let kind = match (owned.key, owned.shared) {
            ("id", _) => Kind::Organization,
            (_, true) => Kind::Shared,
            (_, false) => Kind::Tenant,
        };
        assert_eq!(table.kind(), kind, "{name}");
    }
}

#[test]
fn the_second_prover_refuses_what_is_not_confined() {
    let tables = tables();
    let refused = [
        "SELECT email FROM users",
        "SELECT email FROM users WHERE id = $1",
        "SELECT email FROM users WHERE organization_id <> $1",
        "SELECT email FROM users WHERE organization_id = $1 OR id = $2",
        "SELECT email FROM users WHERE NOT organization_id = $1",
        "SELECT email FROM users WHERE organization_id IN ($1, $2)",
        "SELECT email FROM users WHERE (organization_id = $1)",
        "SELECT u.email FROM users u, executions e WHERE u.organization_id = $1",
        "SELECT u.email FROM users u JOIN executions e ON e.id = u.id WHERE u.organization_id = $1",
        "SELECT (SELECT max(email) FROM users) FROM users WHERE organization_id = $1",
        "SELECT email FROM users WHERE organization_id = $1 UNION ALL SELECT email FROM users",
        "WITH a AS (SELECT email FROM users) SELECT email FROM a",
        "WITH users AS (SELECT 1) SELECT email FROM users",
        "UPDATE users SET name = $2 WHERE id = $1",
        "UPDATE users SET organization_id = $2 WHERE organization_id = $1",
        "UPDATE workflows SET name = $3 WHERE organization_id IN ($1, $2)",
        "DELETE FROM users WHERE id = $1",
        "INSERT INTO users (id, email) VALUES ($1, $2)",
        "INSERT INTO users (organization_id, id) VALUES (lower($1), $2)",
        "INSERT INTO users (organization_id, id) SELECT organization_id, id FROM workflows WHERE organization_id IN ($1, $2)",
        "INSERT INTO users (organization_id, id) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = $3",
        "INSERT INTO users (organization_id, id) VALUES ($1, $2) ON CONFLICT (organization_id, id) DO UPDATE SET organization_id = $3",
        "SELECT email FROM \"users\" WHERE organization_id = $1",
        "SELECT email FROM users WHERE organization_id = $1; SELECT 1",
        "SELECT email FROM users -- WHERE organization_id = $1",
        "SELECT email FROM elsewhere WHERE organization_id = $1",
        "DROP TABLE users",
    ];
    for sql in refused {
        assert!(prove(sql, &tables).is_err(), "{sql}");
    }
}
