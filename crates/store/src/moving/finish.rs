//! The end of an import: everything is held against the file, then the queue follows and the door
//! is opened, in one transaction.

use super::{
    MoveError, Progress, Tell,
    cells::{self, Row},
    format::Content,
    import::Importing,
    pages::Pages,
    reader::{Lines, Open},
    tables::When,
};
use crate::gate::Gate;
use domain::{Actor, Scope, Timestamp, audit::Event};
use serde_json::json;
use std::{collections::VecDeque, fs::File};
use uuid::Uuid;

const OPEN: &str = "UPDATE organizations SET status = $2 WHERE id = $1";

/// Rows of the database, one after the other.
struct Found<'a> {
    pages: Pages,
    rows: VecDeque<Row>,
    gate: Gate<'a>,
}

impl Importing {
    /// Holds every row that is there by now against the file; where the rest begins in it.
    pub async fn compare(&self, file: &mut File, tell: Tell<'_>) -> Result<u64, MoveError> {
        let mut lines = Lines::from(file, self.manifest.begins)?;
        let sections = self.manifest.header.sections();
        for (owner, table) in sections.filter(|(_, table)| table.when == When::Early) {
            let mut open = lines.open(Scope::from_column(owner), table)?;
            let gate = match table.name {
                "organizations" => self.system.gate(),
                _ => self.system.tenant(open.owner),
            };
            self.same(&mut lines, &mut open, gate).await?;
            lines.close(open, true)?;
            tell(&Progress::new("", lines.at, self.manifest.ends));
        }
        Ok(lines.at)
    }

    /// Whether a table has the rows of a section, each and no other.
    async fn same(
        &self,
        lines: &mut Lines<'_>,
        open: &mut Open,
        gate: Gate<'_>,
    ) -> Result<(), MoveError> {
        let (table, owner) = (open.table, open.owner);
        let differs = || MoveError::Differs(table.name, owner.column());
        let pages = Pages::of(table, owner);
        let mut found = Found { pages, rows: VecDeque::new(), gate };
        while let Some(mut row) = lines.row(open)? {
            self.change.expected(table, owner, &mut row)?;
            let mut there = found.next().await?.ok_or_else(differs)?;
            self.change.found(&self.system, (table, owner), &mut there)?;
            if cells::line(&row)? != cells::line(&there)? {
                return Err(differs());
            }
        }
        match found.next().await? {
            None => Ok(()),
            Some(_) => Err(differs()),
        }
    }

    /// Follows the audits.
    pub async fn audits(&self, allow_broken: bool) -> Result<Vec<(Uuid, String)>, MoveError> {
        let mut broken = Vec::new();
        for owner in &self.manifest.header.organizations {
            let chain = self.system.verify_audit(Scope::from_column(*owner), None).await?;
            match chain.fault {
                Some(fault) if !allow_broken => return Err(MoveError::Audit(*owner, fault)),
                fault => broken.extend(fault.map(|fault| (*owner, fault))),
            }
        }
        Ok(broken)
    }

    /// Writes what caretakers act on, and that the import is done.
    pub async fn finish(
        &self,
        file: &mut File,
        last: u64,
        now: Timestamp,
    ) -> Result<(), MoveError> {
        let write = self.system.write_beside_others().await?;
        if !write.end_journal(&self.journal).await? {
            return Err(MoveError::Overtaken);
        }
        let mut lines = Lines::from(file, last)?;
        let sections = self.manifest.header.sections();
        for (owner, table) in sections.filter(|(_, table)| table.when == When::Last) {
            let at = lines.at;
            let mut open = lines.open(Scope::from_column(owner), table)?;
            while let Some(row) = lines.row(&mut open)? {
                write.put(&self.change, (table, open.owner), row).await?;
            }
            let owner = open.owner;
            lines.jump(at)?;
            let mut open = lines.open(owner, table)?;
            self.same(&mut lines, &mut open, write.tenant(owner)).await?;
            lines.close(open, true)?;
        }
        let detail = json!({
            "sha256": self.manifest.footer.sha256,
            "version": self.manifest.header.version,
            "exported_at": self.manifest.header.made_at,
        });
        match (&self.manifest.header.content, &self.manifest.status, &self.journal.slug) {
            (Content::Organization { id, .. }, Some(status), Some(slug)) => {
                write.system().run(OPEN, [(*id).into(), status.clone().into()]).await?;
                for owner in [Scope::Global, Scope::from_column(*id)] {
                    let event = Event::done("organization.import", slug.as_str());
                    write.audit(owner, &Actor::Operator, event.with(detail.clone()), now).await?;
                }
            }
            _ => {
                let event = Event::done("instance.import", "").with(detail);
                write.audit(Scope::Global, &Actor::Operator, event, now).await?;
            }
        }
        Ok(write.commit().await?)
    }
}

impl Found<'_> {
    async fn next(&mut self) -> Result<Option<Row>, MoveError> {
        if self.rows.is_empty() {
            self.rows = self.pages.next(&self.gate).await?.into();
        }
        Ok(self.rows.pop_front())
    }
}
