//! Proofs that organizations are kept apart, over HTTP: everything is generated from the OpenAPI
//! document, so that a new route is covered, or complained about, without being named here.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

mod cases;
#[path = "../api/common.rs"]
#[allow(dead_code, reason = "shared with the tests of the routes")]
mod common;
mod making;
mod matrix;
mod script;
mod stage;
mod things;
mod timing;
mod tokens;
mod worlds;

/// Whether the long forms are wanted.
pub fn full() -> bool {
    std::env::var_os("BIFROST_FULL").is_some()
}
