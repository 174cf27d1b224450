//! Compiles the modules of a bundle that have no code object yet, in a child.

use super::{Bundle, built, shelf::Slot};
use crate::{
    bundle::{Table, codes},
    frames::BadFrame,
    memfile::MemFile,
    tools::{self, NoAnswer},
    zygote::Pool,
};
use std::{collections::HashSet, io, os::fd::AsFd, sync::Arc, time::Duration};

/// Longest time one child may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Most modules one child compiles, so that what is there can be used soon.
const AT_ONCE: usize = 2_000;
/// Most bytes one child may write; a code object is about as large as its source.
const MAX_OUTPUT: u64 = 512 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(super) enum NotCompiled {
    #[error(transparent)]
    Child(#[from] NoAnswer),
    #[error(transparent)]
    System(#[from] io::Error),
    #[error("the list of modules does not fit into frames: {0}")]
    Question(#[from] BadFrame),
}

/// Compiles what is missing and attaches it. If the slot has a newer bundle by then, that one
/// gets what still fits it.
pub(super) async fn compile(
    tools: &Pool,
    bundle: &Arc<Bundle>,
    slot: &Slot,
) -> Result<(), NotCompiled> {
    let table = Table::read(&bundle.file)?;
    let mut codes = codes::read(&bundle.codes(), table.len())?;
    let missing: Vec<u32> = table
        .entries()
        .filter(|entry| entry.kind.has_code() && !codes.contains_key(&entry.number))
        .map(|entry| entry.number)
        .collect();
    for some in missing.chunks(AT_ONCE) {
        let made = compile_some(tools, bundle, some).await?;
        codes.extend(made);
        let file = MemFile::sealed("bifrost-codes", &codes::write(table.len(), &codes))?;
        bundle.set_codes(file);
    }
    if let Some(newer) = slot.latest().filter(|latest| !Arc::ptr_eq(latest, bundle)) {
        built::carry_late(&newer, bundle)?;
    }
    Ok(())
}

async fn compile_some(
    tools: &Pool,
    bundle: &Bundle,
    entries: &[u32],
) -> Result<codes::Codes, NotCompiled> {
    let output = MemFile::writable("bifrost-compiled")?;
    let question = tools::compile_question(entries)?;
    let more = Some(output.as_fd());
    let answer = tools::ask(tools, bundle.file.as_fd(), more, &question, LIMIT).await;
    // What was written before a child died is whole as far as it goes.
    let written = output.read_all(MAX_OUTPUT)?;
    let made = codes::compiled(&written, &entries.iter().copied().collect::<HashSet<_>>());
    match answer {
        Err(error) if made.is_empty() => Err(error.into()),
        _ => Ok(made),
    }
}
