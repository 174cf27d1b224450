//! Runs executions: one fresh Python process each, forked from a zygote, told its files through
//! sealed memory, heard through a socket, killed with everything it started.
//!
//! The way of one run, file by file: [`Runner::run`] → `execution` asks `bundles` for the two
//! scopes' files (`bundle` has the layout) and `sandbox` for an empty cell → `zygote` forks a child over
//! the `control` channel →
//! `conversation`: `listening` reads its `frames`, `calls` answers the SDK, `logs` and `output` keep what it says,
//! without the secrets that `masking` knows
//! and `egress` is its way to the network
//! → `watching` ends it in time → `outcome` says how it went. The Python side is `python/`, and
//! `docs/runtime-protocol.md` is what both keep to.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod analyser;
mod bundle;
mod bundles;
mod calls;
mod control;
mod conversation;
pub mod egress;
mod environments;
mod execution;
mod frames;
mod listening;
mod logs;
mod masking;
mod media_type;
mod memfile;
mod outcome;
mod output;
mod place;
mod process;
mod progress;
mod python;
mod request;
mod runner;
mod runtime_files;
pub mod sandbox;
mod scratch;
mod sources;
mod tools;
mod watching;
mod worker;
mod zygote;

pub use environments::{EnvironmentOptions, NoUv, Preload, Uv};
/// Hears bytes as if a child had sent them, for `fuzz/`.
#[cfg(fuzzing)]
pub use frames::check as check_frames;
pub use place::Place;
pub use python::{NoPython, Python};
pub use request::{
    Entry, NotStarted, OrganizationInfo, RunLimits, RunReport, RunRequest, Timings, UserInfo,
};
pub use runner::{CACHE_MEMORY, Runner, RunnerError, RunnerOptions, posture};
pub use sources::SourceError;
pub use worker::Worker;
pub use zygote::{SpawnFailed, ZygoteFailed};
