//! The egress proxy on plain sockets: what gets through, and everything that must not.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod addresses;
mod bounds;
mod clients;
mod plain;
mod smuggling;
mod stage;
mod tunnels;
