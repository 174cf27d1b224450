//! The two engines behind one face: the only file that asks which of them it is.
//!
//! What is particular to one is in [`crate::sqlite`] or [`crate::postgres`]. A statement comes with
//! the [`Bound`] it runs for, so that an engine that has walls of its own can put them up.

use crate::{StoreError, gate::Bound, migrations::Step, postgres, row::Row, sqlite};
use domain::Scope;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Value};
use sea_orm_migration::SchemaManagerConnection;

/// An open database.
pub(crate) enum Engine {
    /// A file.
    Sqlite(sqlite::Sqlite),
    /// A server.
    Postgres(postgres::Postgres),
}

/// Who may write at the same time. SQLite has one writer for the whole database anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nobody else in this scope: what is read in the transaction stays true until it ends.
    Nobody(Scope),
    /// Everybody: the statements themselves see to it that nothing is lost.
    Others,
}

impl Beside {
    /// What many do beside each other touches a few rows each.
    fn pace(self) -> sqlite::Pace {
        match self {
            Self::Nobody(_) => sqlite::Pace::Slow,
            Self::Others => sqlite::Pace::Quick,
        }
    }
}

/// A transaction of either engine. Dropped without [`Transaction::commit`], nothing happened.
pub(crate) enum Transaction {
    Sqlite(sqlite::Transaction),
    Postgres(postgres::Transaction),
}

/// Keeps others from migrating the same database, until it is dropped.
pub(crate) enum MigrationLock {
    Sqlite { _held: sqlite::MigrationLock },
    Postgres { _held: postgres::MigrationLock },
}

/// A statement with its values, checked by the guard.
pub(crate) struct Checked {
    pub(crate) bound: Bound,
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value>,
}

/// Where statements go: straight to the database, or into a transaction.
#[derive(Clone, Copy)]
pub(crate) enum Line<'a> {
    /// A reading statement by itself.
    Engine(&'a Engine),
    /// One of several.
    Transaction(&'a Transaction),
}

impl Engine {
    /// Opens the database of a URL; `create` makes a file that is not there.
    pub(crate) async fn open(url: &str, create: bool) -> Result<Self, StoreError> {
        match url.split(':').next().unwrap_or_default() {
            "sqlite" => Ok(Self::Sqlite(sqlite::Sqlite::open(url, create).await?)),
            "postgres" | "postgresql" => Ok(Self::Postgres(postgres::Postgres::open(url).await?)),
            scheme => Err(StoreError::Unsupported(scheme.to_owned())),
        }
    }

    /// Begins a transaction that writes.
    pub(crate) async fn write(&self, beside: Beside) -> Result<Transaction, StoreError> {
        match self {
            Self::Sqlite(sqlite) => Ok(Transaction::Sqlite(sqlite.write(beside.pace()).await?)),
            Self::Postgres(postgres) => Ok(Transaction::Postgres(postgres.write(beside))),
        }
    }

    /// Begins a transaction whose reads all see the same moment.
    pub(crate) async fn snapshot(&self) -> Result<Transaction, StoreError> {
        match self {
            Self::Sqlite(sqlite) => Ok(Transaction::Sqlite(sqlite.snapshot().await?)),
            Self::Postgres(postgres) => Ok(Transaction::Postgres(postgres.snapshot())),
        }
    }

    /// Makes what was deleted unreadable in the files too, as far as the engine can.
    pub(crate) async fn forget_removed(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.forget_removed().await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// A connection with the right to change the schema.
    pub(crate) async fn owner(&self) -> Result<DatabaseConnection, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.owner().await,
            Self::Postgres(postgres) => postgres.owner().await,
        }
    }

    /// The names of the steps that have been migrated, in order.
    pub(crate) async fn applied(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.applied().await,
            Self::Postgres(postgres) => postgres.applied().await,
        }
    }

    /// Fails if the database cannot be written although it could be opened.
    pub(crate) async fn still_writable(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.still_writable().await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Lets one process at a time migrate, for as long as what it returns is held.
    pub(crate) async fn migration_lock(
        owner: &DatabaseConnection,
    ) -> Result<MigrationLock, StoreError> {
        match owner.get_database_backend() {
            DbBackend::Postgres => {
                Ok(MigrationLock::Postgres { _held: postgres::before_steps(owner).await? })
            }
            _ => Ok(MigrationLock::Sqlite { _held: sqlite::migration_lock(owner).await? }),
        }
    }

    /// A statement of the schema as the engine spells it.
    pub(crate) fn ddl(backend: DbBackend, sql: &str) -> String {
        match backend {
            DbBackend::Postgres => postgres::ddl(sql),
            _ => sql.to_owned(),
        }
    }

    /// What goes before the statements of a migration, in its transaction.
    pub(crate) async fn before_step(
        connection: &SchemaManagerConnection<'_>,
        step: &Step,
    ) -> Result<(), DbErr> {
        match connection.get_database_backend() {
            DbBackend::Postgres => postgres::before_step(connection, step.rewrites).await,
            _ => Ok(()),
        }
    }

    /// What goes after them.
    pub(crate) async fn after_step(
        connection: &SchemaManagerConnection<'_>,
        step: &Step,
    ) -> Result<(), DbErr> {
        match connection.get_database_backend() {
            DbBackend::Postgres => postgres::after_step(connection, step.rewrites).await,
            _ => sqlite::after_step(connection, step).await,
        }
    }

    /// What goes before the statements of a migration's way back: they read what the step brought.
    pub(crate) async fn before_way_back(
        connection: &SchemaManagerConnection<'_>,
        step: &Step,
    ) -> Result<(), DbErr> {
        match connection.get_database_backend() {
            DbBackend::Postgres => {
                postgres::before_step(connection, step.rewrites).await?;
                postgres::before_step(connection, step.tenant_tables).await
            }
            _ => Ok(()),
        }
    }

    /// What goes after them.
    pub(crate) async fn after_way_back(
        connection: &SchemaManagerConnection<'_>,
        step: &Step,
    ) -> Result<(), DbErr> {
        match connection.get_database_backend() {
            DbBackend::Postgres => postgres::after_step(connection, step.rewrites).await,
            _ => Ok(()),
        }
    }

    /// Puts the walls up again that the engine itself has.
    pub(crate) async fn mend_walls(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres::mend(&postgres.owner().await?).await,
        }
    }

    /// An ear for other processes, if the engine can carry a word between machines.
    pub(crate) async fn listener(&self) -> Result<Option<postgres::Listener>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(postgres) => postgres.listener().await,
        }
    }

    /// Says a word to other processes.
    pub(crate) async fn say(&self, word: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres.say(word).await,
        }
    }

    /// Whether texts may have a NUL character.
    pub(crate) fn keeps_nul(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(_) => false,
        }
    }

    /// Whether the walls that the engine itself puts up stand; what is missing if not.
    pub(crate) async fn missing_walls(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(Vec::new()),
            Self::Postgres(postgres) => postgres.missing_walls().await,
        }
    }
}

