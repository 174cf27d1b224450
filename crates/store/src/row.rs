//! A row of either engine, and what reads it.

use crate::{StoreError, postgres, sqlite};
pub(crate) use row_derive::FromRow;
use rusqlite::types::FromSql;
use tokio_postgres::types::FromSqlOwned;

/// A row that an engine has given.
pub(crate) enum Row {
    Sqlite(sqlite::Row),
    Postgres(postgres::Row),
}

/// What a row is read as.
pub(crate) trait FromRow: Sized {
    /// Fails if a column is missing or is something else.
    fn from_row(row: &Row) -> Result<Self, StoreError>;
}

/// What a column may hold.
pub(crate) trait Cell: FromSql + FromSqlOwned {}

impl<T: FromSql + FromSqlOwned> Cell for T {}

impl Row {
    /// The value of the column `name`.
    pub(crate) fn get<T: Cell>(&self, name: &str) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => row.get(name),
            Self::Postgres(row) => {
                row.get(name).map_err(|error| StoreError::unreadable("column", error))
            }
        }
    }
}
