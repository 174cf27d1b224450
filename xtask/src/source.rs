//! The files of the repository that people write, as git lists them.

use anyhow::{Context, bail};
use std::{path::PathBuf, process::Command};

/// A text file of the repository.
pub struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Whether the path ends so.
    pub fn is(&self, ending: &str) -> bool {
        self.path.ends_with(ending)
    }

    /// Whether this is test or benchmark code.
    pub fn is_test(&self) -> bool {
        let parts = ["/tests/", "/tests.rs", "/benches/", "testkit/", "bench/"];
        parts.iter().any(|part| self.path.contains(part))
    }

    /// Lines with their numbers, tests at the end of a file left out.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]")
    }
}

/// Everything tracked by git, and what is new and not ignored.
pub fn all() -> anyhow::Result<Vec<Source>> {
    let root = root()?;
    let listing = git(&["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let mut sources = Vec::new();
    for path in listing.lines() {
        // Deleted but not yet committed, or not text: nothing to hold.
        if let Ok(text) = std::fs::read_to_string(root.join(path)) {
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(sources)
}

/// The root of the repository.
pub fn root() -> anyhow::Result<PathBuf> {
    Ok(PathBuf::from(git(&["rev-parse", "--show-toplevel"])?.trim()))
}

fn git(arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    if arguments.first() == Some(&"ls-files") {
        command.current_dir(root()?);
    }
    let output = command.output().context("git cannot be started")?;
    if !output.status.success() {
        bail!("git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
