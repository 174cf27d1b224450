//! Runs a command beside servers that were started for it, and says in the environment where they are.

use anyhow::{Context, bail};
use servers::{Postgres, PostgresOptions};
use std::process::Command;

/// Starts what tests need, runs `command`, and stops everything again.
pub fn run(command: &[&str], durable: bool) -> anyhow::Result<()> {
    let Some((program, arguments)) = command.split_first() else {
        bail!("usage: cargo xtask servers [--durable] -- COMMAND [ARGUMENT…]");
    };
    let postgres = Postgres::start(PostgresOptions { durable, ..Default::default() });
    let status = Command::new(program)
        .args(arguments)
        .env("BIFROST_TEST_POSTGRES", postgres.url())
        .status()
        .with_context(|| format!("`{program}` cannot be started"))?;
    drop(postgres);
    match status.success() {
        true => Ok(()),
        false => bail!("`{program}` failed: {status}"),
    }
}
