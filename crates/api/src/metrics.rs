//! What the process counts, as Prometheus reads it. No label holds an id, a name or an address:
//! the figures are of the installation, never of one organization.

use crate::routes::isolation::Isolation;
use cache::Cache;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{sync::OnceLock, time::Duration};
use store::Store;

/// Upper bounds of the buckets of a request's time, in seconds.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
const STAGE_SECONDS: [f64; 12] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 10.0, 60.0];
/// After so many requests the samples are put into their buckets, read or not.
const UPKEEP_EVERY: u64 = 1024;

const REQUESTS: &str = "bifrost_http_requests_total";
const DURATION: &str = "bifrost_http_request_duration_seconds";
const SIGN_IN_FAILURES: &str = "bifrost_sign_in_failures_total";
const SESSIONS: &str = "bifrost_session_lookups_total";
const CHECKED: &str = "bifrost_guard_statements_checked_total";
const REFUSED: &str = "bifrost_guard_statements_refused_total";
const BUILD: &str = "bifrost_build_info";
const WALL: &str = "bifrost_isolation_wall";

/// The collector of this process; `None` if another one was there first.
fn collector() -> Option<&'static PrometheusHandle> {
    static COLLECTOR: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    COLLECTOR.get_or_init(install).as_ref()
}

fn install() -> Option<PrometheusHandle> {
    let duration = Matcher::Full(DURATION.to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(duration, &SECONDS);
    let cache = Matcher::Full(cache::metrics::SECONDS.to_owned());
    let builder = builder.ok()?.set_buckets_for_metric(cache, &SECONDS);
    let stages = Matcher::Full(jobs::metrics::STAGES.to_owned());
    let builder = builder.ok()?.set_buckets_for_metric(stages, &STAGE_SECONDS);
    let recorder = builder.ok()?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok()?;
    describe();
    Some(handle)
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(REQUESTS, "requests by route, method and status");
    describe_histogram!(DURATION, "seconds until a request was answered");
    describe_counter!(SIGN_IN_FAILURES, "sign-ins and exchanges that were refused");
    describe_counter!(SESSIONS, "looks at whether a token still counts");
    describe_counter!(CHECKED, "statements shown to the guard");
    describe_counter!(REFUSED, "statements that the guard refused: each is a fault");
    describe_gauge!(BUILD, "1; which version answers");
    describe_gauge!(WALL, "1 if the wall around runs held when the process started, else 0");
    jobs::metrics::describe();
    cache::metrics::describe();
}

/// Starts counting. Before this nothing is counted; again does nothing.
pub fn start() {
    if collector().is_none() {
        tracing::warn!("figures are collected elsewhere; `/metrics` is empty");
    }
}

/// All figures, in Prometheus' text format.
pub fn text(store: &Store, cache: &Cache) -> String {
    let Some(collector) = collector() else { return String::new() };
    let (checked, refused) = store.guard_counts();
    metrics::counter!(CHECKED).absolute(checked);
    metrics::counter!(REFUSED).absolute(refused);
    cache::metrics::tell(cache.health());
    metrics::gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    collector.render()
}

/// The walls around runs are known.
pub fn walls(isolation: &Isolation) {
    for wall in &isolation.walls {
        let required = if wall.required { "yes" } else { "no" };
        let gauge = metrics::gauge!(WALL, "wall" => wall.name, "required" => required);
        gauge.set(if wall.holds { 1.0 } else { 0.0 });
    }
}

/// A request was answered. `route` is the template of its path.
pub fn answered(route: Option<String>, method: &axum::http::Method, status: u16, took: Duration) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static ANSWERED: AtomicU64 = AtomicU64::new(1);
    let route = route.unwrap_or_else(|| "none".to_owned());
    let method = known_method(method);
    let labels = [("route", route), ("method", method.to_owned())];
    metrics::histogram!(DURATION, &labels).record(took.as_secs_f64());
    let [route, method] = labels;
    let labels = [route, method, ("status", status.to_string())];
    metrics::counter!(REQUESTS, &labels).increment(1);
    if ANSWERED.fetch_add(1, Ordering::Relaxed).is_multiple_of(UPKEEP_EVERY)
        && let Some(collector) = collector()
    {
        collector.run_upkeep();
    }
}

/// Clients may send any word as a method; only known ones become a label.
fn known_method(method: &axum::http::Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// Somebody was not let in. `how` is one of a few words.
pub fn sign_in_failed(how: &'static str) {
    metrics::counter!(SIGN_IN_FAILURES, "how" => how).increment(1);
}

/// A session was asked for, and looked up in the database if it was not `remembered`.
pub fn session_asked(remembered: bool) {
    let from = if remembered { "memory" } else { "database" };
    metrics::counter!(SESSIONS, "from" => from).increment(1);
}
