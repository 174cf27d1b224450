//! The one way to the database: every statement is shown to the guard first.
//!
//! A gate takes static SQL only and is no SeaORM connection itself, so entities, streams and
//! unprepared statements cannot pass it by.

use crate::{
    StoreError,
    guard::{Guard, Mode},
};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};
use uuid::Uuid;

/// For whom a statement runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// One organization (or Global): every tenant table must be tied to it.
    Tenant(Uuid),
    /// A caretaker: only tables without tenant content.
    System,
}

/// A connection or transaction behind the guard.
pub(crate) struct Gate<'a, C> {
    connection: &'a C,
    guard: &'a Guard,
    bound: Bound,
}

impl<'a, C: ConnectionTrait> Gate<'a, C> {
    pub(crate) fn new(connection: &'a C, guard: &'a Guard, bound: Bound) -> Self {
        Self { connection, guard, bound }
    }

    /// Runs a statement; the number of rows it touched.
    pub(crate) async fn run<const N: usize>(
        &self,
        sql: &'static str,
        values: [Value; N],
    ) -> Result<u64, StoreError> {
        let statement = self.checked(sql, values)?;
        Ok(self.connection.execute_raw(statement).await?.rows_affected())
    }

    /// The first row, if there is one.
    pub(crate) async fn one<T: FromQueryResult, const N: usize>(
        &self,
        sql: &'static str,
        values: [Value; N],
    ) -> Result<Option<T>, StoreError> {
        let row = self.connection.query_one_raw(self.checked(sql, values)?).await?;
        Ok(row.map(|row| T::from_query_result(&row, "")).transpose()?)
    }

    /// All rows.
    pub(crate) async fn all<T: FromQueryResult, const N: usize>(
        &self,
        sql: &'static str,
        values: [Value; N],
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.connection.query_all_raw(self.checked(sql, values)?).await?;
        Ok(rows.iter().map(|row| T::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    fn checked<const N: usize>(
        &self,
        sql: &'static str,
        values: [Value; N],
    ) -> Result<Statement, StoreError> {
        let (mode, organization) = match self.bound {
            Bound::Tenant(organization) => (Mode::Tenant, organization),
            Bound::System => (Mode::System, Uuid::nil()),
        };
        if let Err(refusal) = self.guard.check(sql, &values, organization, mode) {
            tracing::error!(%refusal, sql, "statement refused");
            return Err(refusal.into());
        }
        let backend = self.connection.get_database_backend();
        Ok(Statement::from_sql_and_values(backend, sql, values))
    }
}
