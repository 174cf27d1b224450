//! Where an import is: one row, changed in the transaction of every batch, so that a process that
//! dies at any moment leaves what the next one can go on from.

use crate::{StoreError, System, db::Write, row::FromRow};
use domain::{Scope, Timestamp};
use uuid::Uuid;

/// An import that has begun. The last one stays when it has ended, so that a process that died right
/// then is told so when it is started again.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct Journal {
    /// The hash in the file's last line.
    pub file: String,
    /// The one organization that is imported, beside others or not.
    pub target: Option<Uuid>,
    /// The short name it gets.
    pub slug: Option<String>,
    pub started_at: i64,
    /// Where the section begins that is being written.
    pub section_at: i64,
    /// Where the line begins that is written next.
    pub next_at: i64,
    /// Rows of the section that are still to come.
    pub rows_left: i64,
    pub beside_others: bool,
    pub finished: bool,
}

const READ: &str = "SELECT file, target, slug, started_at, section_at, next_at, rows_left,
    beside_others, finished FROM imports WHERE id = 1";
const FORGET_LAST: &str = "DELETE FROM imports WHERE finished";
const BEGIN: &str = "INSERT INTO imports (id, file, target, slug, started_at, section_at, next_at,
    rows_left, beside_others, finished) VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, FALSE)
    ON CONFLICT (id) DO NOTHING";
/// Nobody else has gone on meanwhile.
const ADVANCE: &str = "UPDATE imports SET section_at = $1, next_at = $2, rows_left = $3
    WHERE id = 1 AND file = $4 AND next_at = $5 AND NOT finished";
const END: &str = "UPDATE imports SET finished = TRUE
    WHERE id = 1 AND file = $1 AND NOT finished";
const FORGET: &str = "DELETE FROM imports WHERE target = $1";

impl Journal {
    pub fn new(file: &str, at: u64, now: Timestamp) -> Self {
        Self {
            file: file.to_owned(),
            target: None,
            slug: None,
            started_at: now.0,
            section_at: position(at),
            next_at: position(at),
            rows_left: 0,
            beside_others: false,
            finished: false,
        }
    }
}

/// No file is longer.
pub(super) fn position(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

impl System {
    /// The import that has not ended.
    pub(crate) async fn journal(&self) -> Result<Option<Journal>, StoreError> {
        Ok(self.last_import().await?.filter(|journal| !journal.finished))
    }

    /// The last import, ended or not.
    pub(super) async fn last_import(&self) -> Result<Option<Journal>, StoreError> {
        self.gate().one::<Journal, 0>(READ, []).await
    }

    /// The organization that is being imported beside others: nobody is to change it meanwhile.
    pub async fn arriving(&self) -> Result<Option<Scope>, StoreError> {
        let target = self.journal().await?.and_then(|journal| journal.target);
        Ok(target.map(Scope::from_column))
    }
}

impl Write<'_> {
    /// Notes that an import begins; whether no other one has.
    pub(super) async fn begin_journal(&self, journal: &Journal) -> Result<bool, StoreError> {
        let Journal { file, target, slug, started_at, section_at, next_at, rows_left, .. } =
            journal.clone();
        let values = [
            file.into(),
            target.into(),
            slug.into(),
            started_at.into(),
            section_at.into(),
            next_at.into(),
            rows_left.into(),
            journal.beside_others.into(),
        ];
        self.system().run(FORGET_LAST, []).await?;
        Ok(self.system().run(BEGIN, values).await? > 0)
    }

    /// Notes how far it is; whether it is still ours.
    pub(super) async fn advance_journal(
        &self,
        before: &Journal,
        after: &Journal,
    ) -> Result<bool, StoreError> {
        let values = [
            after.section_at.into(),
            after.next_at.into(),
            after.rows_left.into(),
            before.file.clone().into(),
            before.next_at.into(),
        ];
        Ok(self.system().run(ADVANCE, values).await? > 0)
    }

    /// Notes that it has ended; whether it was still there.
    pub(super) async fn end_journal(&self, journal: &Journal) -> Result<bool, StoreError> {
        Ok(self.system().run(END, [journal.file.clone().into()]).await? > 0)
    }

    /// An organization that is purged is not imported any more.
    pub(crate) async fn forget_import(&self, target: Uuid) -> Result<(), StoreError> {
        self.system().run(FORGET, [target.into()]).await?;
        Ok(())
    }
}
