//! Dependencies between rooms point down only.

use super::Complaint;
use crate::source::Source;

/// Each room with the rooms it may use. `api` and `runner` are siblings.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("cache", &["domain"]),
    ("row_derive", &[]),
    ("store", &["domain", "row_derive"]),
    ("jobs", &["domain", "store"]),
    ("runner", &["cache", "domain", "jobs", "store"]),
    ("api", &["cache", "domain", "jobs", "store"]),
    ("cli", &["api", "cache", "domain", "jobs", "runner", "store"]),
];

/// Reads `[dependencies]` of every room; what tests use is free.
pub fn check(sources: &[Source]) -> Vec<Complaint> {
    let manifests = sources.iter().filter_map(|source| {
        let room = source.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
        Some((room, source))
    });
    manifests.flat_map(|(room, manifest)| complaints(room, &manifest.text)).collect()
}

fn complaints(room: &str, manifest: &str) -> Vec<Complaint> {
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("crates/{room}: draw it in ARCHITECTURE.md and in tidy/arrows.rs")];
    };
    let is_room = |name: &&str| ARROWS.iter().any(|(room, _)| room == name);
    let wrong = dependencies(manifest).filter(is_room).filter(|name| !allowed.contains(name));
    wrong.map(|name| format!("crates/{room}: must not depend on `{name}`")).collect()
}

fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let lines = manifest.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty())
}