impl Transaction {
    /// Makes it so.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }

    /// Makes it so, and lets others at its rows as soon as they may see them, not only when the disk
    /// has it; returns when the disk has it.
    pub(crate) async fn commit_early(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit_early().await,
        }
    }

    /// As [`Transaction::commit_early`], with a last statement, on its way with the commit where the
    /// engine is a server; the rows it gives.
    pub(crate) async fn commit_after(self, last: Checked) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let rows = transaction.rows(last).await?;
                transaction.commit().await?;
                Ok(rows)
            }
            Self::Postgres(transaction) => transaction.commit_after(last).await,
        }
    }
}

/// The driver's futures are large: each is boxed here, once, so that those around them stay small.
impl Line<'_> {
    /// How many rows a statement touched.
    pub(crate) async fn run(self, statement: Checked) -> Result<u64, StoreError> {
        match self {
            Self::Engine(Engine::Sqlite(engine)) => engine.run(statement).await,
            Self::Engine(Engine::Postgres(engine)) => Box::pin(engine.run(statement)).await,
            Self::Transaction(Transaction::Sqlite(transaction)) => transaction.run(statement).await,
            Self::Transaction(Transaction::Postgres(transaction)) => {
                Box::pin(transaction.run(statement)).await
            }
        }
    }

    /// Runs a statement whose answer nobody reads. Where the engine is a server it leaves with the
    /// next one of its transaction, or with its end, and so comes its error.
    pub(crate) async fn run_with_next(self, statement: Checked) -> Result<(), StoreError> {
        match self {
            Self::Transaction(Transaction::Postgres(transaction)) => {
                transaction.run_with_next(statement).await;
                Ok(())
            }
            line => line.run(statement).await.map(drop),
        }
    }

    /// As [`Line::run_with_next`], for many.
    pub(crate) async fn run_each(self, statements: Vec<Checked>) -> Result<(), StoreError> {
        if let Self::Transaction(Transaction::Postgres(transaction)) = self {
            return Box::pin(transaction.run_each(statements)).await;
        }
        for statement in statements {
            self.run(statement).await?;
        }
        Ok(())
    }

    /// The rows of each of these, on their way together where the engine is a server.
    pub(crate) async fn rows_each(
        self,
        statements: Vec<Checked>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        if let Self::Transaction(Transaction::Postgres(transaction)) = self {
            return Box::pin(transaction.rows_each(statements)).await;
        }
        let mut rows = Vec::with_capacity(statements.len());
        for statement in statements {
            rows.push(self.rows(statement).await?);
        }
        Ok(rows)
    }

    /// The rows a statement gives.
    pub(crate) async fn rows(self, statement: Checked) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Engine(Engine::Sqlite(engine)) => engine.rows(statement).await,
            Self::Engine(Engine::Postgres(engine)) => Box::pin(engine.rows(statement)).await,
            Self::Transaction(Transaction::Sqlite(transaction)) => {
                transaction.rows(statement).await
            }
            Self::Transaction(Transaction::Postgres(transaction)) => {
                Box::pin(transaction.rows(statement)).await
            }
        }
    }
}

/// What an engine's error means to a person, if it is one they can do something about.
pub(crate) fn meaning(error: &DbErr) -> Option<StoreError> {
    sqlite::meaning(error).or_else(|| postgres::meaning(error))
}

/// Whether a statement failed because other rows refer to the one it would remove.
pub(crate) fn is_foreign_key(error: &DbErr) -> bool {
    sqlite::is_foreign_key(error) || postgres::is_foreign_key(error)
}
