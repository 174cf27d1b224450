//! What reading a Python file without running it tells: does it parse, which workflows are in it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{future::Future, pin::Pin};

/// The outcome of reading one file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Set when the file does not parse; then nothing else is.
    pub syntax_error: Option<SyntaxError>,
    /// Remarks for whoever wrote the file.
    #[serde(default)]
    pub diagnostics: Vec<Diagnostic>,
    /// Workflows, in the order of the file.
    #[serde(default)]
    pub workflows: Vec<Workflow>,
}

/// Where and why a file does not parse. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyntaxError {
    /// CPython's message.
    pub message: String,
    /// 0 when the file as a whole is at fault.
    pub line: u32,
    /// 0 when the line as a whole is at fault.
    pub column: u32,
    /// The line.
    #[serde(default)]
    pub text: Option<String>,
}

/// A remark on a file. Lines and columns count from 1; 0 means the whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// `error` or `warning`.
    pub severity: Severity,
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
    /// A stable word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// How bad a remark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Running it will fail.
    Error,
    /// It works, but not as it looks.
    Warning,
}

/// A function marked `@workflow`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// What people call it by; unique in its scope.
    pub name: String,
    /// The function in the module.
    pub function: String,
    /// Where it starts.
    pub line: u32,
    /// From the decorator or the docstring.
    pub description: String,
    /// Whether it is `async def`.
    pub is_async: bool,
    /// JSON Schema (2020-12) of the inputs object.
    pub parameters: Value,
    /// Further arguments of the decorator, as literals: `timeout`, `retries`, …
    #[serde(default)]
    pub options: Map<String, Value>,
}

/// Why a file could not be read at all; the write is refused and may be tried again.
#[derive(Debug, thiserror::Error)]
#[error("the source could not be analysed: {0}")]
pub struct AnalysisFailed(pub String);

/// A boxed future, so that an [`Analyser`] can be an object.
pub type Analysing<'a> =
    Pin<Box<dyn Future<Output = Result<Analysis, AnalysisFailed>> + Send + 'a>>;

/// Whoever can read Python. Handed from the command line to the rooms that write files, because
/// they never start a process themselves.
pub trait Analyser: Send + Sync {
    /// Reads `source`, which is the content of the file `path`.
    fn analyse<'a>(&'a self, path: &'a crate::FilePath, source: &'a [u8]) -> Analysing<'a>;
}
