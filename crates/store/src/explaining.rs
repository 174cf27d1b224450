//! What the scopes have for a path or the name of a workflow, and which of it counts.

use crate::{
    ModuleFile, Scoped, StoreError,
    files::count,
    row::FromRow,
    workflows::{self, WorkflowCandidate},
};
use domain::{
    FilePath, ModuleName, Scope,
    cascade::{PathOffers, Resolution},
    scope::Side,
};
use uuid::Uuid;

/// What an import gets today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleNow {
    /// Whose.
    pub side: Side,
    /// Which file.
    pub path: String,
    /// The file itself.
    pub file: ModuleFile,
}

#[derive(FromRow)]
struct Row {
    organization_id: Uuid,
    version: i64,
    hash: String,
    pinned: bool,
}

const FILES: &str = "SELECT organization_id, version, hash, FALSE AS pinned FROM workspace_files
    WHERE organization_id IN ($1, $2) AND path = $3
    UNION ALL SELECT organization_id, version, hash, TRUE AS pinned FROM file_pins
    WHERE organization_id = $1 AND path = $3";

impl Scoped {
    /// What both scopes have at `path`.
    pub async fn path_offers(&self, path: &FilePath) -> Result<PathOffers<ModuleFile>, StoreError> {
        let values =
            [self.scope().column().into(), Scope::Global.column().into(), path.as_str().into()];
        let mut offers = PathOffers { own: None, pinned: None, global: None };
        for row in self.gate().all::<Row, 3>(FILES, values).await? {
            let file =
                ModuleFile { version: count(row.version)?, hash: row.hash, pinned: row.pinned };
            let place = match Scope::from_column(row.organization_id) {
                _ if row.pinned => &mut offers.pinned,
                Scope::Global => &mut offers.global,
                Scope::Organization(_) => &mut offers.own,
            };
            *place = Some(file);
        }
        Ok(offers)
    }

    /// Every workflow of a name, in the order in which they are asked, and why each counts or not.
    pub async fn workflow_candidates(
        &self,
        name: &str,
    ) -> Result<Vec<WorkflowCandidate>, StoreError> {
        workflows::candidates(&self.gate(), self.scope(), name).await
    }

    /// What an import of `name` gets today; `None` for a namespace, or when there is none.
    pub async fn module_now(&self, name: &ModuleName) -> Result<Option<ModuleNow>, StoreError> {
        let offers = self.module_offers(name).await?;
        if offers.hidden {
            return Ok(None);
        }
        let places = name.places();
        Ok(match offers.files.resolve() {
            Resolution::File { side, form, file } => {
                let package = form == domain::cascade::Form::Package;
                let path = if package { places.package } else { places.module };
                Some(ModuleNow { side, path, file })
            }
            Resolution::Namespace | Resolution::None => None,
        })
    }
}
