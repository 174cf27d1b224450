//! Reads Python files without running them, in a child of the tools zygote.

use crate::{
    frames::{Outgoing, Start},
    memfile::MemFile,
    tools::{self, NoAnswer},
    zygote::Pool,
};
use domain::{
    FilePath,
    analysis::{Analyser, Analysing, Analysis, AnalysisFailed, SyntaxError},
};
use std::{os::fd::AsFd, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Longest time one file may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Files read at the same time.
const AT_ONCE: usize = 2;

/// CPython, asked in a child process.
#[derive(Clone)]
pub(crate) struct ChildAnalyser {
    pool: Arc<Pool>,
    turns: Arc<Semaphore>,
}

impl ChildAnalyser {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The zygotes whose children read.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    async fn ask(&self, path: &FilePath, source: &[u8]) -> Result<Analysis, AnalysisFailed> {
        let _turn = self.turns.acquire().await.map_err(|error| failed(&error))?;
        let file = MemFile::sealed("bifrost-source", source).map_err(|error| failed(&error))?;
        let origin = format!("bifrost://{path}");
        let start = Start::Analyse { path: path.as_str(), origin: &origin, limits: tools::LIMITS };
        let question = [Outgoing::Start(start).to_bytes()];
        match tools::ask(&self.pool, file.as_fd(), None, &question, LIMIT).await {
            Ok(answer) => serde_json::from_str(&answer).map_err(|error| failed(&error)),
            Err(error @ (NoAnswer::Spawn(_) | NoAnswer::System(_))) => Err(failed(&error)),
            Err(error @ (NoAnswer::Died(_) | NoAnswer::Failed(_))) => {
                tracing::debug!(%error, "an analysis did not finish");
                Ok(unreadable())
            }
        }
    }
}

impl Analyser for ChildAnalyser {
    fn analyse<'a>(&'a self, path: &'a FilePath, source: &'a [u8]) -> Analysing<'a> {
        Box::pin(self.ask(path, source))
    }
}

/// What CPython itself gives up on is the file's fault, and its author can mend it.
fn unreadable() -> Analysis {
    let message = "too deeply nested or too large to read".to_owned();
    let error = SyntaxError { message, line: 0, column: 0, text: None };
    Analysis { syntax_error: Some(error), ..Analysis::default() }
}

fn failed(error: &dyn std::fmt::Display) -> AnalysisFailed {
    AnalysisFailed(error.to_string())
}
