//! Rows as the server sends them, and what reads their cells.

use postgres_protocol::message::backend::{DataRowBody, RowDescriptionBody};
use std::{error::Error, io, ops::Range, sync::Arc};
use tokio_postgres::{
    fallible_iterator::FallibleIterator,
    types::{FromSqlOwned, Type, WrongType},
};

/// The columns of a statement. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Columns(Arc<[Column]>);

struct Column {
    name: String,
    kind: Type,
}

/// A row, in one buffer.
pub(crate) struct Row {
    columns: Columns,
    cells: DataRowBody,
    /// Where each cell is; nothing for one that is null.
    places: Vec<Option<Range<usize>>>,
}

impl Columns {
    pub(super) fn new(described: &RowDescriptionBody) -> io::Result<Self> {
        let columns = described.fields().map(|field| {
            // Statements of the store give nothing but the server's own types.
            let kind = Type::from_oid(field.type_oid()).unwrap_or(Type::UNKNOWN);
            Ok(Column { name: field.name().to_owned(), kind })
        });
        Ok(Self(columns.collect::<Vec<_>>()?.into()))
    }
}

impl Row {
    pub(super) fn new(columns: Columns, cells: DataRowBody) -> io::Result<Self> {
        let places = cells.ranges().collect()?;
        Ok(Self { columns, cells, places })
    }

    /// The cell of the column `name`.
    pub(crate) fn get<T: FromSqlOwned>(
        &self,
        name: &str,
    ) -> Result<T, Box<dyn Error + Send + Sync>> {
        let place = self.columns.0.iter().position(|column| column.name == name);
        self.cell(place.ok_or_else(|| format!("there is no column `{name}`"))?)
    }

    /// The cell at `place`, counted from zero.
    pub(super) fn cell<T: FromSqlOwned>(
        &self,
        place: usize,
    ) -> Result<T, Box<dyn Error + Send + Sync>> {
        let column = self.columns.0.get(place).ok_or("there is no such column")?;
        if !T::accepts(&column.kind) {
            return Err(WrongType::new::<T>(column.kind.clone()).into());
        }
        let range = self.places.get(place).cloned().flatten();
        let cell = range.and_then(|range| self.cells.buffer().get(range));
        T::from_sql_nullable(&column.kind, cell)
    }
}
