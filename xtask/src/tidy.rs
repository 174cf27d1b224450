//! The rules: one file each, each gives the places where it is broken.

mod access;
mod arrows;
mod audited;
mod length;
mod paths;
mod secrets;
mod sentence;
mod sql;
mod system_calls;
mod unguarded;
mod unsafe_code;

use crate::source;
use anyhow::bail;

/// A place where a rule is broken, with what to do about it.
pub type Complaint = String;

/// Holds every rule; `bless` rewrites the golden lists instead of comparing them.
pub fn run(bless: bool) -> anyhow::Result<()> {
    let sources = source::all()?;
    let mut complaints = Vec::new();
    complaints.extend(sentence::check(&sources));
    complaints.extend(arrows::check(&sources));
    complaints.extend(audited::check(&sources));
    complaints.extend(sql::check(&sources));
    complaints.extend(unguarded::check(&sources));
    complaints.extend(unsafe_code::check(&sources));
    complaints.extend(access::check(&sources));
    complaints.extend(secrets::check(&sources));
    complaints.extend(length::check(&sources));
    complaints.extend(paths::check(&sources));
    complaints.extend(system_calls::check(&sources, bless)?);
    for complaint in &complaints {
        println!("tidy: {complaint}");
    }
    if complaints.is_empty() {
        println!("tidy: {} files in order", sources.len());
        return Ok(());
    }
    bail!("{} complaint(s)", complaints.len())
}
