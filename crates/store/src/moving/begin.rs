//! The beginning of an import: whether there is room for it, and the note that it begins.

use super::{MoveError, journal::Journal, pages::count, reader::Manifest, tables};
use crate::{System, db::Write, purge::statements_of, row::FromRow};
use domain::{OrganizationId, Scope, Slug};
use uuid::Uuid;

#[derive(FromRow)]
struct Found {
    id: Uuid,
}

/// Tables in which a database that nobody has used can have rows of Global and the provider: the
/// file's take their place.
const REPLACED: [&str; 5] =
    ["setup_links", "queue_lanes", "schedule_checks", "schedule_ticks", "schedules"];
/// Rows of those that one statement removes: there are a few at most.
const FEW: i64 = 100;

const OTHERS: &str = "SELECT id FROM organizations WHERE id <> $1 AND id <> $2 LIMIT 1";
const CLASH: &str = "SELECT id FROM organizations WHERE id = $1 OR slug = $2 LIMIT 1";

impl System {
    /// Notes that an import begins, if nothing is in its way.
    pub(super) async fn write_begin(
        &self,
        journal: Journal,
        manifest: &Manifest,
    ) -> Result<Journal, MoveError> {
        let write = self.write(Scope::Global).await?;
        match (journal.target, &journal.slug) {
            (Some(id), Some(slug)) => free(&write, id, slug).await?,
            _ => empty(&write).await?,
        }
        if !write.begin_journal(&journal).await? {
            return Err(MoveError::AnotherImport(manifest.footer.sha256.clone()));
        }
        write.commit().await?;
        Ok(journal)
    }
}

/// Nobody has the id or the short name.
async fn free(write: &Write<'_>, id: Uuid, slug: &str) -> Result<(), MoveError> {
    let found = write.system().one::<Found, 2>(CLASH, [id.into(), slug.into()]).await?;
    match found {
        None => Ok(()),
        Some(found) if found.id == id => Err(MoveError::IdTaken(id)),
        Some(_) => Err(MoveError::SlugTaken(Slug::parse(slug).map_err(|_| MoveError::Damaged(0))?)),
    }
}

/// Nothing is there but what the migrations bring.
async fn empty(write: &Write<'_>) -> Result<(), MoveError> {
    let provider = OrganizationId::PROVIDER;
    let seeded = [Scope::Global.column().into(), provider.0.into()];
    if write.system().one::<Found, 2>(OTHERS, seeded).await?.is_some() {
        return Err(MoveError::NotEmpty("organizations"));
    }
    for owner in [Scope::Global, Scope::Organization(provider)] {
        let gate = write.tenant(owner);
        for sql in statements_of(REPLACED) {
            gate.run(sql, [owner.column().into(), FEW.into()]).await?;
        }
        for table in tables::all().filter(|table| table.name != "organizations") {
            if count(table, owner, &gate).await? > 0 {
                return Err(MoveError::NotEmpty(table.name));
            }
        }
    }
    Ok(())
}
