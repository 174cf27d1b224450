//! A look into the database file beside the program: whose rows are what.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, Value};
use std::{collections::BTreeMap, path::Path};
use uuid::Uuid;

/// An own connection to a database, past every wall. For tests only.
pub struct Peek {
    connection: DatabaseConnection,
    /// Tables with an owner, and the columns of each.
    tables: BTreeMap<String, Vec<String>>,
}

impl Peek {
    /// Looks into the database in `directory`.
    pub async fn new(directory: &Path) -> Self {
        let url = format!("sqlite:{}", directory.join("bifrost.db").display());
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.expect("the database");
        let mut peek = Self { connection, tables: BTreeMap::new() };
        let tables = "SELECT name AS text FROM sqlite_master WHERE type = 'table'";
        for table in peek.texts(tables, None).await {
            let columns = format!("SELECT name AS text FROM pragma_table_info('{table}')");
            let columns = peek.texts(&columns, None).await;
            if columns.iter().any(|column| column == "organization_id") {
                peek.tables.insert(table, columns);
            }
        }
        peek
    }

    /// The tables with an owner.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Every row that `owner` has, as text.
    pub async fn rows_of(&self, owner: Uuid) -> String {
        self.rows("=", owner).await
    }

    /// Every row that anybody but `owner` has, as text.
    pub async fn rows_of_others(&self, owner: Uuid) -> String {
        self.rows("<>", owner).await
    }

    async fn rows(&self, how: &str, owner: Uuid) -> String {
        let mut all = String::new();
        for (table, columns) in &self.tables {
            // Refusals are written to the refused organization's own audit a moment later.
            let settled = match table.as_str() {
                "audit_heads" => continue,
                "audit_log" => "AND verdict <> 'denied'",
                _ => "",
            };
            let row = columns.iter().map(|it| format!("quote({it})")).collect::<Vec<_>>();
            let row = row.join(" || '|' || ");
            let query = format!(
                "SELECT coalesce(group_concat({row}, char(10)), '') AS text FROM \
                 (SELECT * FROM {table} WHERE organization_id {how} $1 {settled} ORDER BY rowid)"
            );
            let rows = self.texts(&query, Some(owner)).await;
            all += &format!("{table}\n{}\n", rows.concat());
        }
        all
    }

    /// How many refusals are in the audit of `owner`.
    pub async fn denied(&self, owner: Uuid) -> i64 {
        let query = "SELECT CAST(count(*) AS text) AS text FROM audit_log \
                     WHERE organization_id = $1 AND verdict = 'denied'";
        self.texts(query, Some(owner)).await[0].parse().expect("a number")
    }

    /// Moves everything from the log into the database file; 0 when nobody was in the way.
    pub async fn checkpoint(&self) -> i64 {
        let statement =
            Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
        let row = self.connection.query_one_raw(statement).await.expect("a checkpoint");
        let busy: i32 = row.expect("a row").try_get("", "busy").expect("a number");
        i64::from(busy)
    }

    async fn texts(&self, query: &str, owner: Option<Uuid>) -> Vec<String> {
        let values: Vec<Value> = owner.into_iter().map(Value::from).collect();
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, query, values);
        let rows = self.connection.query_all_raw(statement).await.expect(query);
        rows.iter().map(|row| row.try_get("", "text").expect("a text")).collect()
    }

    /// Runs any statement; how many rows it touched.
    pub async fn run(&self, query: &str, values: Vec<Value>) -> u64 {
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, query, values);
        self.connection.execute_raw(statement).await.expect(query).rows_affected()
    }
}
