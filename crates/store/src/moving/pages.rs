//! Reading the rows of one organization in one table, page by page, in the order of their key.

use super::{
    cells::{self, Row},
    tables::Table,
};
use crate::{StoreError, gate::Gate, row::FromRow};
use domain::Scope;

/// Where a reader is.
pub(super) struct Pages {
    table: &'static Table,
    owner: Scope,
    last: Option<Row>,
    ended: bool,
}

#[derive(FromRow)]
struct Count {
    rows: i64,
}

impl Pages {
    pub fn of(table: &'static Table, owner: Scope) -> Self {
        Self { table, owner, last: None, ended: false }
    }

    /// The next rows; none at the end.
    pub async fn next(&mut self, gate: &Gate<'_>) -> Result<Vec<Row>, StoreError> {
        if self.ended {
            return Ok(Vec::new());
        }
        let table = self.table;
        let values = cells::page_after(table, self.owner.column(), self.last.as_ref());
        let found: Vec<crate::row::Row> = gate.all_list(table.page, values).await?;
        let rows = found.iter().map(|row| cells::read(table, row));
        let rows = rows.collect::<Result<Vec<Row>, _>>()?;
        self.ended = rows.len() < table.rows || table.key.is_empty();
        self.last = rows.last().cloned();
        Ok(rows)
    }
}

/// How many rows there are.
pub(super) async fn count(table: &Table, owner: Scope, gate: &Gate<'_>) -> Result<u64, StoreError> {
    let count = gate.one::<Count, 1>(table.count, [owner.column().into()]).await?;
    Ok(count.and_then(|count| u64::try_from(count.rows).ok()).unwrap_or(0))
}
