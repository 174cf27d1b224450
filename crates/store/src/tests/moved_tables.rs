//! Every table and column of the schema is moved, in an order that foreign keys allow.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::{
    Store,
    guard::{CATALOG, Mode, inspect},
    moving::tables::{self, Kind, When},
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use std::collections::{BTreeMap, BTreeSet};
use testkit::database;

/// What has no owner: the schema's own list, the note of an import that is under way, and what the
/// first line of the file has.
const NOT_ROWS: [&str; 3] = ["seaql_migrations", "imports", "master_key_check"];

/// A migrated database, gone with the value.
struct Migrated {
    directory: tempfile::TempDir,
    connection: DatabaseConnection,
}

impl Migrated {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        database::create(directory.path());
        let url = database::url(directory.path());
        drop(Store::create(&url).await.unwrap());
        Self { directory, connection: Database::connect(url).await.unwrap() }
    }

    async fn texts(&self, sql: &str) -> Vec<Vec<String>> {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let rows = self.connection.query_all_raw(statement).await.unwrap();
        let texts = |row: &sea_orm::QueryResult| {
            let columns = row.column_names().len();
            (0..columns).map(|at| row.try_get_by_index(at).unwrap()).collect()
        };
        rows.iter().map(texts).collect()
    }

    /// The columns of a table with their types, without those that the engine computes.
    async fn columns(&self, table: &str) -> BTreeMap<String, String> {
        let sql = match self.connection.get_database_backend() {
            DbBackend::Postgres => format!(
                "SELECT column_name::text, data_type::text FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name = '{table}'
                    AND is_generated = 'NEVER'"
            ),
            _ => format!(
                "SELECT name, lower(type) FROM pragma_table_xinfo('{table}') WHERE hidden = 0"
            ),
        };
        self.texts(&sql).await.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
    }
}

impl Drop for Migrated {
    fn drop(&mut self) {
        database::remove(self.directory.path());
    }
}

#[test]
fn every_table_of_the_catalog_is_moved_or_has_a_reason() {
    let known: BTreeSet<_> = CATALOG.tables.iter().map(|table| table.name()).collect();
    let moved: BTreeSet<_> = tables::all().map(|table| table.name).chain(NOT_ROWS).collect();
    assert_eq!(moved, known);
    assert_eq!(tables::all().count() + NOT_ROWS.len(), known.len(), "a table comes twice");
}

#[tokio::test]
async fn every_column_of_the_schema_is_moved_as_what_it_is() {
    let migrated = Migrated::new().await;
    for table in tables::all() {
        let owner = CATALOG.table(table.name).unwrap().key().unwrap();
        let mut there = migrated.columns(table.name).await;
        assert_eq!(there.remove(owner).as_deref(), Some("uuid"), "{}", table.name);
        let moved = table.columns.iter().map(|column| {
            let kind = match column.kind {
                Kind::Uuid => "uuid",
                Kind::Text => "text",
                Kind::Int => "bigint",
                Kind::Bool => "boolean",
                Kind::Bytes => "bytea",
            };
            (column.name.to_owned(), kind.to_owned())
        });
        assert_eq!(moved.collect::<BTreeMap<_, _>>(), there, "{}", table.name);
    }
}

#[tokio::test]
async fn no_row_comes_before_the_one_it_refers_to() {
    let migrated = Migrated::new().await;
    let place = |name: &str| tables::all().position(|table| table.name == name).unwrap();
    let mut seen = 0;
    for table in tables::all() {
        let sql = match migrated.connection.get_database_backend() {
            DbBackend::Postgres => format!(
                "SELECT confrelid::regclass::text FROM pg_constraint
                 WHERE contype = 'f' AND conrelid = '{}'::regclass",
                table.name
            ),
            _ => format!("SELECT \"table\" FROM pragma_foreign_key_list('{}')", table.name),
        };
        for parent in migrated.texts(&sql).await {
            let [parent] = parent.try_into().unwrap();
            assert!(place(&parent) < place(table.name), "{} before {parent}", table.name);
            let last = |name: &str| tables::all().find(|it| it.name == name).unwrap().when;
            let waits = last(&parent) == When::Last && table.when == When::Early;
            assert!(!waits, "{} before {parent}, which comes last", table.name);
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn the_statements_name_the_columns_and_are_for_one_organization() {
    for table in tables::all() {
        let owner = CATALOG.table(table.name).unwrap().key().unwrap();
        let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let words = |sql: &str| sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let (page, insert) = (words(table.page), words(table.insert));
        let start = format!("SELECT {} FROM {} WHERE {owner} = $1", names.join(", "), table.name);
        assert!(page.starts_with(&start), "{page}");
        let order = match table.key {
            [] => String::new(),
            key => format!("ORDER BY {} ", key.join(", ")),
        };
        let end = format!("{order}LIMIT ${}", table.key.len() + 2);
        assert!(page.ends_with(&end), "{page}");
        let start = format!("INSERT INTO {} ({owner}, {})", table.name, names.join(", "));
        assert!(insert.starts_with(&start), "{insert}");
        for sql in [table.page, table.count] {
            inspect(sql, &CATALOG, Mode::Tenant).unwrap();
        }
        let mode = if table.name == "organizations" { Mode::System } else { Mode::Tenant };
        inspect(table.insert, &CATALOG, mode).unwrap();
    }
}
