//! One run of one workflow: its states, its log, and what it loaded.

use crate::{scope::Side, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an execution stands. The last seven are outcomes: once there, it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExecutionStatus)]
pub enum Status {
    /// In the queue.
    Pending,
    /// A worker holds its lease.
    Running,
    /// Returned.
    Succeeded,
    /// Raised, or returned what JSON cannot hold.
    Failed,
    /// Killed at its time limit.
    TimedOut,
    /// Stopped on request.
    Cancelled,
    /// Killed for memory.
    OutOfMemory,
    /// The process went without an end, or broke the protocol.
    Crashed,
    /// Its workers died, as often as it may be tried.
    Lost,
}

impl Status {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::OutOfMemory,
        Self::Crashed,
        Self::Lost,
    ];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::OutOfMemory => "out_of_memory",
            Self::Crashed => "crashed",
            Self::Lost => "lost",
        }
    }

    /// Whether nothing more will happen.
    pub fn is_outcome(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// A word that is no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a status of an execution")]
pub struct BadStatus(String);

impl std::str::FromStr for Status {
    type Err = BadStatus;
    fn from_str(text: &str) -> Result<Self, BadStatus> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| BadStatus(text.to_owned()))
    }
}

/// Why an execution did not succeed, for the people of its organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// The Python exception's type, or a word of ours such as `TimedOut`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One or a few sentences.
    pub message: String,
    /// Python's traceback, empty when there is none.
    #[serde(default)]
    #[schema(required = true)]
    pub traceback: String,
    /// What a `UserError` says besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<serde_json::Value>,
}

/// How far a run has come, as it says itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ExecutionProgress)]
pub struct Progress {
    /// So much is done.
    pub done: f64,
    /// Of so much, if that is known.
    #[schema(required = true)]
    pub total: Option<f64>,
    /// What it is doing.
    #[schema(required = true)]
    pub note: Option<String>,
    /// When it said so.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// One of the outcomes of [`Status`].
    pub status: Status,
    /// The returned value as JSON text, when it succeeded.
    pub result: Option<String>,
    /// The content type of that, when it has one of its own.
    pub result_type: Option<String>,
    /// Why not, when it did not.
    pub failure: Option<Failure>,
}

/// A line of an execution's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// When the child wrote it.
    pub time: Timestamp,
    /// How loud.
    pub level: LogLevel,
    /// At most 64 KiB.
    pub message: String,
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For whoever looks for a fault.
    Debug,
    /// What `print` writes.
    Info,
    /// What goes to standard error.
    Warning,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level of a word; unknown ones are `info`, so that no line is lost for its level.
    pub fn from_word(word: &str) -> Self {
        match word {
            "debug" => Self::Debug,
            "warning" => Self::Warning,
            "error" => Self::Error,
            _ => Self::Info,
        }
    }
}

/// A workspace module that an execution loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoadedModule {
    /// Dotted name.
    pub name: String,
    /// Whose.
    pub scope: Side,
    /// File.
    pub path: String,
    /// Version of the file.
    pub version: u32,
    /// SHA-256 of the source, in hex.
    pub hash: String,
}
