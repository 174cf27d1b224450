//! A look into the database beside the program, past every wall: whose rows are what. It speaks
//! either engine, so that tests which look or tamper need not.

use crate::database::{self, Engine};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// An own connection to a database, as its superuser. For tests only.
pub struct Peek {
    engine: Engine,
    connection: DatabaseConnection,
    directory: PathBuf,
    /// Every table, and the columns of each.
    tables: BTreeMap<String, Vec<String>>,
}

impl Peek {
    /// Looks into the database in `directory`.
    pub async fn new(directory: &Path) -> Self {
        let mut options = sea_orm::ConnectOptions::new(database::url(directory));
        // What is set for the session, a lock or a transaction belongs to one connection.
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.expect("the database");
        let directory = directory.to_owned();
        let tables = BTreeMap::new();
        let mut peek = Self { engine: database::engine(), connection, directory, tables };
        let (tables, columns) = match peek.engine {
            Engine::Sqlite => (
                "SELECT name FROM sqlite_master WHERE type = 'table'",
                "SELECT name FROM pragma_table_info('TABLE')",
            ),
            Engine::Postgres => (
                "SELECT table_name::text FROM information_schema.tables \
                 WHERE table_schema = 'public'",
                "SELECT column_name::text FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name = 'TABLE' ORDER BY ordinal_position",
            ),
        };
        for table in peek.texts(tables).await {
            let columns = peek.texts(&columns.replace("TABLE", &table)).await;
            peek.tables.insert(table, columns);
        }
        peek
    }

