//! Reading a file into the database, in batches that each note how far they have come.

use super::{
    MoveError, Progress, Tell,
    cells::{self, Row},
    change::{Change, Rehomed},
    format::{Content, Footer},
    journal::{Journal, position},
    reader::{Lines, Manifest, examine},
    tables::{Table, When},
};
use crate::{MasterKey, MasterKeySource, Reason, Store, System, db::Write};
use domain::{OrganizationId, Scope, Slug, Timestamp};
use std::{fs::File, mem};
use uuid::Uuid;

/// Rows of one transaction.
const BATCH: usize = 500;
/// Bytes after which one ends, whatever the number of rows.
const BATCH_BYTES: usize = 4 << 20;

/// How to import.
pub struct Import {
    /// Another short name for the organization.
    pub slug: Option<Slug>,
    /// Only go on with an import that has begun.
    pub resume: bool,
    /// Where this instance's master key is.
    pub master_key: MasterKeySource,
    /// The key of the instance that the file comes from.
    pub old_master_key: Option<MasterKey>,
    /// Whether to end although an audit does not hang together.
    pub allow_broken_audit: bool,
    /// The present.
    pub now: Timestamp,
}

/// What was imported.
#[derive(Clone, Debug)]
pub struct Imported {
    /// What was in the file.
    pub content: Content,
    /// Its last line.
    pub footer: Footer,
    /// The short name of the one organization.
    pub slug: Option<String>,
    /// Whether an earlier import was gone on with.
    pub resumed: bool,
    /// Whether it had ended before, and nothing was left to do.
    pub already: bool,
    /// Organizations.
    pub organizations: usize,
    /// Audits that do not hang together, and why.
    pub broken_audits: Vec<(Uuid, String)>,
}

/// A row on its way.
struct Item {
    table: &'static Table,
    owner: Scope,
    row: Row,
}

/// An import under way.
pub(super) struct Importing {
    pub system: System,
    pub manifest: Manifest,
    pub change: Change,
    pub journal: Journal,
}

impl Store {
    /// Imports a file that was found whole. Called again after it was interrupted, it goes on.
    pub async fn import(
        &self,
        file: &mut File,
        import: Import,
        tell: Tell<'_>,
    ) -> Result<Imported, MoveError> {
        let manifest = examine(file, tell)?;
        self.acceptable(&manifest).await?;
        let source = &import.master_key;
        let old = self.key_of(&manifest.header, source, import.old_master_key).await?;
        let system = self.system(Reason::Move);
        let wish = new_journal(&manifest, import.slug, import.now)?;
        let begun = match system.last_import().await? {
            Some(last) if last.finished => {
                if last.is_for(&wish) && system.is_there(&last).await? {
                    return Ok(Imported::already(manifest, last.slug));
                }
                None
            }
            begun => begun,
        };
        let resumed = begun.is_some();
        let journal = match begun {
            Some(begun) if begun.is_for(&wish) => begun,
            Some(begun) => return Err(MoveError::AnotherImport(begun.file)),
            None if import.resume => return Err(MoveError::NothingToResume),
            None => system.write_begin(wish, &manifest).await?,
        };
        if manifest.header.master_key.is_some() {
            self.unlock(import.master_key, import.now).await?;
        }
        let slug = journal.slug.clone();
        let generation = journal.started_at;
        let rehomed = slug.clone().map(|slug| Rehomed { slug, generation });
        let change = Change { rehomed, old };
        let mut importing = Importing { system, manifest, change, journal };
        importing.copy(file, tell).await?;
        let last = importing.compare(file, tell).await?;
        let broken_audits = importing.audits(import.allow_broken_audit).await?;
        importing.finish(file, last, import.now).await?;
        let imported = Imported::already(importing.manifest, slug);
        Ok(Imported { resumed, already: false, broken_audits, ..imported })
    }

    /// Whether this database can take the file at all.
    async fn acceptable(&self, manifest: &Manifest) -> Result<(), MoveError> {
        let here = self.migration_status().await?;
        let here: Vec<_> = here.into_iter().map(|step| step.name).collect();
        if here != manifest.header.migrations {
            return Err(MoveError::AnotherVersion(manifest.header.version.clone()));
        }
        match manifest.nul {
            Some(table) if !self.keeps_nul() => Err(MoveError::Nul(table)),
            _ => Ok(()),
        }
    }
}

impl Imported {
    /// Nothing was left to do.
    fn already(manifest: Manifest, slug: Option<String>) -> Self {
        let Manifest { header, footer, .. } = manifest;
        let (organizations, broken_audits) = (header.organizations.len(), Vec::new());
        let (content, resumed, already) = (header.content, true, true);
        Self { content, footer, slug, resumed, already, organizations, broken_audits }
    }
}

