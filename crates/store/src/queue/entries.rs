//! Where claimed workflows are, remembered for as long as no file has changed.
//!
//! What a name means is decided by the files of its organization and Global's, and each change of
//! them raises a generation that the claim has read.

use super::ClaimedEntry;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use uuid::Uuid;

/// More than this many are forgotten all at once.
const MOST: usize = 10_000;

/// The generations of an organization's files and of Global's.
pub(super) type Generations = (i64, i64);

type Known = (Generations, Option<ClaimedEntry>);

/// What was found for the names of workflows.
#[derive(Default)]
pub(crate) struct Entries(Mutex<HashMap<Uuid, HashMap<String, Known>>>);

impl Entries {
    /// What the name means at these generations, if that is known.
    pub(super) fn get(
        &self,
        owner: Uuid,
        name: &str,
        generations: Generations,
    ) -> Option<Option<ClaimedEntry>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (when, entry) = known.get(&owner)?.get(name)?;
        (*when == generations).then(|| entry.clone())
    }

    /// Remembers what the name means.
    pub(super) fn put(
        &self,
        owner: Uuid,
        name: &str,
        generations: Generations,
        entry: Option<ClaimedEntry>,
    ) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.values().map(HashMap::len).sum::<usize>() >= MOST {
            known.clear();
        }
        known.entry(owner).or_default().insert(name.to_owned(), (generations, entry));
    }
}
