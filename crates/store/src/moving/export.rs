//! Writing the file: everything from one snapshot, so that it fits together while others write.

use super::{
    MoveError, Progress, Tell,
    cells::{self, Cell, Row},
    format::{Content, Footer, Header, LeftOut, Lines, Section},
    pages::{Pages, count},
    tables::Table,
};
use crate::{Reason, Store, StoreError, System, db::Snapshot, row::FromRow};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Actor, OrganizationId, Scope, Slug, Timestamp, audit::Event};
use serde_json::json;
use std::{collections::BTreeMap, io::Write};
use uuid::Uuid;

/// What to export.
#[derive(Clone, Debug)]
pub struct Export {
    /// One organization; all of them and Global if none.
    pub organization: Option<Slug>,
    /// Whether secrets are left out.
    pub without_secrets: bool,
    /// The present.
    pub now: Timestamp,
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The last line of the file.
    pub footer: Footer,
    /// Executions that wait for a worker.
    pub waiting: u64,
    /// Executions that a worker held at that moment.
    pub running: u64,
}

#[derive(FromRow)]
struct Owner {
    id: Uuid,
}

#[derive(FromRow)]
struct Found {
    id: Uuid,
    is_provider: bool,
    purge_started_at: Option<i64>,
}

const OWNERS: &str = "SELECT id FROM organizations ORDER BY id";
const FIND: &str = "SELECT id, is_provider, purge_started_at FROM organizations WHERE slug = $1";

/// An export under way.
struct Writing<'a> {
    snapshot: Snapshot<'a>,
    lines: Lines<'a>,
    without_secrets: bool,
    rows: BTreeMap<String, u64>,
    left_out: Vec<LeftOut>,
    waiting: u64,
    running: u64,
}

impl Store {
    /// Writes an export to `out`, as it was at one moment.
    pub async fn export(
        &self,
        export: Export,
        out: &mut dyn Write,
        tell: Tell<'_>,
    ) -> Result<Exported, MoveError> {
        let migrations = self.migration_status().await?;
        let system = self.system(Reason::Move);
        if system.journal().await?.is_some_and(|journal| !journal.beside_others) {
            return Err(StoreError::HalfImported.into());
        }
        let wanted = export.organization.as_ref();
        let (content, _) = chosen(&system.snapshot().await?, wanted).await?;
        system.tell_export(&content, &export).await?;
        let snapshot = system.snapshot().await?;
        let (content, owners) = chosen(&snapshot, wanted).await?;
        let mut header = Header::new(content, owners, export.now.0);
        header.migrations = migrations.into_iter().map(|step| step.name).collect();
        if !export.without_secrets {
            let check = snapshot.master_key_check().await?;
            header.master_key = check.map(|check| BASE64_STANDARD.encode(check));
        }
        let mut writing = Writing {
            snapshot,
            lines: Lines::to(out),
            without_secrets: export.without_secrets,
            rows: BTreeMap::new(),
            left_out: Vec::new(),
            waiting: 0,
            running: 0,
        };
        writing.lines.say(&header)?;
        let all = header.sections().count() as u64;
        for (done, (owner, table)) in header.sections().enumerate() {
            let progress = Progress::new(table.name, done as u64, all);
            writing.section(table, Scope::from_column(owner), progress, tell).await?;
        }
        let Writing { lines, rows, left_out, waiting, running, .. } = writing;
        Ok(Exported { footer: lines.end(rows, left_out)?, waiting, running })
    }
}

impl System {
    /// Says in the audits that the file was asked for, before there is any of it. A copy of a database
    /// that nobody may write can be exported all the same.
    async fn tell_export(&self, content: &Content, export: &Export) -> Result<(), StoreError> {
        match self.write_export(content, export).await {
            Err(StoreError::ReadOnly) => {
                tracing::warn!("the database is read-only: this export is in no audit");
                Ok(())
            }
            told => told,
        }
    }