impl System {
    /// Whether what an import has brought was not deleted since.
    async fn is_there(&self, journal: &Journal) -> Result<bool, MoveError> {
        match journal.target {
            None => Ok(true),
            Some(id) => Ok(self.organization(Scope::from_column(id)).await?.is_some()),
        }
    }
}

/// What the journal says of this import, before its first batch.
fn new_journal(
    manifest: &Manifest,
    slug: Option<Slug>,
    now: Timestamp,
) -> Result<Journal, MoveError> {
    let (header, begins) = (&manifest.header, manifest.begins);
    let journal = Journal::new(&manifest.footer.sha256, begins, now);
    let seeded = [Uuid::nil(), OrganizationId::PROVIDER.0];
    match &header.content {
        Content::Instance if slug.is_some() => Err(MoveError::SlugOfInstance),
        Content::Instance if seeded.iter().all(|id| header.organizations.contains(id)) => {
            Ok(journal)
        }
        Content::Organization { id, slug: before }
            if header.organizations == [*id] && !seeded.contains(id) =>
        {
            let slug = slug.map_or_else(|| Slug::parse(before), Ok);
            let slug = slug.map_err(|_| MoveError::Damaged(0))?;
            if slug.is_reserved() {
                return Err(MoveError::Reserved(slug));
            }
            let slug = Some(slug.as_str().to_owned());
            Ok(Journal { target: Some(*id), slug, beside_others: true, ..journal })
        }
        _ => Err(MoveError::Damaged(0)),
    }
}

impl Journal {
    /// Whether it is about the same file, under the same name.
    fn is_for(&self, wish: &Self) -> bool {
        (&self.file, &self.slug) == (&wish.file, &wish.slug)
    }
}

impl Importing {
    /// Copies all but what comes last, from where the journal says.
    async fn copy(&mut self, file: &mut File, tell: Tell<'_>) -> Result<(), MoveError> {
        let start = u64::try_from(self.journal.section_at).unwrap_or_default();
        let sections = self.sections_from(file, start)?;
        let mut lines = Lines::from(file, start)?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for (owner, table) in sections {
            let mut here = Journal { section_at: position(lines.at), ..self.journal.clone() };
            let mut open = lines.open(owner, table)?;
            let resumed = self.journal.section_at == here.section_at
                && self.journal.next_at > here.section_at;
            if resumed {
                open.left = u64::try_from(self.journal.rows_left).unwrap_or_default();
                lines.jump(u64::try_from(self.journal.next_at).unwrap_or_default())?;
            }
            while let Some(row) = lines.row(&mut open)? {
                bytes += row.iter().map(cells::Cell::size).sum::<usize>();
                batch.push(Item { table, owner, row });
                if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                    (here.next_at, here.rows_left) = (position(lines.at), position(open.left));
                    self.write_batch(mem::take(&mut batch), here.clone()).await?;
                    bytes = 0;
                    tell(&Progress::new(table.name, lines.at, self.manifest.ends));
                }
            }
            lines.close(open, !resumed)?;
        }
        let at = position(lines.at);
        let here = Journal { section_at: at, next_at: at, rows_left: 0, ..self.journal.clone() };
        self.write_batch(batch, here).await
    }

    /// The sections from a place in the file on, without those that come last.
    fn sections_from(
        &self,
        file: &mut File,
        start: u64,
    ) -> Result<Vec<(Scope, &'static Table)>, MoveError> {
        let sections =
            self.manifest.header.sections().filter(|(_, table)| table.when == When::Early);
        let sections: Vec<_> =
            sections.map(|(owner, table)| (Scope::from_column(owner), table)).collect();
        let first = Lines::from(file, start)?.peek()?;
        let at = sections.iter().position(|(owner, table)| first.begins(*owner, table));
        Ok(at.map_or_else(Vec::new, |at| sections[at..].to_vec()))
    }

    /// Writes some rows, and that they are written.
    async fn write_batch(&mut self, batch: Vec<Item>, after: Journal) -> Result<(), MoveError> {
        let write = self.system.write_beside_others().await?;
        if !write.advance_journal(&self.journal, &after).await? {
            return Err(MoveError::Overtaken);
        }
        for Item { table, owner, row } in batch {
            write.put(&self.change, (table, owner), row).await?;
        }
        write.commit().await?;
        self.journal = after;
        Ok(())
    }
}

impl Write<'_> {
    /// Writes one row of the file.
    pub(super) async fn put(
        &self,
        change: &Change,
        (table, owner): (&'static Table, Scope),
        mut row: Row,
    ) -> Result<(), MoveError> {
        change.apply(table, &mut row);
        if let ("data_keys", Some(old)) = (table.name, &change.old) {
            self.rewrap(old, (table, owner), &mut row).await?;
        }
        let gate = match table.name {
            "organizations" => self.system(),
            _ => self.tenant(owner),
        };
        gate.run_list(table.insert, cells::values(table, owner.column(), row)).await?;
        Ok(())
    }
}
