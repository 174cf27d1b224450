//! One row: as the database gives it, as a line of the file, and as values of a statement.

use super::tables::{Column, Kind, Table};
use crate::StoreError;
use base64::{Engine, prelude::BASE64_STANDARD};
use sea_orm::Value;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// What is in one column of one row. Serialized, bytes are base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Uuid(Uuid),
    Text(String),
    Int(i64),
    Bool(bool),
    Bytes(Vec<u8>),
}

/// A row, in the order of its table's columns.
pub(super) type Row = Vec<Cell>;

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Uuid(id) => id.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Bool(is) => serializer.serialize_bool(*is),
            Self::Bytes(bytes) => serializer.serialize_str(&BASE64_STANDARD.encode(bytes)),
        }
    }
}

impl Cell {
    /// How much memory it takes, about.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            _ => 16,
        }
    }

    fn of(row: &crate::row::Row, column: &Column) -> Result<Self, StoreError> {
        let cell = match column.kind {
            Kind::Uuid => row.get::<Option<Uuid>>(column.name)?.map(Self::Uuid),
            Kind::Text => row.get::<Option<String>>(column.name)?.map(Self::Text),
            Kind::Int => row.get::<Option<i64>>(column.name)?.map(Self::Int),
            Kind::Bool => row.get::<Option<bool>>(column.name)?.map(Self::Bool),
            Kind::Bytes => row.get::<Option<Vec<u8>>>(column.name)?.map(Self::Bytes),
        };
        Ok(cell.unwrap_or(Self::Null))
    }

    fn parse(json: serde_json::Value, kind: Kind) -> Option<Self> {
        use serde_json::Value::{Bool, Null, Number, String};
        match (kind, json) {
            (_, Null) => Some(Self::Null),
            (Kind::Uuid, String(text)) => Uuid::parse_str(&text).ok().map(Self::Uuid),
            (Kind::Text, String(text)) => Some(Self::Text(text)),
            (Kind::Int, Number(number)) => number.as_i64().map(Self::Int),
            (Kind::Bool, Bool(is)) => Some(Self::Bool(is)),
            (Kind::Bytes, String(text)) => BASE64_STANDARD.decode(text).ok().map(Self::Bytes),
            _ => None,
        }
    }

    /// As a statement takes it. What is missing has a type as well.
    fn value(self, kind: Kind) -> Value {
        match (self, kind) {
            (Self::Uuid(id), _) => id.into(),
            (Self::Text(text), _) => text.into(),
            (Self::Int(number), _) => number.into(),
            (Self::Bool(is), _) => is.into(),
            (Self::Bytes(bytes), _) => bytes.into(),
            (Self::Null, Kind::Uuid) => None::<Uuid>.into(),
            (Self::Null, Kind::Text) => None::<String>.into(),
            (Self::Null, Kind::Int) => None::<i64>.into(),
            (Self::Null, Kind::Bool) => None::<bool>.into(),
            (Self::Null, Kind::Bytes) => None::<Vec<u8>>.into(),
        }
    }
}

/// A row of a table's `page`.
pub(super) fn read(table: &Table, row: &crate::row::Row) -> Result<Row, StoreError> {
    table.columns.iter().map(|column| Cell::of(row, column)).collect()
}

/// A line of the file. `None` if it is no row of this table.
pub(super) fn parse(table: &Table, line: &[u8]) -> Option<Row> {
    let cells: Vec<serde_json::Value> = serde_json::from_slice(line).ok()?;
    if cells.len() != table.columns.len() {
        return None;
    }
    let columns = table.columns.iter().zip(cells);
    columns.map(|(column, json)| Cell::parse(json, column.kind)).collect()
}

/// The line of a row, without its end.
pub(super) fn line(row: &Row) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(row).map_err(|error| StoreError::unreadable("row", error))
}

/// The values of a table's `insert`.
pub(super) fn values(table: &Table, owner: Uuid, row: Row) -> Vec<Value> {
    let kinds = table.columns.iter().map(|Column { kind, .. }| *kind);
    let cells = row.into_iter().zip(kinds).map(|(cell, kind)| cell.value(kind));
    std::iter::once(owner.into()).chain(cells).collect()
}

/// The values of a table's `page` that begins after `row`, or at the start.
pub(super) fn page_after(table: &Table, owner: Uuid, row: Option<&Row>) -> Vec<Value> {
    let key = table.key.iter().filter_map(|name| table.at(name)).map(|at| {
        let kind = table.columns[at].kind;
        row.map_or_else(|| least(kind), |row| row[at].clone()).value(kind)
    });
    let limit = i64::try_from(table.rows).unwrap_or(i64::MAX);
    std::iter::once(owner.into()).chain(key).chain([limit.into()]).collect()
}

/// What is before every key there is: ids are not nil, names not empty.
fn least(kind: Kind) -> Cell {
    match kind {
        Kind::Uuid => Cell::Uuid(Uuid::nil()),
        Kind::Int => Cell::Int(i64::MIN),
        Kind::Bool => Cell::Bool(false),
        Kind::Text | Kind::Bytes => Cell::Text(String::new()),
    }
}
