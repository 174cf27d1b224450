//! One statement on one connection: how it is spelled, its values, its rows.

use super::{connections::Wire, errors::failed, rows::Row};
use crate::{StoreError, engine::Checked};
use rusqlite::{CachedStatement, ErrorCode};
use sea_orm::Value;
use std::{borrow::Cow, sync::Arc};

/// What a statement left behind.
pub(super) struct Answer {
    pub rows: Vec<Row>,
    /// How many rows it touched.
    pub touched: u64,
}

/// How a statement ended.
pub(super) enum Asked {
    Answered(Answer),
    /// It is not for those who wait on this thread; nothing of it was done.
    NotHere,
}

/// What a statement may do to those who wait on the same thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// What reads may take a millisecond or two, what writes touches a few rows.
    Quick,
    /// The same for what reads. What writes may touch many rows, and is not done here.
    Slow,
    /// It has a thread of its own.
    Any,
}

/// Steps of SQLite's machine that whoever asks waits for.
const AT_ONCE: i64 = 50_000;

/// How statements ask that nobody else change what they read; longest first.
const LOCKS: [&str; 2] = [" FOR UPDATE SKIP LOCKED", " FOR UPDATE"];

/// Runs a statement to its end, or does nothing. One that writes is never interrupted: its whole
/// transaction would be given up.
pub(super) fn ask(wire: &Wire, statement: &Checked, pace: Pace) -> Result<Asked, StoreError> {
    let connection = &wire.connection;
    let mut prepared = connection.prepare_cached(&spell(statement.sql)).map_err(failed)?;
    let reads = prepared.readonly();
    if !reads && pace == Pace::Slow {
        return Ok(Asked::NotHere);
    }
    bind(&mut prepared, &statement.values)?;
    wire.allow(if reads && pace != Pace::Any { AT_ONCE } else { i64::MAX });
    let Some(rows) = rows(&mut prepared)? else { return Ok(Asked::NotHere) };
    let touched = if reads { 0 } else { connection.changes() };
    Ok(Asked::Answered(Answer { rows, touched }))
}

/// All rows; nothing if it was interrupted.
fn rows(prepared: &mut CachedStatement<'_>) -> Result<Option<Vec<Row>>, StoreError> {
    let names = prepared.column_names();
    let columns: Arc<[Box<str>]> = names.into_iter().map(Box::from).collect();
    let mut rows = Vec::new();
    let mut cursor = prepared.raw_query();
    loop {
        match cursor.next() {
            Ok(Some(row)) => rows.push(Row::read(columns.clone(), row)?),
            Ok(None) => return Ok(Some(rows)),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        }
    }
}

/// SQLite knows no locks of rows and needs none: while one transaction writes, no other does.
fn spell(sql: &str) -> Cow<'_, str> {
    match LOCKS.iter().any(|lock| sql.contains(lock)) {
        false => Cow::Borrowed(sql),
        true => LOCKS.iter().fold(sql.to_owned(), |sql, lock| sql.replace(lock, "")).into(),
    }
}

/// To SQLite `$2` is a name like any other; which value it means is ours to say.
fn bind(statement: &mut CachedStatement<'_>, values: &[Value]) -> Result<(), StoreError> {
    for place in 1..=statement.parameter_count() {
        let name = statement.parameter_name(place).unwrap_or_default();
        let number = name.get(1..).and_then(|number| number.parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
        let value =
            value.ok_or_else(|| StoreError::unreadable("statement", "a value is missing"))?;
        bind_one(statement, place, value)?;
    }
    Ok(())
}

fn bind_one(
    statement: &mut CachedStatement<'_>,
    place: usize,
    value: &Value,
) -> Result<(), StoreError> {
    let bound = match value {
        Value::Bool(value) => statement.raw_bind_parameter(place, value),
        Value::Int(value) => statement.raw_bind_parameter(place, value),
        Value::BigInt(value) => statement.raw_bind_parameter(place, value),
        Value::Double(value) => statement.raw_bind_parameter(place, value),
        Value::String(value) => statement.raw_bind_parameter(place, value),
        Value::Bytes(value) => statement.raw_bind_parameter(place, value),
        Value::Uuid(value) => statement.raw_bind_parameter(place, value),
        _ => {
            let detail = "a kind of value that the store does not use";
            return Err(StoreError::unreadable("statement", detail));
        }
    };
    bound.map_err(failed)
}
