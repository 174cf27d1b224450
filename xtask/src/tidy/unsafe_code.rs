//! `unsafe` is written in the runner's sandbox and nowhere else.

use super::Complaint;
use crate::source::Source;

const SANDBOX: &str = "crates/runner/src/sandbox";

/// Looks for the keyword and for a lifted lint.
pub fn check(sources: &[Source]) -> Vec<Complaint> {
    let elsewhere = sources.iter().filter(|source| source.is(".rs"));
    let elsewhere = elsewhere
        .filter(|source| !source.path.starts_with(SANDBOX) && !source.path.starts_with("xtask/"));
    elsewhere.flat_map(complaints).collect()
}

fn complaints(source: &Source) -> Vec<Complaint> {
    let is_guilty = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.into_iter().any(|word| word == "unsafe") || code.contains("allow(unsafe_code")
    };
    let guilty = source.text.lines().enumerate().filter(|(_, line)| is_guilty(line));
    guilty
        .map(|(at, _)| format!("{}:{}: `unsafe` outside {SANDBOX}", source.path, at + 1))
        .collect()
}
