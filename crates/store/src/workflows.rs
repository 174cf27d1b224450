//! Workflows, as the analysis of files found them, looked up by name through the cascade.

use crate::{
    Scoped, StoreError, WriteFileError,
    files::parse_path,
    gate::Gate,
    modules::{is_below_a_module, module_files},
    row::FromRow,
};
use domain::{
    FilePath, Schedule, Scope,
    analysis::Workflow,
    cascade::{Form, Resolution},
    scope::Side,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A workflow as one organization sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowEntry {
    /// What the analysis found.
    pub workflow: Workflow,
    /// Whose file it is in.
    pub side: Side,
    /// The file.
    pub path: FilePath,
    /// Whether this is the organization's and Global has one of the same name.
    pub overrides: bool,
    /// Whether it is in a file of Global that the organization holds at a version.
    pub pinned: bool,
}

#[derive(FromRow)]
struct Row {
    name: String,
    path: String,
    function: String,
    line: i64,
    description: String,
    is_async: bool,
    parameters_json: String,
    options_json: String,
}

#[derive(FromRow)]
struct OwnedRow {
    organization_id: Uuid,
    pinned: bool,
    #[row(nested)]
    workflow: Row,
}

#[derive(FromRow)]
struct Taken {
    path: String,
}

const BY_NAME: &str = "SELECT organization_id, FALSE AS pinned, name, path, function, line,
    description, is_async, parameters_json, options_json FROM workflows
    WHERE organization_id IN ($1, $2) AND name = $3
    UNION ALL SELECT organization_id, TRUE AS pinned, name, path, function, line, description,
    is_async, parameters_json, options_json FROM pinned_workflows
    WHERE organization_id = $1 AND name = $3";
const PINNED_PAGE: &str = "SELECT name, path, function, line, description, is_async,
    parameters_json, options_json FROM pinned_workflows
    WHERE organization_id = $1 AND name > $2 ORDER BY name LIMIT $3";
const PAGE: &str = "SELECT name, path, function, line, description, is_async, parameters_json,
    options_json FROM workflows WHERE organization_id = $1 AND name > $2 ORDER BY name LIMIT $3";
const CLEAR: &str = "DELETE FROM workflows WHERE organization_id = $1 AND path = $2";
const TAKEN: &str = "SELECT path FROM workflows WHERE organization_id = $1 AND name = $2";
const INSERT: &str = "INSERT INTO workflows (organization_id, name, path, function, line,
    description, is_async, parameters_json, options_json, scheduled)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

impl Scoped {
    /// The workflow a name means for the asking organization.
    ///
    /// A workflow whose file is hidden in the cascade (the organization overrides the file and
    /// dropped the function) does not exist for the organization.
    pub async fn workflow(&self, name: &str) -> Result<Option<WorkflowEntry>, StoreError> {
        find(&self.gate(), self.scope(), name).await
    }

    pub(crate) async fn workflow_through(
        &self,
        gate: &Gate<'_>,
        name: &str,
    ) -> Result<Option<WorkflowEntry>, StoreError> {
        find(gate, self.scope(), name).await
    }

    /// Workflows by name, each once, as the cascade has them.
    pub async fn workflows(
        &self,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<WorkflowEntry>, StoreError> {
        let mut after = after.unwrap_or_default();
        let mut found = Vec::new();
        // Hidden workflows leave gaps, so a page may need more than one look.
        loop {
            let names = self.workflow_names(&after, limit).await?;
            let Some((last, _)) = names.last_key_value() else { return Ok(found) };
            after.clone_from(last);
            for rows in names.into_values() {
                found.extend(choose(&self.gate(), self.scope(), rows).await?);
                if found.len() == limit as usize {
                    return Ok(found);
                }
            }
        }
    }

    async fn workflow_names(
        &self,
        after: &str,
        limit: u32,
    ) -> Result<BTreeMap<String, Rows>, StoreError> {
        let (mut own, mut pinned) = (Vec::new(), Vec::new());
        if self.scope() != Scope::Global {
            own = self.workflow_rows(self.scope(), after, limit).await?;
            pinned = self.pinned_rows(after, limit).await?;
        }
        let global = self.workflow_rows(Scope::Global, after, limit).await?;
        let mut names: BTreeMap<String, Rows> = BTreeMap::new();
        let mut put = |rows: Vec<Row>, place: fn(&mut Rows) -> &mut Option<Row>| {
            for row in rows {
                let slot = place(names.entry(row.name.clone()).or_default());
                *slot = Some(row);
            }
        };
        put(own, |rows| &mut rows.own);
        put(pinned, |rows| &mut rows.pinned);
        put(global, |rows| &mut rows.global);
        Ok(names.into_iter().take(limit as usize).collect())
    }

    async fn workflow_rows(
        &self,
        owner: Scope,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let values = [owner.column().into(), after.into(), i64::from(limit).into()];
        self.gate().all(PAGE, values).await
    }

    async fn pinned_rows(&self, after: &str, limit: u32) -> Result<Vec<Row>, StoreError> {
        let values = [self.scope().column().into(), after.into(), i64::from(limit).into()];
        self.gate().all(PINNED_PAGE, values).await
    }
}

/// The workflow a name means for `asking`.
pub(crate) async fn find(
    gate: &Gate<'_>,
    asking: Scope,
    name: &str,
) -> Result<Option<WorkflowEntry>, StoreError> {
    let rows = rows_of(gate, asking, name).await?;
    choose(gate, asking, rows).await
}

/// A workflow of some name, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowCandidate {
    /// The workflow.
    pub entry: WorkflowEntry,
    /// Whether the name means this one.
    pub chosen: bool,
    /// A sentence for people.
    pub reason: &'static str,
}

