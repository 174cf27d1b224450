//! Words for people on standard error, data for programs on standard output.

use crate::arguments::Arguments;
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};
use store::{CreateOrganizationError, CreateUserError, MoveError};
use tracing_subscriber::EnvFilter;

/// Sends the log to standard error.
pub fn start_log(arguments: &Arguments) {
    let filter = EnvFilter::try_new(&arguments.log).unwrap_or_else(|error| {
        say(&format!(
            "warning: `--log {}` is not understood ({error}); using `warn`",
            arguments.log
        ));
        EnvFilter::new("warn")
    });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if arguments.log_json { log.json().init() } else { log.init() }
}

/// One line to standard error.
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// One line of data to standard output. A reader who has seen enough ends the program.
pub fn print(line: &str) {
    let mut output = std::io::stdout().lock();
    if let Err(error) = writeln!(output, "{line}") {
        say(&format!("error: standard output: {error}"));
        std::process::exit(1);
    }
}

/// A line to standard error that the next one replaces, where somebody looks on.
pub fn tick(line: &str) {
    match std::io::stderr().is_terminal() {
        true => eprint!("\r\x1b[2K{line}"),
        false => say(line),
    }
}

/// Ends the line that would be replaced.
pub fn end_ticks() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[2K");
    }
}

/// Data as one line of JSON.
pub fn print_json(value: &serde_json::Value) {
    print(&value.to_string());
}

/// Says why a command failed, causes included, and gives its exit code: 3 when what was to be made
/// is there already, else 1.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    say(&format!("error: {error:#}"));
    let is_taken = matches!(error.downcast_ref(), Some(CreateOrganizationError::SlugTaken(_)))
        || matches!(error.downcast_ref(), Some(CreateUserError::EmailTaken(_)))
        || error.downcast_ref().is_some_and(MoveError::is_conflict);
    ExitCode::from(if is_taken { 3 } else { 1 })
}
