//! What a worker counts: claims, how executions ended and where their time went, over all
//! organizations.

use domain::execution::Status;
use std::time::Duration;

const CLAIMS: &str = "bifrost_queue_claims_total";
const FINISHED: &str = "bifrost_executions_finished_total";
const RETRIED: &str = "bifrost_executions_retried_total";
const TICKS: &str = "bifrost_schedule_ticks_total";
/// Where the time of executions went.
pub const STAGES: &str = "bifrost_execution_stage_seconds";

/// A part of what an execution takes, from the request to its outcome; they follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It was written into the queue, durably.
    Enqueue,
    /// A worker took it, and those that it took with it.
    Claim,
    /// It got a place to live in.
    Place,
    /// Its files were found, built if they had changed.
    Files,
    /// It became a process.
    Fork,
    /// Its walls were raised, and what it begins with was imported.
    Import,
    /// It ran.
    Code,
    /// Its process and all that it had started were gone, its log kept.
    End,
    /// Its outcome was written, durably.
    Finish,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Enqueue => "enqueue",
            Self::Claim => "claim",
            Self::Place => "place",
            Self::Files => "files",
            Self::Fork => "fork",
            Self::Import => "import",
            Self::Code => "code",
            Self::End => "end",
            Self::Finish => "finish",
        }
    }
}

/// An execution is through with a stage.
pub fn spent(stage: Stage, time: Duration) {
    metrics::histogram!(STAGES, "stage" => stage.as_str()).record(time.as_secs_f64());
}

/// Says what the figures mean, once a collector is there.
pub fn describe() {
    metrics::describe_counter!(CLAIMS, "executions taken from the queue by this process");
    metrics::describe_counter!(
        RETRIED,
        "attempts that failed and are followed by another, by what they ended with"
    );
    metrics::describe_counter!(FINISHED, "executions ended by this process, by outcome");
    metrics::describe_histogram!(STAGES, "seconds of executions, by what they went to");
    metrics::describe_counter!(TICKS, "ticks of schedules settled by this process, by outcome");
}

pub(crate) fn claimed(count: usize) {
    metrics::counter!(CLAIMS).increment(count as u64);
}

pub(crate) fn finished(outcome: Status) {
    metrics::counter!(FINISHED, "outcome" => outcome.as_str()).increment(1);
}

pub(crate) fn tried_again(outcome: Status) {
    metrics::counter!(RETRIED, "outcome" => outcome.as_str()).increment(1);
}

/// Counts a settled tick.
pub(crate) fn ticked(outcome: &'static str) {
    metrics::counter!(TICKS, "outcome" => outcome).increment(1);
}
