//! Finds the Python interpreter of the machine, once.

use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;

/// The oldest Python that can run workflows.
pub const OLDEST: (u8, u8) = (3, 11);

/// Asked of every candidate. A pyenv shim costs 133 ms at each start, so the real path is kept.
const QUESTION: &str = "import sys, json; print(json.dumps({\
     'executable': getattr(sys, '_base_executable', None) or sys.executable, \
     'version': list(sys.version_info[:3]), 'tag': sys.implementation.cache_tag or ''}))";

/// Tried in this order when the operator names none.
const NAMES: [&str; 5] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];

/// An interpreter that has answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Python {
    /// The real program, not a shim.
    pub executable: PathBuf,
    /// Major, minor, micro.
    pub version: (u8, u8, u8),
    /// What its code objects are keyed by, such as `cpython-311`.
    pub tag: String,
}

/// Why there is no interpreter.
#[derive(Debug, thiserror::Error)]
pub enum NoPython {
    /// The named one does not answer as Python does.
    #[error("`{0}` is not a Python interpreter that can be run: {1}; name another one")]
    Unusable(PathBuf, String),
    /// The named one is too old.
    #[error("`{0}` is Python {1}.{2}: install Python 3.11 or newer and name it")]
    TooOld(PathBuf, u8, u8),
    /// Nothing suitable on the search path.
    #[error(
        "no Python 3.11 or newer was found: install one (Debian, Ubuntu: `apt install python3`; \
         Fedora: `dnf install python3`) or name its path in the configuration"
    )]
    NotFound,
}

impl Python {
    /// The configured interpreter, or the first good one on the search path.
    pub async fn find(configured: Option<&Path>) -> Result<Self, NoPython> {
        if let Some(path) = configured {
            return Self::ask(path).await;
        }
        for name in NAMES {
            match Self::ask(Path::new(name)).await {
                Ok(python) => return Ok(python),
                Err(reason) => tracing::debug!(name, %reason, "not this interpreter"),
            }
        }
        Err(NoPython::NotFound)
    }

    async fn ask(program: &Path) -> Result<Self, NoPython> {
        let unusable = |reason: String| NoPython::Unusable(program.to_owned(), reason);
        let mut command = Command::new(program);
        command.args(["-I", "-S", "-c", QUESTION]).stdin(Stdio::null()).kill_on_drop(true);
        let answer = tokio::time::timeout(Duration::from_secs(10), command.output())
            .await
            .map_err(|_| unusable("no answer within 10 seconds".to_owned()))?
            .map_err(|error| unusable(error.to_string()))?;
        let python: Self = serde_json::from_slice(&answer.stdout)
            .map_err(|_| unusable(format!("it left with {}", answer.status)))?;
        let (major, minor, _) = python.version;
        if (major, minor) < OLDEST {
            return Err(NoPython::TooOld(python.executable, major, minor));
        }
        Ok(python)
    }
}

#[cfg(test)]
mod tests {
    use super::{NoPython, OLDEST, Python};
    use std::path::Path;

    #[tokio::test]
    async fn the_machine_has_one_and_it_is_no_shim() {
        let python = Python::find(None).await.unwrap();
        assert!((python.version.0, python.version.1) >= OLDEST);
        assert!(!python.executable.to_string_lossy().contains("shims"), "{python:?}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_python_is_named_in_the_error() {
        for name in ["/bin/true", "/nowhere/python3"] {
            let error = Python::find(Some(Path::new(name))).await.unwrap_err();
            assert!(matches!(error, NoPython::Unusable(..)), "{error}");
            assert!(error.to_string().contains(name));
        }
    }
}
