//! Every use of the caretakers' door is on a list that people review.

use super::Complaint;
use crate::source::{self, Source};
use anyhow::Context;

const LIST: &str = "crates/store/system_calls.txt";

/// Compares `file Reason` of every `system(Reason::…)` with the golden list.
pub fn check(sources: &[Source], bless: bool) -> anyhow::Result<Vec<Complaint>> {
    let found = calls(sources);
    let path = source::root()?.join(LIST);
    if bless {
        std::fs::write(&path, found).with_context(|| format!("{LIST} cannot be written"))?;
        return Ok(Vec::new());
    }
    let golden =
        std::fs::read_to_string(&path).with_context(|| format!("{LIST} cannot be read"))?;
    if golden == found {
        return Ok(Vec::new());
    }
    Ok(vec![format!(
        "{LIST} is not what the code does; review, then `cargo xtask tidy --bless`:\n{found}"
    )])
}

fn calls(sources: &[Source]) -> String {
    let code = sources.iter().filter(|source| source.is(".rs") && !source.is_test());
    let code = code.filter(|source| !source.path.starts_with("xtask/"));
    let mut lines: Vec<String> = code
        .flat_map(|source| {
            let text: String = source.code_lines().map(|(_, line)| line.trim()).collect();
            let reasons = text.split("system(Reason::").skip(1);
            let reasons = reasons.filter_map(|rest| rest.split(')').next().map(str::to_owned));
            reasons.map(|reason| format!("{} {reason}\n", source.path)).collect::<Vec<_>>()
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}
