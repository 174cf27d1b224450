//! What is true of SQLite's files alone; the run on PostgreSQL leaves these tests out by their names.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "locked.rs"]
mod on_sqlite_locked;
#[path = "opening.rs"]
mod on_sqlite_opening;
