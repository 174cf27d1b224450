//! An organization's settings with their defaults.

use serde::{Deserialize, Serialize};

/// Everything an organization can set. Missing keys mean the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How executions run.
    pub executions: Executions,
    /// What files may be.
    pub modules: Modules,
}

/// How executions run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Executions {
    /// Wall-clock seconds before a run is killed, 1 to 86,400.
    pub timeout_seconds: u32,
    /// Runs of this organization at the same time, 1 to 1,000.
    pub max_concurrent: u32,
    /// Executions waiting before new ones are refused with 429, 1 to 1,000,000.
    pub max_queued: u32,
    /// Memory of a run in MiB, 64 to 16,384.
    pub memory_mb: u32,
}

impl Default for Executions {
    fn default() -> Self {
        Self { timeout_seconds: 300, max_concurrent: 10, max_queued: 10_000, memory_mb: 512 }
    }
}

/// What files may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Modules {
    /// Largest file in KiB, 1 to 10,240.
    pub max_file_kb: u32,
}

impl Default for Modules {
    fn default() -> Self {
        Self { max_file_kb: 1024 }
    }
}
