//! What the operator can say about packages.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How the packages of `requirements.txt` are had.
#[derive(Clone, Debug, Default, Args)]
pub struct PackageOptions {
    /// The program that installs packages [default: the first `uv` on the path]
    #[arg(long, env = "BIFROST_UV")]
    pub uv: Option<PathBuf>,
    /// Package index to ask instead of the public one; a password in it is shown to nobody
    #[arg(long, env = "BIFROST_PYTHON_INDEX", hide_env_values = true)]
    pub python_index: Option<String>,
    /// Directory with wheels; without --python-index nothing else is asked
    #[arg(long, env = "BIFROST_PYTHON_FIND_LINKS")]
    pub python_find_links: Option<PathBuf>,
    /// Whether packages without a wheel may be built, which runs their code as the server's user
    /// [default: denied]
    #[arg(long, env = "BIFROST_PYTHON_BUILD")]
    pub python_build: Option<PythonBuild>,
    /// Whose packages are imported before there is a run, as the server's user: those that Global's
    /// file asks for, all, or none [default: global]
    #[arg(long, env = "BIFROST_PYTHON_PRELOAD")]
    pub python_preload: Option<PythonPreload>,
    /// Days that packages stay which nobody uses or asks for [default: 30]
    #[arg(long, env = "BIFROST_PYTHON_KEEP_DAYS")]
    pub python_keep_days: Option<u32>,
}

/// Whether packages may be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PythonBuild {
    /// Wheels only
    Denied,
    /// Also from source
    Allowed,
}

/// Whose packages are imported ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PythonPreload {
    /// Nobody's
    None,
    /// Those of Global's file
    Global,
    /// Also those of organizations' own files
    All,
}
