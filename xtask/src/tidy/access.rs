//! An `Access` is made in three ways, each in one place.

use super::Complaint;
use crate::source::Source;

const MAKERS: [(&str, &[&str]); 3] = [
    ("Access::from_verified_token(", &["crates/api/src/sessions.rs"]),
    ("Access::from_claimed_job(", &["crates/store/src/queue/start.rs"]),
    ("Access::for_operator(", &["crates/cli/src/admin.rs"]),
];

/// Looks for calls outside of those places; tests may make what they need.
pub fn check(sources: &[Source]) -> Vec<Complaint> {
    let code = || sources.iter().filter(|source| source.is(".rs") && !source.is_test());
    let code = || code().filter(|source| !source.path.starts_with("xtask/"));
    let mut complaints = Vec::new();
    for (maker, places) in MAKERS {
        for source in code().filter(|source| !places.contains(&source.path.as_str())) {
            let calls = source.code_lines().filter(|(_, line)| line.contains(maker));
            let complain = |(at, _)| format!("{}:{at}: `{maker}…)` is for {places:?}", source.path);
            complaints.extend(calls.map(complain));
        }
    }
    complaints
}
