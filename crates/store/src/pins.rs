//! Pins: files of Global that an organization holds at a version, with the workflows they had then.
//!
//! A held file stands where Global's would: an organization's own file wins over it, and it wins over
//! what Global has by now, in whatever form.

use crate::{
    FileState, Scoped, StoreError,
    file_writes::raise_generation,
    files::{ONE, Row as Current, count, parse_path, prefix_range},
    gate::Gate,
    row::FromRow,
    schedule_checks,
};
use domain::{
    FilePath, Schedule, Scope, Timestamp, analysis::Workflow, audit::Event, requirements,
};
use serde_json::json;

/// A file that an organization holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinEntry {
    /// Where.
    pub path: FilePath,
    /// The version that is held; its time is that of the pin.
    pub pinned: FileState,
    /// By whom, for people.
    pub pinned_by: String,
    /// What Global has by now; `None` when it has deleted the file.
    pub global: Option<FileState>,
}

/// Which file is to be held at which version.
#[derive(Clone, Debug)]
pub struct PinFile {
    /// Where.
    pub path: FilePath,
    /// One of Global's.
    pub version: u32,
    /// The workflows that the analysis found in that version.
    pub workflows: Vec<Workflow>,
    /// The present.
    pub now: Timestamp,
}

/// Why a file is not held.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// Global has no such version of it.
    #[error("Global has no such version")]
    NotThere,
    /// Who acts in Global has no use for it.
    #[error("Global's files are held by organizations: act in one of them")]
    OfGlobal,
    /// The organization has a file of its own there, which wins anyway.
    #[error("the organization overrides this file: delete the override first")]
    Overridden,
    /// Packages come from the file as it is.
    #[error("`requirements.txt` cannot be held: write one of your own")]
    Requirements,
    /// The organization has files under this path.
    #[error("`{0}` is a directory here")]
    IsDirectory(FilePath),
    /// A part of the path is a file of the organization's.
    #[error("`{0}` is a file, not a directory")]
    ParentIsFile(String),
    /// Another file that is held has a workflow of this name.
    #[error("a workflow `{name}` is in `{path}` already, which is held too")]
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
struct Held {
    hash: Option<String>,
    size: i64,
}

#[derive(FromRow)]
struct Before {
    version: i64,
    hash: String,
}

#[derive(FromRow)]
struct Taken {
    path: String,
}

#[derive(FromRow)]
struct Row {
    path: String,
    version: i64,
    hash: String,
    size: i64,
    updated_by: String,
    updated_at: i64,
    global_version: Option<i64>,
    global_hash: Option<String>,
    global_size: Option<i64>,
    global_at: Option<i64>,
}

const PAGE: &str = "SELECT pin.path, pin.version, pin.hash, pin.size, pin.updated_by,
    pin.updated_at, theirs.version AS global_version, theirs.hash AS global_hash,
    theirs.size AS global_size, theirs.updated_at AS global_at FROM file_pins AS pin
    LEFT JOIN workspace_files AS theirs ON theirs.organization_id = $2 AND theirs.path = pin.path
    WHERE pin.organization_id = $1 AND pin.path >= $3 AND pin.path < $4 AND pin.path > $5
    ORDER BY pin.path LIMIT $6";
const VERSION: &str = "SELECT hash, size FROM workspace_file_versions
    WHERE organization_id = $1 AND path = $2 AND version = $3";
const PINNED: &str = "SELECT version, hash FROM file_pins WHERE organization_id = $1 AND path = $2";
const ANY_BELOW: &str = "SELECT path FROM workspace_files
    WHERE organization_id = $1 AND path >= $2 AND path < $3 LIMIT 1";
const ANY: &str = "SELECT path FROM file_pins WHERE organization_id = $1 LIMIT 1";
const ANY_PIN_BELOW: &str = "SELECT path FROM file_pins
    WHERE organization_id = $1 AND path >= $2 AND path < $3 LIMIT 1";
const UPSERT: &str = "INSERT INTO file_pins
    (organization_id, path, version, hash, size, updated_by, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (organization_id, path) DO UPDATE SET version = excluded.version,
        hash = excluded.hash, size = excluded.size, updated_by = excluded.updated_by,
        updated_at = excluded.updated_at";
const DELETE: &str = "DELETE FROM file_pins WHERE organization_id = $1 AND path = $2";
const CLEAR: &str = "DELETE FROM pinned_workflows WHERE organization_id = $1 AND path = $2";
const TAKEN: &str = "SELECT path FROM pinned_workflows WHERE organization_id = $1 AND name = $2";
const INSERT: &str = "INSERT INTO pinned_workflows (organization_id, path, name, function, line,
    description, is_async, parameters_json, options_json, scheduled)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

