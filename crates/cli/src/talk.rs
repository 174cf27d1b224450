//! Words for people on standard error, data for programs on standard output.
#![allow(clippy::print_stdout, reason = "this is the place that prints data")]

use crate::arguments::Arguments;
use std::process::ExitCode;
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
    if arguments.log_json { log.json().init() } else { log.init() }
}

/// One line to standard error.
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// One line of data to standard output.
pub fn print(line: &str) {
    println!("{line}");
}

/// Data as one line of JSON.
pub fn print_json(value: &serde_json::Value) {
    println!("{value}");
}

/// Says why a command failed, causes included, and gives its exit code.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    say(&format!("error: {error:#}"));
    ExitCode::from(1)
}
