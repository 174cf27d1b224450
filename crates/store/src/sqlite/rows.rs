//! Rows as SQLite gives them, and what reads their cells.

use super::errors::failed;
use crate::StoreError;
use rusqlite::types::{FromSql, Value, ValueRef};
use std::sync::Arc;

/// A row, apart from the statement that gave it.
pub(crate) struct Row {
    columns: Arc<[Box<str>]>,
    cells: Vec<Value>,
}

impl Row {
    pub(super) fn read(
        columns: Arc<[Box<str>]>,
        row: &rusqlite::Row<'_>,
    ) -> Result<Self, StoreError> {
        let cell = |at| owned(row.get_ref(at).map_err(failed)?);
        let cells = (0..columns.len()).map(cell).collect::<Result<_, _>>()?;
        Ok(Self { columns, cells })
    }

    /// The cell of the column `name`.
    pub(crate) fn get<T: FromSql>(&self, name: &str) -> Result<T, StoreError> {
        let place = self.columns.iter().position(|column| **column == *name);
        let cell = place.and_then(|place| self.cells.get(place));
        let missing = || StoreError::unreadable("column", format!("there is no column `{name}`"));
        T::column_result(cell.ok_or_else(missing)?.into())
            .map_err(|error| StoreError::unreadable("column", format!("`{name}`: {error}")))
    }
}

/// Files may have been written by others: a text that is none is told, and not passed on.
fn owned(cell: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => {
            let text = String::from_utf8(text.to_vec());
            Value::Text(text.map_err(|error| StoreError::unreadable("column", error))?)
        }
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}