impl Scoped {
    /// Pins by path that start with `prefix`, after `after`. Global itself has none.
    pub async fn pins(
        &self,
        prefix: &str,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<PinEntry>, StoreError> {
        let (from, to) = prefix_range(prefix);
        let values = [
            self.scope().column().into(),
            Scope::Global.column().into(),
            from.into(),
            to.into(),
            after.unwrap_or_default().into(),
            i64::from(limit).into(),
        ];
        let rows = self.gate().all::<Row, 6>(PAGE, values).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// One pin.
    pub async fn pin(&self, path: &FilePath) -> Result<Option<PinEntry>, StoreError> {
        let found = self.pins(path.as_str(), None, 1).await?;
        Ok(found.into_iter().find(|pin| pin.path == *path))
    }

    /// Holds a file of Global at a version, from the next run on. The same version again changes
    /// nothing.
    pub async fn pin_file(&self, pin: PinFile) -> Result<PinEntry, PinError> {
        Box::pin(self.hold(pin)).await
    }

    async fn hold(&self, pin: PinFile) -> Result<PinEntry, PinError> {
        let owner = self.scope();
        if owner == Scope::Global {
            return Err(PinError::OfGlobal);
        }
        if requirements::is_requirements(&pin.path) {
            return Err(PinError::Requirements);
        }
        let transaction = self.write().await?;
        let gate = transaction.tenant(owner);
        let key = || [owner.column().into(), pin.path.as_str().into()];
        let (hash, size) = global_version(&gate, &pin).await?.ok_or(PinError::NotThere)?;
        if gate.one::<Current, 2>(ONE, key()).await?.is_some() {
            return Err(PinError::Overridden);
        }
        let before = gate.one::<Before, 2>(PINNED, key()).await?;
        if before.as_ref().is_none_or(|before| before.version != i64::from(pin.version)) {
            check_neighbours(&gate, owner, &pin.path).await?;
            let [id, path] = key();
            let by = self.access().actor().label();
            let version = i64::from(pin.version).into();
            let values = [id, path, version, hash.into(), size.into(), by.into(), pin.now.0.into()];
            gate.run_with_next(UPSERT, values).await?;
            replace_workflows(&gate, owner, &pin).await?;
            let before = before.map(|before| before.version);
            let event = Event::done("file.pin", pin.path.as_str())
                .with(json!({ "version": pin.version, "before": before }));
            transaction.audit(owner, self.access().actor(), event, pin.now).await?;
            let scheduled = pin.workflows.iter().any(Schedule::is_in);
            look_at_schedules(&gate, owner, &pin.path, scheduled, pin.now).await?;
            raise_generation(transaction, owner).await?;
        } else {
            drop(transaction);
        }
        self.pin(&pin.path).await?.ok_or(PinError::NotThere)
    }

    /// Lets go of a file, from the next run on; whether it was held.
    pub async fn unpin_file(&self, path: &FilePath, now: Timestamp) -> Result<bool, StoreError> {
        let owner = self.scope();
        let transaction = self.write().await?;
        let gate = transaction.tenant(owner);
        let Some(version) = let_go(&gate, owner, path).await?.map(|(version, _)| version) else {
            return Ok(false);
        };
        let event = Event::done("file.unpin", path.as_str()).with(json!({ "version": version }));
        transaction.audit(owner, self.access().actor(), event, now).await?;
        look_at_schedules(&gate, owner, path, false, now).await?;
        raise_generation(transaction, owner).await?;
        Ok(true)
    }
}

/// Removes a pin; the version that was held, and its hash.
pub(crate) async fn let_go(
    gate: &Gate<'_>,
    owner: Scope,
    path: &FilePath,
) -> Result<Option<(u32, String)>, StoreError> {
    let key = || [owner.column().into(), path.as_str().into()];
    let Some(held) = gate.one::<Before, 2>(PINNED, key()).await? else { return Ok(None) };
    gate.run_with_next(CLEAR, key()).await?;
    gate.run_with_next(DELETE, key()).await?;
    Ok(Some((count(held.version)?, held.hash)))
}

/// The pin that stands in the way of a file of `owner` at `path`: what an organization has of its
/// own and holds of Global's is one tree.
pub(crate) async fn in_the_way(
    gate: &Gate<'_>,
    owner: Scope,
    path: &FilePath,
) -> Result<Option<(FilePath, bool)>, StoreError> {
    if gate.one::<Taken, 1>(ANY, [owner.column().into()]).await?.is_none() {
        return Ok(None);
    }
    let (from, to) = prefix_range(&format!("{path}/"));
    let values = [owner.column().into(), from.into(), to.into()];
    if let Some(row) = gate.one::<Taken, 3>(ANY_PIN_BELOW, values).await? {
        return Ok(Some((parse_path(&row.path)?, false)));
    }
    for directory in path.directories() {
        let key = [owner.column().into(), directory.into()];
        if gate.one::<Before, 2>(PINNED, key).await?.is_some() {
            return Ok(Some((parse_path(directory)?, true)));
        }
    }
    Ok(None)
}

async fn global_version(
    gate: &Gate<'_>,
    pin: &PinFile,
) -> Result<Option<(String, i64)>, StoreError> {
    let values =
        [Scope::Global.column().into(), pin.path.as_str().into(), i64::from(pin.version).into()];
    let row = gate.one::<Held, 3>(VERSION, values).await?;
    Ok(row.and_then(|row| Some((row.hash?, row.size))))
}

async fn check_neighbours(gate: &Gate<'_>, owner: Scope, path: &FilePath) -> Result<(), PinError> {
    let (from, to) = prefix_range(&format!("{path}/"));
    let values = [owner.column().into(), from.into(), to.into()];
    if gate.one::<Taken, 3>(ANY_BELOW, values).await?.is_some() {
        return Err(PinError::IsDirectory(path.clone()));
    }
    for directory in path.directories() {
        let key = [owner.column().into(), directory.into()];
        if let Some(file) = gate.one::<Current, 2>(ONE, key).await? {
            return Err(PinError::ParentIsFile(file.path));
        }
    }
    match in_the_way(gate, owner, path).await? {
        Some((_, false)) => Err(PinError::IsDirectory(path.clone())),
        Some((file, true)) => Err(PinError::ParentIsFile(file.into())),
        None => Ok(()),
    }
}

async fn replace_workflows(gate: &Gate<'_>, owner: Scope, pin: &PinFile) -> Result<(), PinError> {
    gate.run(CLEAR, [owner.column().into(), pin.path.as_str().into()]).await?;
    for workflow in &pin.workflows {
        let key = [owner.column().into(), workflow.name.as_str().into()];
        if let Some(taken) = gate.one::<Taken, 2>(TAKEN, key).await? {
            return Err(PinError::WorkflowTaken { name: workflow.name.clone(), path: taken.path });
        }
        let options = serde_json::Value::Object(workflow.options.clone()).to_string();
        let values = [
            owner.column().into(),
            pin.path.as_str().into(),
            workflow.name.as_str().into(),
            workflow.function.as_str().into(),
            i64::from(workflow.line).into(),
            workflow.description.as_str().into(),
            workflow.is_async.into(),
            workflow.parameters.to_string().into(),
            options.into(),
            Schedule::is_in(workflow).into(),
        ];
        gate.run(INSERT, values).await?;
    }
    Ok(())
}

async fn look_at_schedules(
    gate: &Gate<'_>,
    owner: Scope,
    path: &FilePath,
    scheduled: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    match path.is_python() {
        false => Ok(()),
        true if scheduled => schedule_checks::begin(gate, owner, now).await,
        true => schedule_checks::again(gate, owner, now).await,
    }
}

impl TryFrom<Row> for PinEntry {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let state = |version, hash, size: i64, at| {
            let (version, updated_at) = (count(version)?, Timestamp(at));
            Ok::<_, StoreError>(FileState { version, hash, size: size.unsigned_abs(), updated_at })
        };
        let global = match (row.global_version, row.global_hash, row.global_size, row.global_at) {
            (Some(version), Some(hash), Some(size), Some(at)) => {
                Some(state(version, hash, size, at)?)
            }
            _ => None,
        };
        Ok(Self {
            path: parse_path(&row.path)?,
            pinned: state(row.version, row.hash, row.size, row.updated_at)?,
            pinned_by: row.updated_by,
            global,
        })
    }
}
