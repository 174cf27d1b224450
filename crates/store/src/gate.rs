//! The one way to the database: every statement is shown to the guard first.
//!
//! A gate takes static SQL only and is no SeaORM connection itself, so entities, streams and
//! unprepared statements cannot pass it by.

use crate::{
    StoreError,
    engine::{Checked, Line},
    guard::{Guard, Mode},
    row::{FromRow, Row},
};
use sea_orm::Value;
use uuid::Uuid;

/// For whom a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// One organization (or Global): every tenant table must be tied to it.
    Tenant(Uuid),
    /// A caretaker: only tables without tenant content.
    System,
}

/// A connection or transaction behind the guard.
pub(crate) struct Gate<'a> {
    line: Line<'a>,
    guard: &'a Guard,
    bound: Bound,
}

impl<'a> Gate<'a> {
    pub(crate) fn new(line: Line<'a>, guard: &'a Guard, bound: Bound) -> Self {
        Self { line, guard, bound }
    }

    /// Runs a statement; the number of rows it touched.
    pub(crate) async fn run<const N: usize>(
        &self,
        sql: &'static str,
        values: [Value; N],
    ) -> Result<u64, StoreError> {
        let statement = self.checked(sql, values.into())?;
        self.line.run(statement).await
    }

    /// Runs a statement whose answer nobody reads: it may leave with the next one of its transaction,
    /// or with its end, and so may come its error.
    pub(crate) async fn run_with_next<const N: usize>(
        &self,
        sql: &'static str,
        values: [Value; N],
    ) -> Result<(), StoreError> {
        let statement = self.checked(sql, values.into())?;
        self.line.run_with_next(statement).await
    }

    /// As [`Gate::run`], with as many values as a list of columns has.
    pub(crate) async fn run_list(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        let statement = self.checked(sql, values)?;
        self.line.run(statement).await
    }

    /// As [`Gate::run_with_next`], for each of these rows of values.
    pub(crate) async fn run_each<const N: usize>(
        &self,
        sql: &'static str,
        rows: impl IntoIterator<Item = [Value; N]>,
    ) -> Result<(), StoreError> {
        let checked = rows.into_iter().map(|values| self.checked(sql, values.into()));
        let statements = checked.collect::<Result<Vec<_>, _>>()?;
        self.line.run_each(statements).await
    }

    /// As [`Gate::all`], with as many values as a key has, and rows as they come.
    pub(crate) async fn all_list(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        self.line.rows(self.checked(sql, values)?).await
    }

    /// The first row, if there is one.
    pub(crate) async fn one<T: FromRow, const N: usize>(
        &self,
        sql: &'static str,
        values: [Value; N],
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// As [`Gate::one`], for each of these rows of values, on their way together where the engine is a
    /// server.
    pub(crate) async fn one_of_each<T: FromRow, const N: usize>(
        &self,
        sql: &'static str,
        values: impl IntoIterator<Item = [Value; N]>,
    ) -> Result<Vec<Option<T>>, StoreError> {
        let checked = values.into_iter().map(|values| self.checked(sql, values.into()));
        let statements = checked.collect::<Result<Vec<_>, _>>()?;
        let found = self.line.rows_each(statements).await?;
        found.iter().map(|rows| rows.first().map(T::from_row).transpose()).collect()
    }

    /// All rows.
    pub(crate) async fn all<T: FromRow, const N: usize>(
        &self,
        sql: &'static str,
        values: [Value; N],
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.line.rows(self.checked(sql, values.into())?).await?;
        rows.iter().map(T::from_row).collect()
    }

    /// A statement that the guard lets through.
    pub(crate) fn checked(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Checked, StoreError> {
        let (mode, organization) = match self.bound {
            Bound::Tenant(organization) => (Mode::Tenant, organization),
            Bound::System => (Mode::System, Uuid::nil()),
        };
        if let Err(refusal) = self.guard.check(sql, &values, organization, mode) {
            tracing::error!(%refusal, sql, "statement refused");
            return Err(refusal.into());
        }
        Ok(Checked { bound: self.bound, sql, values })
    }
}
