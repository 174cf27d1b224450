//! What a run's one outcome is, from how it ended.

use crate::{listening::End, zygote::Exit};
use domain::execution::{Failure, Outcome, Status};
use std::time::Duration;
use tokio::time::Instant;

/// Why the supervisor ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its time was up.
    TimedOut,
    /// Somebody asked.
    Cancelled,
}

/// All that is known when a child is gone.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Set when the supervisor ended it; then nothing else counts.
    pub stop: Option<Stop>,
    /// What the child said last.
    pub end: End,
    /// How it went.
    pub exit: Exit,
    /// Whether it had used up its processor time.
    pub spent: bool,
    /// When its outcome was certain.
    pub known: Instant,
}

const SIGKILL: i32 = 9;
/// For too much processor time. The first process of a namespace does not get it, and is killed a
/// second of processor time later.
const SIGXCPU: i32 = 24;

/// The outcome, once.
pub(crate) fn outcome(ending: Ending, timeout: Duration, out_of_memory: bool) -> Outcome {
    match ending {
        Ending { stop: Some(Stop::TimedOut), .. } => {
            let message = format!("the run took longer than its limit of {}", seconds(timeout));
            failure(Status::TimedOut, "TimedOut", message)
        }
        Ending { stop: Some(Stop::Cancelled), .. } => {
            failure(Status::Cancelled, "Cancelled", "the run was cancelled".to_owned())
        }
        Ending { end: End::Result(text, result_type), .. } => {
            Outcome { status: Status::Succeeded, result: Some(text), result_type, failure: None }
        }
        Ending { end: End::Error(error), .. } => {
            let memory = error.kind == "MemoryError";
            let status = if memory { Status::OutOfMemory } else { Status::Failed };
            Outcome { status, result: None, result_type: None, failure: Some(error) }
        }
        Ending { end: End::Broken(broken), .. } => {
            let message = format!("the process was ended because it sent {broken}");
            failure(Status::Crashed, "Crashed", message)
        }
        Ending { end: End::HungUp, .. } => {
            let message = "the process was ended because it closed its connection to the platform";
            failure(Status::Crashed, "Crashed", message.to_owned())
        }
        Ending { end: End::Silence, exit: Exit::Signal(SIGKILL), .. } if out_of_memory => {
            let message = "the processes of the run took more memory than its limit".to_owned();
            failure(Status::OutOfMemory, "MemoryError", message)
        }
        Ending {
            end: End::Silence, exit: Exit::Signal(SIGXCPU | SIGKILL), spent: true, ..
        } => {
            let message = "the run used more processor time than its limit".to_owned();
            failure(Status::TimedOut, "TimedOut", message)
        }
        Ending { end: End::Silence, exit, .. } => crashed(exit),
    }
}

fn crashed(exit: Exit) -> Outcome {
    let message = match exit {
        Exit::Code(_) => format!("the process left without a result ({exit})"),
        Exit::Signal(SIGKILL) => {
            format!("the process was killed by {exit}: by the system, or by itself")
        }
        Exit::Signal(_) => format!("the process was killed by {exit}"),
        Exit::Lost => "the process was lost together with the runtime it came from".to_owned(),
    };
    failure(Status::Crashed, "Crashed", message)
}

fn failure(status: Status, kind: &str, message: String) -> Outcome {
    let (kind, traceback) = (kind.to_owned(), String::new());
    Outcome {
        status,
        result: None,
        result_type: None,
        failure: Some(Failure { kind, message, traceback, details: None }),
    }
}

fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        1.0 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}
