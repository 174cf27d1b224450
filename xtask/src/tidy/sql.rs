//! SQL is written in the store and nowhere else.

use super::Complaint;
use crate::source::Source;

const SIGNS: [&str; 6] =
    ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM ", "sea_orm::", "sqlx::"];

/// Looks for statements and for database libraries outside of the room that may have them.
pub fn check(sources: &[Source]) -> Vec<Complaint> {
    let elsewhere = sources.iter().filter(|source| {
        source.is(".rs") && !source.path.starts_with("crates/store/") && !source.is_test()
    });
    let elsewhere = elsewhere.filter(|source| !source.path.starts_with("xtask/"));
    elsewhere.flat_map(complaints).collect()
}

fn complaints(source: &Source) -> Vec<Complaint> {
    let guilty =
        source.code_lines().filter(|(_, line)| SIGNS.iter().any(|sign| line.contains(sign)));
    guilty.map(|(at, _)| format!("{}:{at}: SQL belongs into crates/store", source.path)).collect()
}
