//! Measures the walls by attacking them: a child in a real cell tries each, as a workflow could.

use super::{Means, Posture, Sandbox, Wall};
use crate::{
    frames::{ChildLimits, Outgoing, Start},
    tools::{self, NoAnswer},
    zygote::Pool,
};
use rustix::process::{geteuid, getpid};
use serde_json::{json, value::RawValue};
use std::{collections::HashMap, fs::File, net::TcpListener, os::fd::AsFd, time::Duration};

/// How long all attacks together may take. They are refused in milliseconds.
const LIMIT: Duration = Duration::from_secs(30);
const LIMITS: ChildLimits =
    ChildLimits { memory_mb: 64, cpu_seconds: 20, file_mb: 1, open_files: 64, processes: 8 };
/// What a tool holds: input, output twice, its socket, and the file it is given.
const DESCRIPTORS: u32 = 5;

/// Why nothing is known of the walls.
#[derive(Debug, thiserror::Error)]
#[error("the walls around runs could not be tried: {0}")]
pub struct NoProbe(String);

impl Sandbox {
    /// Attacks every wall from within a cell, in a child of this zygote.
    pub(crate) async fn probe(&self, zygotes: &Pool) -> Result<Posture, NoProbe> {
        let failed = |error: &dyn std::fmt::Display| NoProbe(error.to_string());
        let bait = TcpListener::bind("127.0.0.1:0").map_err(|error| failed(&error))?;
        let port = bait.local_addr().map_err(|error| failed(&error))?.port();
        let facts = Self::facts(port).to_string();
        let value = RawValue::from_string(facts).map_err(|error| failed(&error))?;
        let start = Start::Probe { limits: LIMITS, value };
        let question = [Outgoing::Start(start).to_bytes()];
        let nothing = File::open("/dev/null").map_err(|error| failed(&error))?;
        let answer = tools::ask(zygotes, nothing.as_fd(), None, &question, LIMIT).await;
        let answer = answer.map_err(|error: NoAnswer| failed(&error))?;
        let faults = serde_json::from_str(&answer).map_err(|error| failed(&error))?;
        Ok(self.posture(faults))
    }

    fn facts(port: u16) -> serde_json::Value {
        json!({
            "user": geteuid().as_raw(),
            "supervisor": getpid().as_raw_nonzero().get(),
            "port": port,
            // Of the system, and neither shown to a run nor needed by it.
            "hidden": "/proc/self",
            // Shown, because it is above what it may read, but not to be read.
            "elsewhere": "/",
            "descriptors": DESCRIPTORS,
            "processes": LIMITS.processes,
            "memory_mb": LIMITS.memory_mb,
        })
    }

    fn posture(&self, mut faults: HashMap<String, String>) -> Posture {
        let is_root = self.inner.means == Means::Root;
        let made_by = match self.inner.means {
            Means::Root => "made by root",
            Means::User => "made in a user namespace",
            Means::None => "there are no namespaces",
        };
        let groups = self.inner.cells.groups();
        let walls = [
            ("users", is_root, "a system user for each cell".to_owned()),
            ("rights", true, "no capabilities, and no way to more".to_owned()),
            ("processes", true, format!("a process namespace for each run, {made_by}")),
            ("mounts", true, format!("a root directory of its own, {made_by}")),
            ("files", true, "Landlock".to_owned()),
            ("network", true, format!("a network namespace without a route, {made_by}")),
            ("hostname", false, format!("namespaces for names and messages, {made_by}")),
            ("system_calls", true, "a seccomp filter".to_owned()),
            ("descriptors", true, "only those of the run are open".to_owned()),
            ("limits", true, "memory, processes, files and processor time of each".to_owned()),
        ];
        let mut walls: Vec<_> = walls
            .into_iter()
            .map(|(name, required, how)| {
                let fault = faults.remove(name).unwrap_or_else(|| "it was not tried".to_owned());
                self.wall((name, required), how, &fault)
            })
            .collect();
        let (holds, mut how) = (groups.bound_memory(), groups.describe());
        if !holds {
            how += "; delegate a control group to the server (systemd: `Delegate=yes`)";
        }
        walls.push(Wall { name: "memory_together", required: false, holds, how });
        Posture { walls }
    }

    fn wall(&self, (name, required): (&'static str, bool), how: String, fault: &str) -> Wall {
        if fault.is_empty() {
            return Wall { name, required, holds: true, how };
        }
        let why = &self.inner.why;
        let mend = match (name, self.inner.means) {
            ("users", Means::User) => "start the server as root for users of their own",
            ("files", _) => "needs a kernel with Landlock (5.13 or newer) that has it switched on",
            (_, Means::None) => {
                "let the server make namespaces: as root with CAP_SYS_ADMIN, or allow user \
                 namespaces (kernel.unprivileged_userns_clone, user.max_user_namespaces, AppArmor)"
            }
            _ => "see docs/security.md",
        };
        let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
        Wall { name, required, holds: false, how: format!("{fault}{why}; {mend}") }
    }
}
