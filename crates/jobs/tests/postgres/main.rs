//! What is true of PostgreSQL alone; the run on SQLite leaves these tests out by their names.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "bells.rs"]
mod on_postgres_bells;
