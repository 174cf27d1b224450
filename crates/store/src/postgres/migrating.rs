//! What a migration does on PostgreSQL besides its own statements.

use super::{
    failed,
    roles::{OWNER, SCHEDULER},
    walls::{CONTEXT, context_grants, grants, policies, trigger_names, triggers},
};
use crate::{StoreError, guard::CATALOG};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
    TransactionTrait,
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, postgres::PgConnectOptions};
use std::collections::BTreeMap;

/// One lock for all who migrate this database. Held by a transaction, because a pooler does not keep
/// what a session holds.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtext('bifrost migrations'))";

/// Whether there is anybody who may tell what has been migrated, and anything to tell.
const TELLS: &str = "SELECT FROM pg_roles, pg_class
    WHERE rolname = 'bifrost_scheduler' AND relname = 'seaql_migrations'
        AND relnamespace = 'public'::regnamespace";

/// The steps that have been applied, in order. It asks as who serves does, without a right to change
/// anything and with nothing that outlives a transaction, because a pooler may be in between.
pub(super) async fn applied(options: &PgConnectOptions) -> Result<Vec<String>, StoreError> {
    let mut connection = PgConnection::connect_with(options).await.map_err(failed)?;
    let mut steps = Vec::new();
    if connection.fetch_optional(TELLS).await.map_err(failed)?.is_some() {
        let begin = AssertSqlSafe(format!("BEGIN READ ONLY; SET LOCAL ROLE {SCHEDULER}"));
        let mut transaction = connection.begin_with(begin).await.map_err(failed)?;
        let names = "SELECT version::text AS name FROM seaql_migrations ORDER BY version";
        for row in transaction.fetch_all(names).await.map_err(failed)? {
            steps.push(row.try_get("name").map_err(failed)?);
        }
        transaction.rollback().await.map_err(failed)?;
    }
    connection.close().await.map_err(failed)?;
    Ok(steps)
}

/// Text is ordered by its bytes, as SQLite does and cursors expect, whatever the database's locale.
pub(crate) fn ddl(sql: &str) -> String {
    sql.replace(" text", " text COLLATE \"C\"")
}

/// Keeps others from migrating the same database, until it is dropped.
pub(crate) struct MigrationLock {
    _transaction: DatabaseTransaction,
}

/// Lets one process at a time migrate, and makes what every step needs.
pub(crate) async fn before_steps(
    connection: &DatabaseConnection,
) -> Result<MigrationLock, StoreError> {
    let transaction = connection.begin().await?;
    transaction.execute_unprepared("SET LOCAL lock_timeout = 0").await?;
    transaction.execute_unprepared(ALONE).await?;
    for sql in CONTEXT {
        connection.execute_unprepared(sql).await?;
    }
    for sql in context_grants() {
        connection.execute_unprepared(&sql).await?;
    }
    Ok(MigrationLock { _transaction: transaction })
}

/// Lets the owner see all rows of `tables`, which a step is about to change.
pub(crate) async fn before_step<C: ConnectionTrait>(
    connection: &C,
    tables: &[&str],
) -> Result<(), DbErr> {
    for table in tables {
        let sql = format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY");
        connection.execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Puts the walls around what a step has brought, in its own transaction, and grants anew what may
/// be done with all tables there are by now: a column may have come or gone.
pub(crate) async fn after_step<C: ConnectionTrait>(
    connection: &C,
    rewritten: &[&str],
) -> Result<(), DbErr> {
    for table in rewritten {
        let sql = format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY");
        connection.execute_unprepared(&sql).await?;
    }
    let found = tables(connection).await?;
    for table in CATALOG.tables {
        let Some(found) = found.get(table.name()) else { continue };
        if !found.secured {
            for sql in policies(table).into_iter().chain(triggers(table)) {
                connection.execute_unprepared(&sql).await?;
            }
        }
        for sql in grants(table, &found.columns) {
            connection.execute_unprepared(&sql).await?;
        }
    }
    Ok(())
}

/// Makes every wall anew, whatever has become of it.
pub(crate) async fn mend(owner: &DatabaseConnection) -> Result<(), StoreError> {
    let _lock = before_steps(owner).await?;
    let transaction = owner.begin().await?;
    let found = tables(&transaction).await?;
    for table in CATALOG.tables.iter().filter(|table| found.contains_key(table.name())) {
        for name in policy_names(&transaction, table.name()).await? {
            let sql = format!("DROP POLICY \"{name}\" ON {}", table.name());
            transaction.execute_unprepared(&sql).await?;
        }
        for name in trigger_names(table) {
            let sql = format!("DROP TRIGGER IF EXISTS {name} ON {}", table.name());
            transaction.execute_unprepared(&sql).await?;
        }
        for sql in policies(table).into_iter().chain(triggers(table)) {
            transaction.execute_unprepared(&sql).await?;
        }
    }
    after_step(&transaction, &[]).await?;
    Ok(transaction.commit().await?)
}

async fn policy_names<C: ConnectionTrait>(
    connection: &C,
    table: &str,
) -> Result<Vec<String>, DbErr> {
    let sql = format!("SELECT polname::text FROM pg_policy WHERE polrelid = '{table}'::regclass");
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

#[derive(Default)]
struct Found {
    secured: bool,
    columns: Vec<String>,
}

/// The owner's tables.
async fn tables<C: ConnectionTrait>(connection: &C) -> Result<BTreeMap<String, Found>, DbErr> {
    let sql = format!(
        "SELECT relname::text AS name, relrowsecurity AS secured, attname::text AS col
         FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
         WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
            AND relowner = '{OWNER}'::regrole AND attnum > 0 AND NOT attisdropped
         ORDER BY relname, attnum"
    );
    let mut tables: BTreeMap<String, Found> = BTreeMap::new();
    for row in connection.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await? {
        let found = tables.entry(row.try_get("", "name")?).or_default();
        found.secured = row.try_get("", "secured")?;
        found.columns.push(row.try_get("", "col")?);
    }
    Ok(tables)
}
