//! An organization's settings: the table of keys, defaults and ranges, as types.
//!
//! The JSON Schema made of these types ([`schema`]) is the one rule for what a setting may be: it
//! is what clients are served and what every change is checked against.

mod faults;
mod formats;
mod schema;
mod stored;

#[cfg(test)]
mod tests;

pub use faults::Fault;
pub use schema::schema;
pub use stored::Stored;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything an organization can set. A key that is left out means its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Organization settings")]
pub struct Settings {
    /// Where the organization is.
    pub regional: Regional,
    /// How executions run.
    pub executions: Executions,
    /// Whom workflows may reach.
    pub network: Network,
    /// What files may be.
    pub modules: Modules,
}

/// Where the organization is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Regional {
    /// IANA name of the time zone that workflows run in.
    #[schemars(extend("enum" = formats::time_zones()))]
    pub timezone: String,
    /// ISO 4217 code of the currency, for workflows to read.
    #[schemars(extend("enum" = formats::currencies()))]
    pub currency: String,
    /// BCP 47 tag of language and region, for workflows to read.
    #[schemars(regex(pattern = formats::LOCALE), length(max = 100))]
    pub locale: String,
}

impl Default for Regional {
    fn default() -> Self {
        let [timezone, currency, locale] = ["UTC", "USD", "en-US"].map(str::to_owned);
        Self { timezone, currency, locale }
    }
}

/// How executions run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Executions {
    /// Seconds on the clock before a run is killed; a workflow can ask for less.
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_seconds: u32,
    /// Runs of this organization at the same time, over all workers; what exceeds it waits.
    #[schemars(range(min = 1, max = 1_000))]
    pub max_concurrent: u32,
    /// Executions waiting before new ones are refused with 429.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_queued: u32,
    /// Memory of a run in MiB, on top of what the interpreter takes.
    #[schemars(range(min = 64, max = 16_384))]
    pub memory_mb: u32,
    /// Its share under contention; only an admin of the provider can change it.
    #[schemars(range(min = 1, max = 100))]
    pub weight: u32,
    /// Days after its end that an execution is kept with its log.
    #[schemars(range(min = 1, max = 3_650))]
    pub retention_days: u32,
}

impl Default for Executions {
    fn default() -> Self {
        Self {
            timeout_seconds: 300,
            max_concurrent: 10,
            max_queued: 10_000,
            memory_mb: 512,
            weight: 1,
            retention_days: 30,
        }
    }
}

/// Whom workflows may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Host patterns: `*` is every host, `*.example.com` every host below that name but not the
    /// name itself, `api.example.com` and `203.0.113.7` one host; `:443` behind any of them is
    /// that port only. Upper and lower case are alike. An empty list is nobody.
    #[schemars(length(max = 200), inner(regex(pattern = formats::HOST), length(max = 259)))]
    #[schemars(extend("uniqueItems" = true))]
    pub allowed_hosts: Vec<String>,
}

impl Default for Network {
    fn default() -> Self {
        Self { allowed_hosts: vec!["*".to_owned()] }
    }
}

/// What files may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Modules {
    /// Largest workspace file in KiB.
    #[schemars(range(min = 1, max = 10_240))]
    pub max_file_kb: u32,
}

impl Default for Modules {
    fn default() -> Self {
        Self { max_file_kb: 1024 }
    }
}
