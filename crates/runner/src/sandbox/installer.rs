//! Walls around a program that installs packages: it reads the programs and libraries of the machine,
//! writes where packages go, has no right of root, and reaches no other process.

use super::{Means, SandboxOptions, Site, calls, files::Files, keeper::Found};
use crate::runtime_files;
use serde_json::json;
use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

/// What is the same for all installations.
pub(super) struct Installer {
    python: PathBuf,
    script: String,
    user_namespace: bool,
    processes: bool,
    capabilities: bool,
    filters: Vec<String>,
}

/// What an installation may touch, besides what every program needs.
pub(crate) struct Places<'a> {
    pub readable: Vec<&'a Path>,
    pub writable: Vec<&'a Path>,
}

impl Installer {
    pub(super) fn new(site: &Site, found: &Found, options: &SandboxOptions) -> Self {
        let script = runtime_files::script(&site.runtime, "installer");
        let filters = options.has("system_calls").then(|| hex::encode(calls::of_installers()));
        Self {
            python: site.python.clone(),
            script,
            user_namespace: found.means == Means::User,
            processes: found.means != Means::None && options.has("processes"),
            capabilities: options.has("rights"),
            filters: filters.into_iter().collect(),
        }
    }

    /// A command that becomes whatever program is appended to it, with its arguments.
    pub(super) fn command(&self, files: &Files, places: &Places<'_>) -> io::Result<Command> {
        let ruleset = files.ruleset_of_installer(places)?;
        let settings = json!({
            "user_namespace": self.user_namespace,
            "processes": self.processes,
            "capabilities": self.capabilities,
            "filters": self.filters,
            "ruled": ruleset.is_some(),
        });
        let mut command = Command::new(&self.python);
        command.args(["-I", "-S", "-c", &self.script, &settings.to_string()]);
        command.stdin(ruleset.map_or(Stdio::null(), Stdio::from));
        Ok(command)
    }
}
