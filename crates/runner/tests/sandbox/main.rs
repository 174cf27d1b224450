//! The walls around runs: what each is good for, as root and as an ordinary user, and that nothing of a
//! run is left.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod cells;
mod left;
mod network;
mod postures;
mod user;
