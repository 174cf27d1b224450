//! `bifrost migrate`: the schema, up, down and as it stands.

use crate::{
    arguments::{MigrateAction, MigrateOptions},
    talk,
};
use serde_json::json;
use std::process::ExitCode;
use store::Store;

/// Runs the command.
pub async fn run(options: MigrateOptions) -> anyhow::Result<ExitCode> {
    let data = options.places.resolve()?;
    let create = matches!(options.action, MigrateAction::Up);
    if create {
        data.create_directory()?;
    }
    let store = Store::open_unmigrated(&data.database_url, create).await?;
    match options.action {
        MigrateAction::Up => report("applied", &store.migrate_up().await?),
        MigrateAction::Down { steps } => report("taken back", &store.migrate_down(steps).await?),
        MigrateAction::Status { json } => status(&store, json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn report(what: &str, names: &[String]) {
    for name in names {
        talk::print(&format!("{what}: {name}"));
    }
    if names.is_empty() {
        talk::say("nothing to do");
    }
}

async fn status(store: &Store, as_json: bool) -> anyhow::Result<()> {
    let states = store.migration_status().await?;
    if as_json {
        talk::print_json(&json!({ "migrations": states }));
        return Ok(());
    }
    for state in states {
        talk::print(&format!(
            "{} {}",
            if state.applied { "applied" } else { "pending" },
            state.name
        ));
    }
    Ok(())
}
