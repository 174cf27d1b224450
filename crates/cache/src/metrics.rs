//! What the cache counts. No label holds an id, a name or an address.

use crate::{Health, value::Dropped};
use std::time::Duration;

/// The figure that wants buckets, in seconds.
pub const SECONDS: &str = "bifrost_cache_seconds";
const UP: &str = "bifrost_cache_up";
const HITS: &str = "bifrost_cache_hits_total";
const MISSES: &str = "bifrost_cache_misses_total";
const ERRORS: &str = "bifrost_cache_errors_total";
const DROPPED: &str = "bifrost_cache_dropped_total";
const SKIPPED: &str = "bifrost_cache_writes_skipped_total";

/// Says what the figures mean, once a collector is there.
pub fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_gauge!(UP, "1 while the cache answers; 0 while runs do without it");
    describe_counter!(HITS, "files that came from the cache");
    describe_counter!(MISSES, "files that the cache did not have");
    describe_counter!(ERRORS, "requests to the cache that failed");
    describe_counter!(DROPPED, "values that were not what their key and the database say");
    describe_counter!(SKIPPED, "writes given up because too much was waiting");
    describe_histogram!(SECONDS, "seconds that the cache took to answer");
}

/// How the cache is at the moment.
pub fn tell(health: Health) {
    metrics::gauge!(UP).set(if health == Health::Degraded { 0.0 } else { 1.0 });
}

pub(crate) fn found(hits: usize, misses: usize) {
    metrics::counter!(HITS).increment(hits as u64);
    metrics::counter!(MISSES).increment(misses as u64);
}

pub(crate) fn failed(operation: &'static str) {
    metrics::counter!(ERRORS, "op" => operation).increment(1);
}

pub(crate) fn dropped(why: Dropped) {
    metrics::counter!(DROPPED, "why" => why.as_str()).increment(1);
}

pub(crate) fn skipped() {
    metrics::counter!(SKIPPED).increment(1);
}

pub(crate) fn took(operation: &'static str, time: Duration) {
    metrics::histogram!(SECONDS, "op" => operation).record(time.as_secs_f64());
}