/// Every workflow of a name in the order in which they are asked.
pub(crate) async fn candidates(
    gate: &Gate<'_>,
    asking: Scope,
    name: &str,
) -> Result<Vec<WorkflowCandidate>, StoreError> {
    let rows = rows_of(gate, asking, name).await?;
    let global_has_one = rows.global.is_some() || rows.pinned.is_some();
    let own = rows.own.map(|row| (row, Side::Own, false));
    let pinned = rows.pinned.map(|row| (row, Side::Global, true));
    let global = rows.global.map(|row| (row, Side::Global, false));
    let (mut found, mut winner) = (Vec::new(), None);
    for (row, side, pinned) in [own, pinned, global].into_iter().flatten() {
        let reachable = is_reachable(gate, asking, (side, pinned), &row).await?;
        let (chosen, reason) = match (reachable, winner) {
            (false, _) => (false, "its file is hidden: an import of its module gets another file"),
            (true, Some((Side::Own, _))) => (false, "the organization's own workflow wins"),
            (true, Some(_)) => (false, "the organization holds a version that has it"),
            (true, None) if side == Side::Own => (true, "the organization's own workflow wins"),
            (true, None) if pinned => (true, "the organization holds this version of its file"),
            (true, None) => (true, "the organization has no workflow of this name"),
        };
        if chosen {
            winner = Some((side, pinned));
        }
        let overrides = side == Side::Own && global_has_one;
        let entry = entry(row, side, (overrides, pinned))?;
        found.push(WorkflowCandidate { entry, chosen, reason });
    }
    Ok(found)
}

async fn rows_of(gate: &Gate<'_>, asking: Scope, name: &str) -> Result<Rows, StoreError> {
    let scopes = [asking.column().into(), Scope::Global.column().into(), name.into()];
    let mut rows = Rows::default();
    for row in gate.all::<OwnedRow, 3>(BY_NAME, scopes).await? {
        let place = match Scope::from_column(row.organization_id) {
            _ if row.pinned => &mut rows.pinned,
            Scope::Global => &mut rows.global,
            Scope::Organization(_) => &mut rows.own,
        };
        *place = Some(row.workflow);
    }
    Ok(rows)
}

/// What both scopes have for one name.
#[derive(Default)]
struct Rows {
    own: Option<Row>,
    /// In a file of Global that the organization holds.
    pinned: Option<Row>,
    global: Option<Row>,
}

/// What a name means. An own workflow overrides Global's also where it does so by overriding its
/// very file.
async fn choose(
    gate: &Gate<'_>,
    asking: Scope,
    rows: Rows,
) -> Result<Option<WorkflowEntry>, StoreError> {
    let global_has_one = rows.global.is_some() || rows.pinned.is_some();
    if let Some(row) = reachable(gate, asking, (Side::of(asking), false), rows.own).await? {
        return entry(row, Side::of(asking), (global_has_one, false)).map(Some);
    }
    for (row, pinned) in [(rows.pinned, true), (rows.global, false)] {
        if let Some(row) = reachable(gate, asking, (Side::Global, pinned), row).await? {
            return entry(row, Side::Global, (false, pinned)).map(Some);
        }
    }
    Ok(None)
}

/// The row, if it is reachable.
async fn reachable(
    gate: &Gate<'_>,
    asking: Scope,
    place: (Side, bool),
    row: Option<Row>,
) -> Result<Option<Row>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    Ok(is_reachable(gate, asking, place, &row).await?.then_some(row))
}

/// Whether importing the row's module gets the very file it is in: of this side, held or not.
async fn is_reachable(
    gate: &Gate<'_>,
    asking: Scope,
    place: (Side, bool),
    row: &Row,
) -> Result<bool, StoreError> {
    let Some(name) = parse_path(&row.path)?.module() else { return Ok(false) };
    let offers = module_files(gate, asking, &name).await?;
    let is_package = row.path == name.places().package;
    let reachable = match offers.files.resolve() {
        Resolution::File { side, form, file } => {
            (side, file.pinned) == place && (form == Form::Package) == is_package
        }
        Resolution::Namespace | Resolution::None => false,
    };
    Ok(reachable && !is_below_a_module(gate, asking, &name).await?)
}

/// Puts the workflows of a file in the place of those it had.
pub(crate) async fn replace(
    gate: &Gate<'_>,
    owner: Scope,
    path: &FilePath,
    workflows: &[Workflow],
) -> Result<(), WriteFileError> {
    gate.run(CLEAR, [owner.column().into(), path.as_str().into()]).await?;
    for workflow in workflows {
        let key = [owner.column().into(), workflow.name.as_str().into()];
        if let Some(taken) = gate.one::<Taken, 2>(TAKEN, key).await? {
            let name = workflow.name.clone();
            return Err(WriteFileError::WorkflowTaken { name, path: taken.path });
        }
        let options = serde_json::Value::Object(workflow.options.clone()).to_string();
        let values = [
            owner.column().into(),
            workflow.name.as_str().into(),
            path.as_str().into(),
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

fn entry(
    row: Row,
    side: Side,
    (overrides, pinned): (bool, bool),
) -> Result<WorkflowEntry, StoreError> {
    let json = |e: serde_json::Error| StoreError::unreadable("workflow", e);
    let workflow = Workflow {
        name: row.name,
        function: row.function,
        line: u32::try_from(row.line).unwrap_or(0),
        description: row.description,
        is_async: row.is_async,
        parameters: serde_json::from_str(&row.parameters_json).map_err(json)?,
        options: serde_json::from_str(&row.options_json).map_err(json)?,
    };
    Ok(WorkflowEntry { workflow, side, path: parse_path(&row.path)?, overrides, pinned })
}
