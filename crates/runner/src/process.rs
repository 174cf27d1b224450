//! Signals to processes this supervisor is responsible for.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Kills every process of the group; one that is gone is no error.
pub(crate) fn kill_group(leader: i32) {
    if let Some(pid) = Pid::from_raw(leader)
        && let Err(error) = kill_process_group(pid, Signal::KILL)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(leader, %error, "a process group could not be killed");
    }
}

/// Kills one process; one that is gone is no error.
pub(crate) fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid)
        && let Err(error) = kill_process(pid, Signal::KILL)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(?pid, %error, "a process could not be killed");
    }
}

/// What people call the signal of this number.
pub(crate) fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}
