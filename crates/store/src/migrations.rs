//! The schema, step by step, each with its way back.
//!
//! The statements are the same for both engines: types are spelled as PostgreSQL spells them and
//! SQLite takes any name. Times are microseconds since 1970, JSON is text, and every primary,
//! unique and foreign key of a tenant table starts with `organization_id`.

mod m0001_identity;
mod m0002_files;
mod m0003_executions;
mod m0004_audit;
mod m0005_settings;
mod m0006_config;
mod m0007_identity;
mod m0008_queue;
mod m0009_schedules;
mod m0010_imports;
mod m0011_sdk;
mod m0012_environments;
mod m0013_overrides;

use crate::{StoreError, engine::Engine};
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

/// One step: statements up, statements down, and the tenant tables it brings.
pub(crate) struct Step {
    name: &'static str,
    up: &'static [&'static str],
    down: &'static [&'static str],
    pub(crate) tenant_tables: &'static [&'static str],
    /// Those of them whose rows are never changed, and go only with their whole organization.
    pub(crate) append_only: &'static [&'static str],
    /// Tables of earlier steps whose rows it reads or changes.
    pub(crate) rewrites: &'static [&'static str],
    /// Rows that are there from the start.
    seeds: fn() -> Vec<(&'static str, Vec<Value>)>,
}

/// A migration and whether the database has it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MigrationState {
    /// Its name.
    pub name: String,
    /// Whether it is applied.
    pub applied: bool,
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let steps = [
            m0001_identity::STEP,
            m0002_files::STEP,
            m0003_executions::STEP,
            m0004_audit::STEP,
            m0005_settings::STEP,
            m0006_config::STEP,
            m0007_identity::STEP,
            m0008_queue::STEP,
            m0009_schedules::STEP,
            m0010_imports::STEP,
            m0011_sdk::STEP,
            m0012_environments::STEP,
            m0013_overrides::STEP,
        ];
        steps.into_iter().map(|step| Box::new(step) as Box<dyn MigrationTrait>).collect()
    }
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let backend = connection.get_database_backend();
        Engine::before_step(connection, self).await?;
        for sql in self.up {
            connection.execute_unprepared(&Engine::ddl(backend, sql)).await?;
        }
        for (sql, values) in (self.seeds)() {
            connection.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        }
        Engine::after_step(connection, self).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let backend = connection.get_database_backend();
        Engine::before_way_back(connection, self).await?;
        for sql in self.down {
            connection.execute_unprepared(&Engine::ddl(backend, sql)).await?;
        }
        Engine::after_way_back(connection, self).await
    }

    /// A step is there as a whole or not at all, also when the process dies in it.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Applies what is missing. Of several processes that do, one does it and the others find it done.
pub(crate) async fn up(engine: &Engine) -> Result<Vec<String>, StoreError> {
    let before = status(engine).await?;
    if before.iter().all(|step| step.applied) {
        return engine.still_writable().await.map(|()| Vec::new());
    }
    let owner = engine.owner().await?;
    let lock = Engine::migration_lock(&owner).await?;
    let before = status(engine).await?;
    Migrator::up(&owner, None).await?;
    drop(lock);
    Ok(before.into_iter().filter(|step| !step.applied).map(|step| step.name).collect())
}

/// Takes back the last `steps`, or all.
pub(crate) async fn down(engine: &Engine, steps: Option<u32>) -> Result<Vec<String>, StoreError> {
    let owner = engine.owner().await?;
    let lock = Engine::migration_lock(&owner).await?;
    let before = status(engine).await?;
    Migrator::down(&owner, steps).await?;
    drop(lock);
    let after = status(engine).await?;
    let gone =
        before.into_iter().zip(after).filter(|(before, after)| before.applied && !after.applied);
    Ok(gone.map(|(step, _)| step.name).rev().collect())
}

/// Every step and whether it is applied. A step this version does not know is an error.
pub(crate) async fn status(engine: &Engine) -> Result<Vec<MigrationState>, StoreError> {
    let applied = engine.applied().await?;
    let known: Vec<String> =
        Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    if let Some(unknown) = applied.iter().find(|name| !known.contains(name)) {
        return Err(StoreError::Newer(unknown.clone()));
    }
    let state = |name: String| MigrationState { applied: applied.contains(&name), name };
    Ok(known.into_iter().map(state).collect())
}

/// Refuses a database that is behind or ahead.
pub(crate) async fn require_current(engine: &Engine) -> Result<(), StoreError> {
    match status(engine).await?.iter().filter(|step| !step.applied).count() {
        0 => Ok(()),
        missing => Err(StoreError::Outdated(missing)),
    }
}
