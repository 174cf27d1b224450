//! The account that servers run under: some refuse to run as root.

use std::{fs, os::unix::fs::chown, path::Path, process::Command};

/// Whom to become, if we are root.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// A command that runs `program` as an ordinary user and dies with the thread that starts it.
pub fn ordinary(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some((uid, gid)) = other() {
        command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups");
    }
    command.arg(program.as_ref());
    command
}

/// Lets the ordinary user have a directory.
pub fn give(directory: &Path) {
    if let Some((uid, gid)) = other() {
        chown(directory, Some(uid), Some(gid)).expect("a directory of its own");
    }
}

fn other() -> Option<(u32, u32)> {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:")).expect("ids");
    let effective = ids.split_whitespace().nth(1).expect("an effective id");
    if effective != "0" {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").expect("the accounts");
    let ids = CANDIDATES.iter().find_map(|name| {
        let account = accounts.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = account.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    Some(ids.expect("an account `postgres` or `nobody`"))
}
