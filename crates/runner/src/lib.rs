//! Runs executions: one fresh Python process each, forked from a zygote, told its files through
//! sealed memory, heard through a socket, killed with everything it started.

mod bundle;
mod control;
mod frames;
mod logs;
mod memfile;
mod output;
mod process;
mod python;
mod request;
mod runtime_files;
mod sources;
mod zygote;

pub use python::{NoPython, Python};
pub use request::{
    Entry, NotStarted, OrganizationInfo, RunLimits, RunReport, RunRequest, Timings, UserInfo,
};
pub use sources::{Asking, Index, IndexedFile, Look, SourceError, Sources, Written};
pub use zygote::{SpawnFailed, ZygoteFailed};
