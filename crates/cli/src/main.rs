//! The `bifrost` program: reads its configuration and wires the rooms together.

mod admin;
mod arguments;
mod configuration;
mod demo;
mod doctor;
mod isolation;
mod keys;
mod migrate;
mod serve;
mod talk;
mod verify_audit;

use arguments::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    talk::start_log(&arguments);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return talk::failed(&error.into()),
    };
    match runtime.block_on(run(arguments)) {
        Ok(code) => code,
        Err(error) => talk::failed(&error),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let command = arguments.command;
    match command {
        Command::Demo(options) => demo::run(options).await,
        Command::Serve(options) => serve::run(options.resolve()?).await,
        Command::Migrate(options) => migrate::run(options).await,
        Command::Admin(options) => admin::run(options).await,
        Command::Doctor(options) => doctor::run(options).await,
    }
}
