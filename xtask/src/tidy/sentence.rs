//! Every source file opens with a sentence that says what it is for.

use super::Complaint;
use crate::source::Source;

/// `//!` in Rust, a docstring in Python (after an interpreter line).
pub fn check(sources: &[Source]) -> Vec<Complaint> {
    let rust = sources.iter().filter(|source| source.is(".rs") && !opens_in_rust(&source.text));
    let python = sources.iter().filter(|source| source.is(".py") && !opens_in_python(&source.text));
    let complain = |source: &Source| format!("{}: no sentence at the top", source.path);
    rust.chain(python).map(complain).collect()
}

fn opens_in_rust(text: &str) -> bool {
    text.starts_with("//! ") || text.trim().is_empty()
}

fn opens_in_python(text: &str) -> bool {
    let is_preamble = |line: &&str| line.starts_with("#!") || line.trim().is_empty();
    match text.lines().find(|line| !is_preamble(line)) {
        Some(first) => first.starts_with("\"\"\"") || first.starts_with("r\"\"\""),
        None => true,
    }
}
