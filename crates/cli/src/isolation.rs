//! The walls around runs: attacked before anything is served, and told to whoever asks.

use crate::{arguments, talk};
use anyhow::{Context, bail};
use api::{Isolation, Wall};
use runner::{
    Runner, RunnerOptions,
    sandbox::{Posture, SandboxOptions, UserRange},
};
use std::path::PathBuf;

/// Attacks every wall. When a required one does not hold, or nothing can be known, the server does
/// not start, unless it was told to do its best: then it says what is missing.
pub async fn look(runner: &Runner, wanted: arguments::Isolation) -> anyhow::Result<Isolation> {
    let isolation = match (runner.posture().await, wanted) {
        (Ok(posture), _) => told(posture),
        (Err(error), arguments::Isolation::Required) => {
            return Err(error).context("the isolation of runs is not known");
        }
        (Err(error), arguments::Isolation::BestEffort) => {
            talk::say(&format!("the isolation of runs is not known: {error}"));
            Isolation::default()
        }
    };
    api::metrics::walls(&isolation);
    let missing: Vec<_> = isolation.walls.iter().filter(|wall| !wall.holds).collect();
    let required = missing.iter().filter(|wall| wall.required);
    if wanted == arguments::Isolation::Required && !isolation.whole {
        let list: Vec<_> =
            required.map(|wall| format!("\n  {}: {}", wall.name, wall.how)).collect();
        bail!(
            "walls around runs do not hold:{}\nmend them, or start with --isolation best-effort if \
             every organization may see and do what the server's user can",
            list.concat()
        );
    }
    for wall in missing {
        let weight = if wall.required { "a required wall" } else { "a wall" };
        talk::say(&format!("{weight} around runs does not hold: {}: {}", wall.name, wall.how));
    }
    Ok(isolation)
}

/// What the walls are worth on this machine for the user who asks.
pub async fn here(python: Option<PathBuf>, users: UserRange) -> anyhow::Result<Isolation> {
    let directory = tempfile::tempdir().context("a directory to try the walls in")?;
    let mut options = RunnerOptions::new(directory.path());
    options.python = python;
    options.sandbox = SandboxOptions::new(users);
    Ok(told(runner::posture(options).await?))
}

fn told(posture: Posture) -> Isolation {
    let whole = posture.is_whole();
    let walls = posture.walls.into_iter().map(|wall| Wall {
        name: wall.name,
        required: wall.required,
        holds: wall.holds,
        how: wall.how,
    });
    Isolation { whole, walls: walls.collect() }
}
