//! What is true of PostgreSQL alone; the run on SQLite leaves these tests out by their names.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "roles.rs"]
mod on_postgres_roles;
#[path = "selfcheck.rs"]
mod on_postgres_selfcheck;
#[path = "tls.rs"]
mod on_postgres_tls;
#[path = "walls.rs"]
mod on_postgres_walls;
mod stage;
