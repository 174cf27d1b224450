//! A database with a row of each organization in every table, and a login that is nobody but the
//! tenant's role.

use domain::Scope;
use futures_util::StreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgDatabaseError};
use std::collections::BTreeMap;
use store::guard::{CATALOG, Kind};
use testkit::{World, database, peek::Peek};
use uuid::Uuid;

/// What the server said to a statement.
pub type Answer = Result<u64, Box<PgDatabaseError>>;

/// The database, looked at from within.
pub struct Stage {
    pub world: World,
    pub peek: Peek,
    login: String,
    /// For each table with an owner, the row of each organization as a list of values.
    rows: BTreeMap<String, Row>,
}

/// How rows of a table are written.
pub struct Row {
    pub columns: Vec<String>,
    /// With `OWNER` for the organization and something for the rest.
    values: Vec<String>,
}

impl Row {
    /// The statement that adds a row.
    pub fn insert(&self, table: &str, owner: Uuid) -> String {
        let values = self.values.join(", ").replace("OWNER", &format!("'{owner}'"));
        format!("INSERT INTO {table} ({}) VALUES ({values})", self.columns.join(", "))
    }
}

impl Stage {
    pub async fn new() -> Self {
        let world = World::new().await;
        let peek = Peek::new(world.directory.path()).await;
        let login = format!("login_{}", Uuid::now_v7().simple());
        database::administer(&format!("CREATE ROLE {login} LOGIN IN ROLE bifrost_tenant"));
        let mut stage = Self { world, peek, login, rows: BTreeMap::new() };
        stage.fill().await;
        stage
    }

    /// Made from the schema itself, so that a new table is covered without being named.
    async fn fill(&mut self) {
        let checks =
            "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
            FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace";
        for drop in self.peek.texts(checks).await {
            self.peek.run(&drop, Vec::new()).await;
        }
        let tables: Vec<_> = self.peek.tables().map(str::to_owned).collect();
        for table in tables {
            let row = self.row(&table).await;
            self.peek.run(&format!("ALTER TABLE {table} DISABLE TRIGGER USER"), Vec::new()).await;
            let emptied = format!("DELETE FROM {table}");
            let mut statements = vec![emptied];
            statements.extend(self.owners().map(|owner| row.insert(&table, owner)));
            let statements: Vec<_> = statements.iter().map(String::as_str).collect();
            self.peek.lawless(&statements).await;
            self.peek.run(&format!("ALTER TABLE {table} ENABLE TRIGGER USER"), Vec::new()).await;
            self.rows.insert(table, row);
        }
    }

    async fn row(&self, table: &str) -> Row {
        let columns = format!(
            "SELECT column_name || ' ' || data_type FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = '{table}' AND is_generated = 'NEVER'
             ORDER BY ordinal_position"
        );
        let found = self.peek.texts(&columns).await;
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for column in found {
            let (name, kind) = column.split_once(' ').unwrap();
            values.push(match (name, kind) {
                ("organization_id", _) => "OWNER".to_owned(),
                (_, "uuid") => "gen_random_uuid()".to_owned(),
                (_, "bytea") => "'\\x00'".to_owned(),
                (_, "boolean") => "FALSE".to_owned(),
                (_, "text") => "gen_random_uuid()::text".to_owned(),
                (_, "bigint" | "integer" | "smallint") => "1".to_owned(),
                (name, kind) => panic!("what to write into {table}.{name}, a {kind}?"),
            });
            columns.push(name.to_owned());
        }
        Row { columns, values }
    }

    fn owners(&self) -> impl Iterator<Item = Uuid> + use<> {
        [self.world.acme, self.world.globex, Scope::Global].map(Scope::column).into_iter()
    }

    /// The tables whose rows belong to organizations, whether Global's are everybody's to read, and
    /// how a row is written.
    pub fn tables(&self) -> impl Iterator<Item = (&'static str, bool, &Row)> {
        let owned = |kind| matches!(kind, Kind::Tenant | Kind::Shared);
        let tables = CATALOG.tables.iter().filter(move |table| owned(table.kind()));
        tables.map(|it| (it.name(), it.kind() == Kind::Shared, &self.rows[it.name()]))
    }

    /// A connection of the login.
    pub async fn login(&self) -> Tenant {
        self.login_as(&self.login).await
    }

    /// A connection of another login.
    pub async fn login_as(&self, login: &str) -> Tenant {
        let login = format!("//{login}@");
        let url = self.world.directory.url().replacen("//postgres@", &login, 1);
        Tenant(PgConnection::connect(&url).await.unwrap())
    }

    /// One that wears the tenant's role.
    pub async fn tenant(&self) -> Tenant {
        let mut tenant = self.login().await;
        tenant.must("SET ROLE bifrost_tenant").await;
        tenant
    }

    /// One that wears the tenant's role for one organization.
    pub async fn tenant_of(&self, scope: Scope) -> Tenant {
        let mut tenant = self.tenant().await;
        tenant.must(&format!("SET app.org = '{}'", scope.column())).await;
        tenant
    }
}

/// Somebody with a connection of their own.
pub struct Tenant(PgConnection);

impl Tenant {
    /// Runs anything; how many rows it gave or touched.
    pub async fn run(&mut self, sql: &str) -> Answer {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0).await;
        match done {
            Ok(done) => Ok(done.rows_affected()),
            Err(sqlx::Error::Database(error)) => Err(error.downcast::<PgDatabaseError>()),
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    /// Runs what works.
    pub async fn must(&mut self, sql: &str) -> u64 {
        self.run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs a statement and takes it back.
    pub async fn would(&mut self, sql: &str) -> Answer {
        self.must("BEGIN").await;
        let answer = self.run(sql).await;
        self.must("ROLLBACK").await;
        answer
    }

    /// Sees a statement refused for want of a right.
    pub async fn denied(&mut self, sql: &str) {
        match self.run(sql).await {
            Err(error) => assert_eq!(error.code(), "42501", "{sql}: {error}"),
            Ok(rows) => panic!("{sql} was done: {rows} rows"),
        }
    }

    /// What is copied out.
    pub async fn copied(&mut self, sql: &str) -> String {
        let mut stream = self.0.copy_out_raw(sql).await.expect(sql);
        let mut all = Vec::new();
        while let Some(part) = stream.next().await {
            all.extend_from_slice(&part.expect(sql));
        }
        String::from_utf8(all).unwrap()
    }

    /// The texts a query gives.
    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        let rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut self.0).await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}
