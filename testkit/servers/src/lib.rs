//! Real servers for tests and benchmarks, each on a private port with a directory of its own.
//!
//! Nothing here is shipped. Helpers panic: a server that cannot be had is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod account;
mod bouncer;
mod port;
mod postgres;

pub use bouncer::PgBouncer;
pub use postgres::{Identity, Postgres, PostgresOptions};
