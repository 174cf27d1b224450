//! A file that a document names is there.

use super::Complaint;
use crate::source::Source;

const ENDINGS: [&str; 5] = [".rs", ".py", ".md", ".toml", ".txt"];
const ROOMS: [&str; 11] = [
    "api/", "bench/", "cli/", "crates/", "domain/", "jobs/", "python/", "runner/", "store/",
    "testkit/", "xtask/",
];

/// Looks for paths in backticks that name a room and no file of it.
pub fn check(sources: &[Source]) -> Vec<Complaint> {
    let documents = sources.iter().filter(|source| source.is(".md"));
    documents.flat_map(|document| complaints(document, sources)).collect()
}

fn complaints(document: &Source, sources: &[Source]) -> Vec<Complaint> {
    let quoted = document.text.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|text| names_a_file(text));
    let missing = paths.filter(|path| !exists(path, sources));
    missing.map(|path| format!("{}: there is no `{path}`", document.path)).collect()
}

fn names_a_file(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    ROOMS.iter().any(|room| text.starts_with(room))
        && ENDINGS.iter().any(|ending| text.ends_with(ending))
        && text.chars().all(plain)
}

fn exists(path: &str, sources: &[Source]) -> bool {
    sources.iter().any(|source| {
        source
            .path
            .strip_suffix(path)
            .is_some_and(|before| before.is_empty() || before.ends_with('/'))
    })
}
