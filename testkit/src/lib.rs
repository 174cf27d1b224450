//! The test world: a database with two organizations, and a real server with people signed in.
//!
//! Nothing here is shipped. Helpers panic: a world that cannot be made is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

pub mod client;
pub mod database;
pub mod document;
pub mod marks;
pub mod patience;
pub mod peek;
pub mod raw;
pub mod redis;
pub mod server;
pub mod world;

pub use client::{Client, Reply};
pub use patience::eventually;
pub use server::{Server, ServerOptions};
pub use world::World;
