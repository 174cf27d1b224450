//! What the operator decides about packages.

use secrecy::SecretString;
use std::{path::PathBuf, time::Duration};

/// How packages are had.
#[derive(Clone, Debug)]
pub struct EnvironmentOptions {
    /// The program that resolves and installs; `None` to look for one on the search path.
    pub uv: Option<PathBuf>,
    /// The index to ask instead of the public one; it may have a password in it.
    pub index: Option<SecretString>,
    /// A directory with packages. Without an index nothing else is asked.
    pub find_links: Option<PathBuf>,
    /// Whether packages that have no wheel may be built, which runs their code on this machine.
    pub build: bool,
    /// Which environments' packages zygotes import ahead.
    pub preload: Preload,
    /// How long an environment stays that nobody uses or refers to.
    pub keep: Duration,
}

impl Default for EnvironmentOptions {
    fn default() -> Self {
        Self {
            uv: None,
            index: None,
            find_links: None,
            build: false,
            preload: Preload::Global,
            keep: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// Which packages zygotes import ahead. What they import runs outside of any execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preload {
    /// None.
    Nothing,
    /// Those that Global's file asks for, whose writers are trusted anyway.
    Global,
    /// All, also those that an organization chose.
    All,
}