    /// The tables with an owner.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        let owned = |columns: &[String]| columns.iter().any(|column| column == "organization_id");
        self.tables.iter().filter(move |(_, columns)| owned(columns)).map(|(table, _)| &**table)
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
        for table in self.tables() {
            // Refusals are written to the refused organization's own audit a moment later.
            let settled = match table {
                "audit_heads" => continue,
                "audit_log" => "AND verdict <> 'denied'",
                _ => "",
            };
            let condition = format!("organization_id {how} {} {settled}", self.id(owner));
            all += &format!("{table}\n{}\n", self.rows_where(table, &condition).await.join("\n"));
        }
        all
    }

    /// Rows of a table as text, with bytes as hexadecimal, in an order that depends on nothing else.
    pub async fn rows_where(&self, table: &str, condition: &str) -> Vec<String> {
        let row = match self.engine {
            Engine::Sqlite => {
                let columns = &self.tables[table];
                columns.iter().map(|it| format!("quote({it})")).collect::<Vec<_>>().join("||'|'||")
            }
            Engine::Postgres => format!("{table}::text"),
        };
        let mut rows = self.texts(&format!("SELECT {row} FROM {table} WHERE {condition}")).await;
        rows.sort();
        rows
    }

    /// The tables in which a text is, in any row and column, as it is or as bytes.
    pub async fn tables_with(&self, texts: &[String]) -> BTreeSet<String> {
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let forms: Vec<_> =
            texts.iter().flat_map(|text| [text.to_lowercase(), hex(text)]).collect();
        let mut found = BTreeSet::new();
        for table in self.tables.keys() {
            let rows = self.rows_where(table, "TRUE").await.concat().to_lowercase();
            if forms.iter().any(|form| rows.contains(form)) {
                found.insert(table.clone());
            }
        }
        found
    }

    /// How many refusals are in the audit of `owner`.
    pub async fn denied(&self, owner: Uuid) -> i64 {
        let owner = self.id(owner);
        let query = format!(
            "SELECT CAST(count(*) AS text) FROM audit_log \
             WHERE organization_id = {owner} AND verdict = 'denied'"
        );
        self.texts(&query).await[0].parse().expect("a number")
    }

    /// Whether nobody else has a transaction open.
    pub async fn nobody_is_at_it(&self) -> bool {
        let query = match self.engine {
            // It has to have the right to write, and to cut the log that readers would need.
            Engine::Sqlite => {
                self.run("BEGIN IMMEDIATE", Vec::new()).await;
                self.run("ROLLBACK", Vec::new()).await;
                "PRAGMA wal_checkpoint(TRUNCATE)"
            }
            Engine::Postgres => {
                "SELECT count(*)::int AS busy FROM pg_stat_activity WHERE xact_start IS NOT NULL \
                 AND datname = current_database() AND pid <> pg_backend_pid()"
            }
        };
        let row = self.connection.query_one_raw(self.statement(query, Vec::new())).await;
        let busy: i32 = row.expect(query).expect("a row").try_get("", "busy").expect("a number");
        busy == 0
    }

    /// What the database's files hold by now, without what PostgreSQL's log has for all databases.
    pub async fn files(&self) -> Vec<Vec<u8>> {
        match self.engine {
            Engine::Sqlite => {
                let files = std::fs::read_dir(&self.directory).expect("a directory");
                let files = files.map(|file| file.expect("an entry").path());
                files.filter(|path| path.is_file()).map(|it| std::fs::read(it).unwrap()).collect()
            }
            Engine::Postgres => {
                self.run("CHECKPOINT", Vec::new()).await;
                let query = "SELECT pg_read_binary_file(folder || '/' || file, 0, 1 << 29, true) \
                     FROM (SELECT 'base/' || oid AS folder FROM pg_database \
                        WHERE datname = current_database()) AS it, pg_ls_dir(folder) AS file";
                let statement = self.statement(query, Vec::new());
                let rows = self.connection.query_all_raw(statement).await.expect(query);
                rows.iter().filter_map(|row| row.try_get_by_index(0).expect("bytes")).collect()
            }
        }
    }

    /// Whether the database's files hold some bytes.
    pub async fn is_on_disk(&self, bytes: &[u8]) -> bool {
        let files = self.files().await;
        files.iter().any(|file| file.windows(bytes.len()).any(|window| window == bytes))
    }

    /// An id as it is written in a statement.
    pub fn id(&self, id: Uuid) -> String {
        match self.engine {
            Engine::Sqlite => format!("X'{}'", id.simple()),
            Engine::Postgres => format!("'{id}'::uuid"),
        }
    }

    /// An expression's bytes as hexadecimal text.
    pub fn hex(&self, bytes: &str) -> String {
        match self.engine {
            Engine::Sqlite => format!("lower(hex({bytes}))"),
            Engine::Postgres => format!("encode({bytes}, 'hex')"),
        }
    }

    /// The texts in the first column of what a query gives.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        let rows = self.connection.query_all_raw(self.statement(query, Vec::new())).await;
        let rows = rows.expect(query);
        let texts = rows.iter().map(|row| row.try_get_by_index::<Option<String>>(0));
        texts.filter_map(|text| text.expect("a text")).collect()
    }

    /// Runs any statement; how many rows it touched.
    pub async fn run(&self, query: &str, values: Vec<Value>) -> u64 {
        self.try_run(query, values).await.expect(query)
    }

    /// Runs any statement, which may be refused.
    pub async fn try_run(&self, query: &str, values: Vec<Value>) -> Result<u64, DbErr> {
        let done = self.connection.execute_raw(self.statement(query, values)).await?;
        Ok(done.rows_affected())
    }

    /// Runs statements while no trigger and no foreign key holds, as somebody with the database in
    /// their hands can.
    pub async fn lawless(&self, statements: &[&str]) {
        let (before, after) = match self.engine {
            Engine::Sqlite => self.without_triggers().await,
            Engine::Postgres => (
                vec!["SET session_replication_role = replica".to_owned()],
                vec!["SET session_replication_role = origin".to_owned()],
            ),
        };
        let statements = statements.iter().map(|&statement| statement.to_owned());
        for statement in before.into_iter().chain(statements).chain(after) {
            self.connection.execute_unprepared(&statement).await.expect(&statement);
        }
    }

    /// What takes the laws of a file away, and what brings them back.
    async fn without_triggers(&self) -> (Vec<String>, Vec<String>) {
        let triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name";
        let texts = "SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name";
        let mut before = vec!["PRAGMA foreign_keys = OFF".to_owned()];
        let mut after = self.texts(texts).await;
        let triggers = self.texts(triggers).await;
        before.extend(triggers.iter().map(|name| format!("DROP TRIGGER {name}")));
        after.push("PRAGMA foreign_keys = ON".to_owned());
        (before, after)
    }

    fn statement(&self, query: &str, values: Vec<Value>) -> Statement {
        let backend = match self.engine {
            Engine::Sqlite => DbBackend::Sqlite,
            Engine::Postgres => DbBackend::Postgres,
        };
        Statement::from_sql_and_values(backend, query, values)
    }
}
