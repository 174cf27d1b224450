//! What the scopes offer for one module name; the cascade in `domain` decides.

use crate::{
    Scoped, StoreError,
    files::{count, prefix_range},
    gate::Gate,
    row::FromRow,
};
use domain::{
    ModuleName, Scope,
    cascade::{self, Offer},
};
use uuid::Uuid;

/// The file behind a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFile {
    /// Its version.
    pub version: u32,
    /// SHA-256 of the content, in hex.
    pub hash: String,
    /// Whether it is Global's at a version that the organization holds.
    pub pinned: bool,
}

/// What the asking organization and Global offer for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offers {
    /// By whose they are; nothing but Global's when Global itself asks.
    pub files: cascade::Offers<ModuleFile>,
    /// Whether a name above is a plain module, so that nothing of this can be imported.
    pub hidden: bool,
}

#[derive(FromRow)]
struct Row {
    organization_id: Uuid,
    path: String,
    version: i64,
    hash: String,
    pinned: bool,
}

#[derive(FromRow)]
struct Owner {
    #[expect(dead_code, reason = "only whether there is a row matters")]
    organization_id: Uuid,
}

const FILES: &str = "SELECT organization_id, path, version, hash, FALSE AS pinned
    FROM workspace_files WHERE organization_id IN ($1, $2) AND path IN ($3, $4)
    UNION ALL SELECT organization_id, path, version, hash, TRUE AS pinned
    FROM file_pins WHERE organization_id = $1 AND path IN ($3, $4)";
const ANY_BELOW: &str = "SELECT organization_id FROM workspace_files
    WHERE organization_id = $1 AND path >= $2 AND path < $3 LIMIT 1";
const ANY_PINNED_BELOW: &str = "SELECT organization_id FROM file_pins
    WHERE organization_id = $1 AND path >= $2 AND path < $3 LIMIT 1";

impl Scoped {
    /// What both scopes offer for `name`.
    pub async fn module_offers(&self, name: &ModuleName) -> Result<Offers, StoreError> {
        let gate = self.gate();
        let mut offers = module_files(&gate, self.scope(), name).await?;
        offers.hidden = is_below_a_module(&gate, self.scope(), name).await?;
        let directory = name.places().directory;
        let Offers { files, .. } = &mut offers;
        files.global.directory = has_below(&gate, Scope::Global, &directory).await?;
        if self.scope() != Scope::Global {
            files.own.directory = has_below(&gate, self.scope(), &directory).await?;
            files.pinned.directory = holds_below(&gate, self.scope(), &directory).await?;
        }
        Ok(offers)
    }
}

/// Whether, for `asking`, a name above `name` is a plain module.
pub(crate) async fn is_below_a_module(
    gate: &Gate<'_>,
    asking: Scope,
    name: &ModuleName,
) -> Result<bool, StoreError> {
    for parent in name.parents() {
        let offers = module_files(gate, asking, &parent).await?;
        if offers.files.resolve().hides_what_is_below() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The files that `asking` and Global offer for `name`, directories left out: where there is a
/// file, they decide nothing.
pub(crate) async fn module_files(
    gate: &Gate<'_>,
    asking: Scope,
    name: &ModuleName,
) -> Result<Offers, StoreError> {
    let places = name.places();
    let values = [
        asking.column().into(),
        Scope::Global.column().into(),
        places.package.as_str().into(),
        places.module.as_str().into(),
    ];
    let nothing = || Offer { package: None, module: None, directory: false };
    let files = cascade::Offers { own: nothing(), pinned: nothing(), global: nothing() };
    let mut offers = Offers { files, hidden: false };
    for row in gate.all::<Row, 4>(FILES, values).await? {
        let (version, pinned) = (count(row.version)?, row.pinned);
        let file = ModuleFile { version, hash: row.hash, pinned };
        let offer = match Scope::from_column(row.organization_id) {
            _ if pinned => &mut offers.files.pinned,
            Scope::Global => &mut offers.files.global,
            Scope::Organization(_) => &mut offers.files.own,
        };
        match row.path == places.package {
            true => offer.package = Some(file),
            false => offer.module = Some(file),
        }
    }
    Ok(offers)
}

async fn has_below(gate: &Gate<'_>, owner: Scope, directory: &str) -> Result<bool, StoreError> {
    let (from, to) = prefix_range(&format!("{directory}/"));
    let values = [owner.column().into(), from.into(), to.into()];
    Ok(gate.one::<Owner, 3>(ANY_BELOW, values).await?.is_some())
}

async fn holds_below(gate: &Gate<'_>, owner: Scope, directory: &str) -> Result<bool, StoreError> {
    let (from, to) = prefix_range(&format!("{directory}/"));
    let values = [owner.column().into(), from.into(), to.into()];
    Ok(gate.one::<Owner, 3>(ANY_PINNED_BELOW, values).await?.is_some())
}
