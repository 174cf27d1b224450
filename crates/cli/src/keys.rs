//! `bifrost admin`: the keys of the secrets, rotated or given up.

use crate::{admin, arguments::Places, configuration::Data, talk};
use anyhow::bail;
use domain::{Scope, Slug};
use jobs::{Clock, SystemClock};
use serde_json::json;
use std::path::PathBuf;
use store::{MasterKey, MasterKeySource, MasterRotation, Reason, Store};

/// Organizations asked for at once.
const PAGE: u32 = 200;

/// Wraps every data key with a new master key.
pub async fn rotate_master_key(places: Places, new: Option<PathBuf>) -> anyhow::Result<()> {
    let data = places.resolve()?;
    let store = unlocked(&data).await?;
    let key = new.as_deref().map(MasterKey::read).transpose()?;
    let rotation = MasterRotation::begin(store, key).await?;
    rotation.write_next()?;
    let count = rotation.rewrap(SystemClock.now()).await?;
    let kept = rotation.keep_old()?;
    rotation.install()?;
    talk::print(&format!("wrapped {count} data key(s) with the new master key"));
    if let Some(kept) = kept {
        talk::say(&format!(
            "the old one is kept in `{}` for backups of the database made before now; copy the new \
             `{}` to where you keep keys, and delete the old one when no such backup is left",
            kept.display(),
            data.keys.join("master.key").display()
        ));
    }
    match (&data.master_key, new) {
        (MasterKeySource::File(file), Some(new)) => talk::say(&format!(
            "now put `{}` in the place of `{}`; until then no server can start, and running ones \
             find the new key only in `{}.next`",
            new.display(),
            file.display(),
            file.display()
        )),
        (MasterKeySource::Variable(_), _) => talk::say(
            "now put the new key into BIFROST_MASTER_KEY of every server and restart them; until \
             then they cannot open secrets",
        ),
        _ => {}
    }
    Ok(())
}

/// Seals the secrets of one organization, or of all, with new data keys.
pub async fn rotate_data_keys(
    places: Places,
    organization: Option<String>,
    as_json: bool,
) -> anyhow::Result<()> {
    let store = unlocked(&places.resolve()?).await?;
    let mut rotated = Vec::new();
    for (slug, scope) in wanted(&store, organization).await? {
        let scoped = store.scoped(&admin::operator(scope));
        let Some(secrets) = scoped.rotate_data_key(SystemClock.now()).await? else { continue };
        if !as_json {
            talk::print(&format!("{slug}: {secrets} secret(s) sealed anew"));
        }
        rotated.push(json!({ "organization": slug, "secrets": secrets }));
    }
    match (as_json, rotated.is_empty()) {
        (true, _) => talk::print_json(&json!({ "rotated": rotated })),
        (false, true) => talk::say("nothing to do: no secret was ever kept"),
        (false, false) => {}
    }
    Ok(())
}

/// Removes every secret. Works without the master key: it is for when there is none.
pub async fn discard(places: Places, yes: bool) -> anyhow::Result<()> {
    let data = places.resolve()?;
    if !yes {
        bail!("this removes every secret of every organization; say --yes if you mean it");
    }
    let store = Store::open(&data.database_url).await?;
    let discarded = store.discard_secrets(SystemClock.now()).await?;
    talk::print(&format!("removed {} secret(s)", discarded.secrets));
    talk::say(
        "the next start of the server takes the master key that is there, or makes a new one",
    );
    Ok(())
}

async fn unlocked(data: &Data) -> anyhow::Result<Store> {
    let store = Store::open(&data.database_url).await?;
    store.unlock(data.master_key.clone(), SystemClock.now()).await?;
    Ok(store)
}

async fn wanted(
    store: &Store,
    organization: Option<String>,
) -> anyhow::Result<Vec<(String, Scope)>> {
    let system = store.system(Reason::Organizations);
    if let Some(slug) = organization {
        return match system.organization_by_slug(&Slug::parse(&slug)?).await? {
            Some(found) => Ok(vec![(slug, found.scope)]),
            None => bail!("there is no organization `{slug}`"),
        };
    }
    let mut wanted = vec![("global".to_owned(), Scope::Global)];
    let mut after = None;
    loop {
        let page = system.organizations(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(wanted) };
        after = Some(last.scope.column());
        wanted.extend(page.iter().map(|one| (one.slug.as_str().to_owned(), one.scope)));
    }
}
