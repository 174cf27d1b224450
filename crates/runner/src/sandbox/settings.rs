//! What a zygote is told of the walls when it starts.

use super::{Means, SandboxOptions, calls, keeper::Found};
use serde_json::json;
use std::{io, os::fd::OwnedFd, process::Stdio, sync::Arc};

/// The walls of every child of a zygote.
#[derive(Clone, Debug)]
pub(crate) struct ZygoteWalls {
    settings: String,
    user_namespace: Option<Arc<OwnedFd>>,
}

impl ZygoteWalls {
    pub(super) fn new(found: &Found, options: &SandboxOptions) -> Self {
        let filters = if options.has("system_calls") { vec![calls::filter()] } else { Vec::new() };
        let filters: Vec<_> = filters.into_iter().map(hex::encode).collect();
        let settings = json!({
            "user_namespace": found.means == Means::User,
            "processes": found.means != Means::None && options.has("processes"),
            "capabilities": options.has("rights"),
            "filters": filters,
        });
        let user_namespace = found.user_namespace.clone();
        Self { settings: settings.to_string(), user_namespace }
    }

    /// The argument after `--walls`.
    pub(crate) fn argument(&self) -> &str {
        &self.settings
    }

    /// What stands in for a zygote's standard output: the user namespace it has to enter.
    pub(crate) fn output(&self) -> io::Result<Stdio> {
        let namespace = self.user_namespace.as_ref();
        namespace.map_or(Ok(Stdio::null()), |fd| Ok(Stdio::from(fd.try_clone()?)))
    }
}
