//! Whatever changes something says so in an audit, in the same function and transaction.

use super::Complaint;
use crate::source::Source;

/// How a transaction that writes is opened.
const OPENS: [&str; 2] = [".write(", ".write_beside_others("];
/// An entry of its own, or one in each of the organizations concerned.
const TELLS: [&str; 3] = [".audit(", ".audit_each(", "both("];

/// Functions that write without an entry, each with the reason.
const SILENT: [(&str, &str); 32] = [
    ("touch_api_key", "that a key was used is in the key"),
    ("touch_console_session", "that a session was used is in the session"),
    ("append_logs", "a run's own words"),
    ("begin_master_key", "the first start of an installation, before anybody is there"),
    ("begin", "the end of a rotation of the master key tells"),
    ("remove_rows", "the begin of the purge tells"),
    ("remove_organization", "the begin of the purge tells"),
    ("promote", "an execution tells its own life"),
    ("lanes", "an execution tells its own life; what is refused is told by `refuse`"),
    ("finish", "an execution tells its own life"),
    ("beat", "an execution tells its own life"),
    ("let_go", "an execution tells its own life"),
    ("rescue", "an execution tells its own life"),
    ("enqueue", "an execution tells its own life; `Write::enqueue` tells of who acts"),
    ("enqueue_child", "an execution tells its own life"),
    ("enqueue_options", "an execution tells its own life"),
    ("lend_place", "an execution tells its own life"),
    ("take_place_back", "an execution tells its own life"),
    ("note_progress", "a run's own words"),
    ("keep_execution_file", "a run's own words"),
    ("set_state", "a run's own words"),
    ("delete_state", "a run's own words"),
    ("start_scheduled", "an execution tells its own life"),
    ("without_a_place", "the schedule tells what its last tick came to"),
    ("plan_schedules_of", "what was changed has been told by whoever changed it"),
    ("remove_executions", "what is past its retention goes"),
    ("want_environment", "whoever wrote the file has told"),
    ("keep_lock", "whoever wrote the file has told; what it came to is there to read"),
    ("tell_environment", "a build tells its own life"),
    ("forget_environments", "what a file no longer asks for goes"),
    ("remove_refresh_tokens", "what has run out goes"),
    ("renew_setup_link", "the link is printed; its use tells"),
];

/// Looks through the store's functions, and for reasons that nobody needs any more.
pub fn check(sources: &[Source]) -> Vec<Complaint> {
    let store = sources.iter().filter(|source| {
        source.path.starts_with("crates/store/src/") && source.is(".rs") && !source.is_test()
    });
    // An engine carries what others write.
    let store = store.filter(|source| !source.path.starts_with("crates/store/src/postgres"));
    let (mut complaints, mut used) = (Vec::new(), Vec::new());
    for source in store {
        let text = source.text.split("#[cfg(test)]").next().unwrap_or_default();
        for (name, body) in
            functions(text).filter(|(_, body)| OPENS.iter().any(|opens| body.contains(opens)))
        {
            let tells = TELLS.iter().any(|word| body.contains(word));
            match SILENT.iter().find(|(silent, _)| *silent == name) {
                Some((silent, _)) if !tells => used.push(*silent),
                None if !tells && !name.starts_with("write") => complaints.push(format!(
                    "{}: `{name}` writes and is in no audit; see xtask/src/tidy/audited.rs",
                    source.path
                )),
                _ => {}
            }
        }
    }
    let idle = SILENT.iter().filter(|(name, _)| !used.contains(name));
    complaints.extend(idle.map(|(name, _)| {
        format!("xtask/src/tidy/audited.rs: `{name}` needs no reason to be silent")
    }));
    complaints
}

/// Each asynchronous function with its text, up to the brace that ends it.
fn functions(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("async fn ").skip(1).filter_map(|rest| {
        let name = rest.split(['(', '<']).next()?;
        let (open, mut depth) = (rest.find('{')?, 0);
        let end = rest[open..].char_indices().find_map(|(at, letter)| {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            (depth == 0).then_some(open + at)
        })?;
        Some((name, &rest[..end]))
    })
}
