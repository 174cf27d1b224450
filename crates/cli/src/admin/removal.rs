//! `bifrost admin delete-organization`.

use crate::talk;
use anyhow::bail;
use cache::{Address, Cache};
use domain::Access;
use jobs::{Clock, SystemClock};
use store::{DeleteOrganizationError, Organization, Reason, Store};

/// How to delete.
#[derive(Clone)]
pub struct How {
    /// With everything in it.
    pub purge: bool,
    /// Without asking.
    pub yes: bool,
    /// Where contents of its files may be, too.
    pub redis: Option<Address>,
}

/// Deletes an empty organization, or one with everything in it.
pub async fn run(
    store: &Store,
    organization: &Organization,
    by: &Access,
    how: How,
) -> anyhow::Result<()> {
    let (slug, now) = (&organization.slug, SystemClock.now());
    let Some(id) = organization.scope.organization() else { bail!("Global cannot be deleted") };
    let system = store.system(Reason::Organizations);
    if !how.purge {
        match system.delete_organization(id, by, now).await {
            Err(DeleteOrganizationError::NotEmpty) => {
                bail!("`{slug}` is not empty; --purge deletes it with everything in it")
            }
            outcome => outcome?,
        };
    } else if !how.yes {
        bail!("this deletes everything of `{slug}` and cannot be undone; add --yes to do it");
    } else {
        system.begin_purge(id, by, now).await?;
        system.purge(id).await?;
        if let Some(address) = how.redis {
            Cache::redis(address).await.forget(organization.scope).await;
        }
    }
    talk::say(&format!("deleted {slug}"));
    Ok(())
}
