//! The log of an execution: numbered lines, appended as they happen.

use crate::{Scoped, StoreError, gate::Gate, row::FromRow};
use domain::{
    ExecutionId, Scope, Timestamp,
    execution::{LogLevel, LogLine},
};

/// A line with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberedLine {
    /// Counts from 1 within an execution.
    pub seq: i64,
    /// The line.
    pub line: LogLine,
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    time: i64,
    level: String,
    message: String,
}

#[derive(FromRow)]
struct Last {
    seq: Option<i64>,
}

#[derive(FromRow)]
struct Found {
    found: i64,
}

const EXISTS: &str = "SELECT COUNT(*) AS found FROM executions
    WHERE organization_id = $1 AND id = $2";
const PAGE: &str = "SELECT seq, time, level, message FROM execution_logs
    WHERE organization_id = $1 AND execution_id = $2 AND seq > $3 ORDER BY seq LIMIT $4";
const LAST: &str = "SELECT MAX(seq) AS seq FROM execution_logs
    WHERE organization_id = $1 AND execution_id = $2";
const INSERT: &str = "INSERT INTO execution_logs
    (organization_id, execution_id, seq, time, level, message) VALUES ($1, $2, $3, $4, $5, $6)";

impl Scoped {
    /// Lines after number `after`; `None` when there is no such execution.
    pub async fn logs(
        &self,
        id: ExecutionId,
        after: i64,
        limit: u32,
    ) -> Result<Option<Vec<NumberedLine>>, StoreError> {
        let owner = self.scope().column();
        let found = self.gate().one::<Found, 2>(EXISTS, [owner.into(), id.0.into()]).await?;
        if found.is_none_or(|row| row.found == 0) {
            return Ok(None);
        }
        let values = [owner.into(), id.0.into(), after.into(), i64::from(limit).into()];
        let rows = self.gate().all::<Row, 4>(PAGE, values).await?;
        Ok(Some(rows.into_iter().map(Into::into).collect()))
    }

    /// Appends lines to the log of an execution of the asking scope.
    pub async fn append_logs(&self, id: ExecutionId, lines: &[LogLine]) -> Result<(), StoreError> {
        let write = self.write_beside_others().await?;
        append(&write.tenant(self.scope()), self.scope(), id, lines).await?;
        write.commit().await
    }
}

/// Appends lines inside a transaction.
pub(crate) async fn append(
    gate: &Gate<'_>,
    owner: Scope,
    id: ExecutionId,
    lines: &[LogLine],
) -> Result<(), StoreError> {
    if lines.is_empty() {
        return Ok(());
    }
    let key = [owner.column().into(), id.0.into()];
    let last = gate.one::<Last, 2>(LAST, key).await?.and_then(|row| row.seq).unwrap_or(0);
    let rows = (last + 1..).zip(lines).map(|(seq, line)| {
        [
            owner.column().into(),
            id.0.into(),
            seq.into(),
            line.time.0.into(),
            line.level.as_str().into(),
            line.message.as_str().into(),
        ]
    });
    gate.run_each(INSERT, rows).await
}

impl From<Row> for NumberedLine {
    fn from(row: Row) -> Self {
        let level = LogLevel::from_word(&row.level);
        let line = LogLine { time: Timestamp(row.time), level, message: row.message };
        Self { seq: row.seq, line }
    }
}
