//! Writing files: a version, the workflows in it and a new generation, or nothing.

use crate::{
    FileEntry, Scoped, Shadowed, StoreError,
    db::Write,
    environment_locks,
    files::{ONE, Row, count, parse_path, prefix_range},
    gate::Gate,
    pins, rebasing,
    row::FromRow,
    schedule_checks, workflows,
};
use domain::{
    FilePath, Schedule, Scope, Timestamp, analysis::Workflow, audit::Event, content_hash,
    requirements, scope::Side,
};
use serde_json::json;

/// What the writer believes is there, from `If-Match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing was said: good for a new file only.
    None,
    /// Whatever is there.
    Any,
    /// Exactly this version.
    Version(u32),
}

/// A write of one file into the asking scope.
#[derive(Clone, Debug)]
pub struct WriteFile<'a> {
    /// Where.
    pub path: FilePath,
    /// What.
    pub content: &'a [u8],
    /// Why, for people.
    pub message: Option<String>,
    /// What writes: `api`, `sdk`, `operator`, …
    pub source: &'static str,
    /// What the writer believes is there.
    pub precondition: Precondition,
    /// The workflows that the analysis found.
    pub workflows: Vec<Workflow>,
    /// The present.
    pub now: Timestamp,
}

/// What a write did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file as it is now.
    pub entry: FileEntry,
    /// Whether it was not there before.
    pub created: bool,
    /// The global file it hides.
    pub shadows: Option<Shadowed>,
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteFileError {
    /// The file is there and the writer did not say which version they know.
    #[error("the file exists; say which version you know")]
    PreconditionRequired,
    /// Somebody else was faster, or the file is gone.
    #[error("the file is at version {current} now")]
    Stale {
        /// Its version; 0 when there is none.
        current: u32,
    },
    /// A path that differs only by case is there.
    #[error("`{0}` differs from this path only by case")]
    CaseCollision(FilePath),
    /// Files lie under this path.
    #[error("`{0}` is a directory here")]
    IsDirectory(FilePath),
    /// A part of the path is a file.
    #[error("`{0}` is a file, not a directory")]
    ParentIsFile(String),
    /// Another file of the scope has a workflow of this name.
    #[error("a workflow `{name}` is in `{path}` already")]
    WorkflowTaken {
        /// The workflow's name.
        name: String,
        /// The file that has it.
        path: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct LastVersion {
    version: Option<i64>,
}

#[derive(FromRow)]
struct PathOnly {
    path: String,
}

const LAST_VERSION: &str = "SELECT MAX(version) AS version FROM workspace_file_versions
    WHERE organization_id = $1 AND path = $2";
const SAME_FOLDED: &str = "SELECT path FROM workspace_files
    WHERE organization_id = $1 AND folded = $2 AND path <> $3";
const ANY_BELOW: &str = "SELECT path FROM workspace_files
    WHERE organization_id = $1 AND path >= $2 AND path < $3 LIMIT 1";
pub(crate) const INSERT_VERSION: &str = "INSERT INTO workspace_file_versions
    (organization_id, path, version, hash, size, content, message, source, author, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
/// What it began from stays what it was.
const UPSERT: &str = "INSERT INTO workspace_files
    (organization_id, path, folded, version, hash, size, source, updated_by, updated_at,
    base_version, base_hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (organization_id, path) DO UPDATE SET
        version = excluded.version, hash = excluded.hash, size = excluded.size,
        source = excluded.source, updated_by = excluded.updated_by,
        updated_at = excluded.updated_at";
const NEXT_GENERATION: &str = "UPDATE organizations SET generation = generation + 1 WHERE id = $1";

type Tenant<'a> = Gate<'a>;

impl Scoped {
    /// Writes a file into the asking scope. The same content again is no new version.
    pub async fn write_file(&self, write: WriteFile<'_>) -> Result<Written, WriteFileError> {
        Box::pin(self.write_upon(write, None)).await
    }

    /// As [`Scoped::write_file`]; `rebased` is the base that the override has from now on.
    pub(crate) async fn write_upon(
        &self,
        write: WriteFile<'_>,
        rebased: Option<Shadowed>,
    ) -> Result<Written, WriteFileError> {
        let hash = content_hash(write.content);
        let transaction = self.write().await?;
        let gate = transaction.tenant(self.scope());
        let current = self.current(&gate, &write.path).await?;
        let at = current.as_ref().map(|row| count(row.version)).transpose()?;
        match (write.precondition, at) {
            (Precondition::None, Some(_)) => return Err(WriteFileError::PreconditionRequired),
            (Precondition::Version(known), at) if at != Some(known) => {
                return Err(WriteFileError::Stale { current: at.unwrap_or(0) });
            }
            _ => {}
        }
        if let Some(row) = current.filter(|row| row.hash == hash) {
            self.keep_base(transaction, &write, rebased).await?;
            let shadows = self.shadowed(write.path.as_str()).await?;
            let entry = row.entry(Side::of(self.scope()), shadows.is_some())?;
            return Ok(Written { entry, created: false, shadows });
        }
        let (mut base, mut unpinned) = (None, None);
        if at.is_none() {
            self.check_neighbours(&gate, &write.path).await?;
            unpinned = pins::let_go(&gate, self.scope(), &write.path).await?;
            base = match unpinned.clone() {
                Some((version, hash)) => Some(Shadowed { version, hash }),
                None => self.global_now(&gate, write.path.as_str()).await?,
            };
        }
        let version = self.append_version(&gate, &write, &hash).await?;
        self.upsert(&gate, &write, (&hash, version), base).await?;
        workflows::replace(&gate, self.scope(), &write.path, &write.workflows).await?;
        if let Some(base) = &rebased {
            rebasing::set_base(&gate, self.scope(), &write.path, base).await?;
        }
        if requirements::is_requirements(&write.path) {
            environment_locks::want(&gate, self.scope(), &hash, count(version)?, write.now).await?;
        }
        let mut detail = json!({ "version": version, "hash": hash, "source": write.source });
        if let Some((version, _)) = unpinned {
            detail["unpinned"] = version.into();
        }
        if let Some(base) = rebased {
            detail["base"] = base.version.into();
        }
        let event = Event::done("file.write", write.path.as_str()).with(detail);
        transaction.audit(self.scope(), self.access().actor(), event, write.now).await?;
        let scheduled = write.workflows.iter().any(Schedule::is_in);
        self.look_at_schedules(&gate, &write.path, scheduled, write.now).await?;
        raise_generation(transaction, self.scope()).await?;
        let shadows = self.shadowed(write.path.as_str()).await?;
        let entry = self.entry_of(&write, hash, version, shadows.is_some())?;
        Ok(Written { entry, created: at.is_none(), shadows })
    }

    /// What is left of a write that changes no content: an override that is like its new base.
    async fn keep_base(
        &self,
        transaction: Write<'_>,
        write: &WriteFile<'_>,
        rebased: Option<Shadowed>,
    ) -> Result<(), StoreError> {
        let Some(base) = rebased else { return Ok(()) };
        let gate = transaction.tenant(self.scope());
        rebasing::set_base(&gate, self.scope(), &write.path, &base).await?;
        let event =
            Event::done("file.rebase", write.path.as_str()).with(json!({ "base": base.version }));
        transaction.audit(self.scope(), self.access().actor(), event, write.now).await?;
        transaction.commit().await
    }

    /// Any module may hide a workflow or show it again, so it is no matter whose file this is; and
    /// what Global shows or hides concerns organizations that have nothing of their own to say.
    pub(crate) async fn look_at_schedules(
        &self,
        gate: &Tenant<'_>,
        path: &FilePath,
        scheduled: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match path.is_python() {
            false => Ok(()),
            true if scheduled || self.scope() == Scope::Global => {
                schedule_checks::begin(gate, self.scope(), now).await
            }
            true => schedule_checks::again(gate, self.scope(), now).await,
        }
    }

    pub(crate) async fn current(
        &self,
        gate: &Tenant<'_>,
        path: &FilePath,
    ) -> Result<Option<Row>, StoreError> {
        gate.one(ONE, [self.scope().column().into(), path.as_str().into()]).await
    }

    /// A scope is a tree: no two names differ only by case, nothing is both file and directory.
    async fn check_neighbours(
        &self,
        gate: &Tenant<'_>,
        path: &FilePath,
    ) -> Result<(), WriteFileError> {
        let owner = || self.scope().column().into();
        let values = [owner(), path.folded().into(), path.as_str().into()];
        if let Some(row) = gate.one::<PathOnly, 3>(SAME_FOLDED, values).await? {
            return Err(WriteFileError::CaseCollision(parse_path(&row.path)?));
        }
        let (from, to) = prefix_range(&format!("{path}/"));
        let below = gate.one::<PathOnly, 3>(ANY_BELOW, [owner(), from.into(), to.into()]).await?;
        if below.is_some() {
            return Err(WriteFileError::IsDirectory(path.clone()));
        }
        for directory in path.directories() {
            let found = gate.one::<Row, 2>(ONE, [owner(), directory.into()]).await?;
            if let Some(file) = found {
                return Err(WriteFileError::ParentIsFile(file.path));
            }
        }
        match pins::in_the_way(gate, self.scope(), path).await? {
            Some((_, false)) => Err(WriteFileError::IsDirectory(path.clone())),
            Some((file, true)) => Err(WriteFileError::ParentIsFile(file.into())),
            None => Ok(()),
        }
    }

    async fn append_version(
        &self,
        gate: &Tenant<'_>,
        write: &WriteFile<'_>,
        hash: &str,
    ) -> Result<i64, StoreError> {
        let key = [self.scope().column().into(), write.path.as_str().into()];
        let last = gate.one::<LastVersion, 2>(LAST_VERSION, key).await?;
        let version = last.and_then(|row| row.version).unwrap_or(0) + 1;
        let values = [
            self.scope().column().into(),
            write.path.as_str().into(),
            version.into(),
            Some(hash.to_owned()).into(),
            size(write.content).into(),
            Some(write.content.to_vec()).into(),
            write.message.clone().into(),
            write.source.into(),
            self.access().actor().label().into(),
            write.now.0.into(),
        ];
        gate.run_with_next(INSERT_VERSION, values).await?;
        Ok(version)
    }

    /// The global file that a new file of this organization begins to override.
    async fn global_now(
        &self,
        gate: &Tenant<'_>,
        path: &str,
    ) -> Result<Option<Shadowed>, StoreError> {
        let hidden = match self.scope() {
            Scope::Global => None,
            Scope::Organization(_) => {
                gate.one::<Row, 2>(ONE, [Scope::Global.column().into(), path.into()]).await?
            }
        };
        hidden.map(|row| row.shadowed()).transpose()
    }

    async fn upsert(
        &self,
        gate: &Tenant<'_>,
        write: &WriteFile<'_>,
        (hash, version): (&str, i64),
        base: Option<Shadowed>,
    ) -> Result<(), StoreError> {
        let (base_version, base_hash) =
            base.map(|base| (i64::from(base.version), base.hash)).unzip();
        let values = [
            self.scope().column().into(),
            write.path.as_str().into(),
            write.path.folded().into(),
            version.into(),
            hash.into(),
            size(write.content).into(),
            write.source.into(),
            self.access().actor().label().into(),
            write.now.0.into(),
            base_version.into(),
            base_hash.into(),
        ];
        gate.run_with_next(UPSERT, values).await
    }

    fn entry_of(
        &self,
        write: &WriteFile<'_>,
        hash: String,
        version: i64,
        overrides: bool,
    ) -> Result<FileEntry, StoreError> {
        Ok(FileEntry {
            path: write.path.clone(),
            side: Side::of(self.scope()),
            version: count(version)?,
            hash,
            size: write.content.len() as u64,
            overrides,
            pinned: false,
            source: write.source.to_owned(),
            updated_at: write.now,
            updated_by: self.access().actor().label(),
        })
    }
}

/// The last statement of every change: whoever claims work after the commit sees it.
pub(crate) async fn raise_generation(
    transaction: Write<'_>,
    owner: Scope,
) -> Result<(), StoreError> {
    let gate = transaction.tenant(owner);
    gate.run_with_next(NEXT_GENERATION, [owner.column().into()]).await?;
    transaction.commit().await
}

fn size(content: &[u8]) -> i64 {
    i64::try_from(content.len()).unwrap_or(i64::MAX)
}
