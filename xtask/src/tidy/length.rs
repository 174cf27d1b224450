//! No file grows out of sight.

use super::Complaint;
use crate::source::Source;

/// Lines of code in one file, tests aside. Most are far below.
const MOST: usize = 400;

/// Counts lines.
pub fn check(sources: &[Source]) -> Vec<Complaint> {
    let code = sources.iter().filter(|source| source.is(".rs") || source.is(".py"));
    let code = code.filter(|source| !source.is_test());
    let long = code.filter_map(|source| {
        let lines = source.code_lines().count();
        (lines > MOST).then(|| format!("{}: {lines} lines; cut it by its jobs", source.path))
    });
    long.collect()
}
