//! The guard can be switched off in one measurement and in nothing that is shipped.

use super::Complaint;
use crate::source::Source;

const FEATURE: &str = "unguarded";
const PLACES: [&str; 8] = [
    "crates/store/Cargo.toml",
    "crates/store/src/db.rs",
    "crates/store/src/guard/cache.rs",
    "crates/api/Cargo.toml",
    "crates/api/benches/scoping_cost.rs",
    "bench/scoping.py",
    "xtask/src/tidy.rs",
    "xtask/src/tidy/unguarded.rs",
];

/// Looks for the feature outside of the measurement, and for one that is on by default.
pub fn check(sources: &[Source]) -> Vec<Complaint> {
    let code = sources.iter().filter(|source| !source.is(".md"));
    let elsewhere = code.filter(|source| !PLACES.contains(&source.path.as_str()));
    let elsewhere = elsewhere.filter(|source| source.text.contains(FEATURE));
    let mut complaints: Vec<_> = elsewhere
        .map(|source| format!("{}: `{FEATURE}` is for {PLACES:?} only", source.path))
        .collect();
    let manifests = sources.iter().filter(|source| source.is("Cargo.toml"));
    let on = manifests.filter(|source| source.text.contains("default = ["));
    complaints.extend(on.map(|source| format!("{}: features are off by default", source.path)));
    complaints
}
