//! Bad input, from HTTP to a real run and down to the database: a clear error each time, nothing
//! half written, and the server works on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

#[path = "bad_input/files.rs"]
mod files;
#[path = "bad_input/inputs.rs"]
mod inputs;
#[path = "bad_input/modules.rs"]
mod modules;
#[path = "bad_input/postgres.rs"]
mod on_postgres;
#[path = "bad_input/sqlite.rs"]
mod on_sqlite;
#[path = "bad_input/runs.rs"]
mod runs;
#[path = "bad_input/stage.rs"]
mod stage;
