//! The account that servers run under: some refuse to run as root.

use std::{
    fs,
    os::unix::fs::chown,
    path::Path,
    process::{Child, Command},
    sync::{
        OnceLock,
        mpsc::{Sender, channel},
    },
};

type Order = (Command, Sender<std::io::Result<Child>>);

/// Gives the orders of [`start`] to the one thread that carries them out.
static STARTER: OnceLock<Sender<Order>> = OnceLock::new();

/// Whom to become, if we are root.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// Starts a command of [`ordinary`] from a thread that lives as long as this process, because the
/// command dies with the thread that starts it.
pub fn start(command: Command) -> Child {
    let starter = STARTER.get_or_init(|| {
        let (orders, incoming) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in incoming {
                // Whoever ordered waits for it.
                let _heard = reply.send(command.spawn());
            }
        });
        orders
    });
    let (reply, started) = channel();
    starter.send((command, reply)).expect("the starter lives");
    started.recv().expect("an answer").expect("the server starts")
}

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
