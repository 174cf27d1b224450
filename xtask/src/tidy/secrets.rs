//! A sealed value is opened for runs, in one place.

use super::Complaint;
use crate::source::Source;

const OPENS: &str = ".reveal_config(";
const PLACE: &str = "crates/runner/src/sources.rs";

/// Looks for code that opens secrets elsewhere; tests may look at what they need.
pub fn check(sources: &[Source]) -> Vec<Complaint> {
    let code = sources.iter().filter(|source| source.is(".rs") && !source.is_test());
    let code = code.filter(|source| source.path != PLACE && !source.path.starts_with("xtask/"));
    let complaints = code.flat_map(|source| {
        let calls = source.code_lines().filter(|(_, line)| line.contains(OPENS));
        calls.map(|(at, _)| format!("{}:{at}: secrets are opened in {PLACE} only", source.path))
    });
    complaints.collect()
}