    async fn write_export(&self, content: &Content, export: &Export) -> Result<(), StoreError> {
        let write = self.write_beside_others().await?;
        let (action, object, own) = match content {
            Content::Instance => ("instance.export", "", None),
            Content::Organization { id, slug } => {
                ("organization.export", slug.as_str(), Some(Scope::from_column(*id)))
            }
        };
        for owner in [Some(Scope::Global), own].into_iter().flatten() {
            let event = Event::done(action, object);
            let event = event.with(json!({ "without_secrets": export.without_secrets }));
            write.audit(owner, &Actor::Operator, event, export.now).await?;
        }
        write.commit().await
    }
}

/// What is in the file, and whose rows.
async fn chosen(
    snapshot: &Snapshot<'_>,
    organization: Option<&Slug>,
) -> Result<(Content, Vec<Uuid>), MoveError> {
    let Some(slug) = organization else {
        let owners = snapshot.system().all::<Owner, 0>(OWNERS, []).await?;
        return Ok((Content::Instance, owners.into_iter().map(|owner| owner.id).collect()));
    };
    let found = snapshot.system().one::<Found, 1>(FIND, [slug.as_str().into()]).await?;
    let found = found.ok_or_else(|| MoveError::NoSuchOrganization(slug.clone()))?;
    let fixed = found.is_provider || Scope::from_column(found.id) == Scope::Global;
    if fixed || OrganizationId(found.id) == OrganizationId::PROVIDER {
        return Err(MoveError::Fixed(slug.clone()));
    }
    if found.purge_started_at.is_some() {
        return Err(MoveError::NoSuchOrganization(slug.clone()));
    }
    let slug = slug.as_str().to_owned();
    Ok((Content::Organization { id: found.id, slug }, vec![found.id]))
}

impl Writing<'_> {
    async fn section(
        &mut self,
        table: &'static Table,
        owner: Scope,
        mut progress: Progress,
        tell: Tell<'_>,
    ) -> Result<(), MoveError> {
        // Without secrets there is nothing for a data key to open.
        let keep = !(self.without_secrets && table.name == "data_keys");
        let there = count(table, owner, &self.snapshot.tenant(owner)).await?;
        let expected = if keep { there } else { 0 };
        self.lines.say(&Section::new(table, owner.column(), expected))?;
        progress.total = expected;
        tell(&progress);
        if keep {
            self.rows_of(table, owner, &mut progress, tell).await?;
        }
        // A row that no page has shown, such as one whose key is empty, must not be lost in silence.
        if progress.rows != expected {
            return Err(MoveError::Incomplete(table.name, progress.rows, expected));
        }
        *self.rows.entry(table.name.to_owned()).or_default() += progress.rows;
        self.lines.end_section()
    }

    async fn rows_of(
        &mut self,
        table: &'static Table,
        owner: Scope,
        progress: &mut Progress,
        tell: Tell<'_>,
    ) -> Result<(), MoveError> {
        let mut pages = Pages::of(table, owner);
        loop {
            let rows = pages.next(&self.snapshot.tenant(owner)).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for mut row in rows {
                self.look(table, owner, &mut row);
                self.lines.row(cells::line(&row)?)?;
                progress.rows += 1;
            }
            tell(progress);
        }
    }

    /// Notes what people have to know of a row, and leaves out what is to be left out.
    fn look(&mut self, table: &Table, owner: Scope, row: &mut Row) {
        let cell = |row: &Row, name: &str| table.at(name).map(|at| row[at].clone());
        match table.name {
            "job_queue" if cell(row, "worker") == Some(Cell::Null) => self.waiting += 1,
            "job_queue" => self.running += 1,
            "config_values" if self.without_secrets => {
                let sealed = cell(row, "sealed").is_some_and(|sealed| sealed != Cell::Null);
                if !sealed {
                    return;
                }
                if let Some(Cell::Text(key)) = cell(row, "key") {
                    self.left_out.push(LeftOut { organization: owner.column(), key });
                }
                let mut set = |name: &str, cell: Cell| {
                    if let Some(at) = table.at(name) {
                        row[at] = cell;
                    }
                };
                set("deleted", Cell::Bool(true));
                set("sealed", Cell::Null);
                set("key_id", Cell::Null);
            }
            _ => {}
        }
    }
}
