//! What a worker counts: claims and how executions ended, over all organizations.

use domain::execution::Status;

const CLAIMS: &str = "bifrost_queue_claims_total";
const FINISHED: &str = "bifrost_executions_finished_total";
const RETRIED: &str = "bifrost_executions_retried_total";
const TICKS: &str = "bifrost_schedule_ticks_total";

/// Says what the figures mean, once a collector is there.
pub fn describe() {
    metrics::describe_counter!(CLAIMS, "executions taken from the queue by this process");
    metrics::describe_counter!(
        RETRIED,
        "attempts that failed and are followed by another, by what they ended with"
    );
    metrics::describe_counter!(FINISHED, "executions ended by this process, by outcome");
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
