//! Masking: secrets that a run was given are `***` in everything it leaves.
//!
//! The supervisor masks, before anything is kept or shown, because only it knows for certain what was
//! given. A run that was given no secret pays one look at a flag. What is looked for is in `forms`.

mod forms;
mod json;

use crate::listening::End;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use domain::{config, execution::Failure};
use forms::Forms;
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// What stands in the place of a secret.
const MASK: &str = "***";
/// Most bytes of all texts of all secrets of one run: each is looked for in a dozen forms.
const MOST_BYTES: usize = 128 * 1024;
/// Most texts of all secrets of one run.
const MOST_TEXTS: usize = 256;
/// Texts from here on may have been cut by the child, in the middle of a secret.
const MAYBE_CUT: usize = 15 * 1024;
/// Between these the child leaves out the middle of a traceback.
const LEFT_OUT: (&str, &str) = ("\n… ", " bytes left out …\n");
/// What the child puts behind a text that it cut.
const CUT_MARK: &str = " … [cut]";

/// The secrets of one run. Shared by all that keep or show something of it.
#[derive(Default)]
pub(crate) struct Masking {
    any: AtomicBool,
    patterns: RwLock<Option<Arc<Patterns>>>,
}

/// A run was given more than can be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("one run can be given at most 256 secret texts of together 128 KiB")]
pub(crate) struct TooMany;

/// What is looked for.
struct Patterns {
    texts: BTreeSet<String>,
    forms: Vec<Vec<u8>>,
    automaton: AhoCorasick,
}

impl Masking {
    /// From now on masks every text in `secret`. To be called before the run gets it, and for one
    /// secret after the other.
    pub(crate) fn learn(&self, secret: &Value) -> Result<(), TooMany> {
        let known = self.patterns();
        let mut texts = known.as_ref().map(|known| known.texts.clone()).unwrap_or_default();
        let before = texts.len();
        let new = config::texts(secret).into_iter().filter(|text| config::is_masked(text));
        texts.extend(new.map(str::to_owned));
        if texts.len() == before {
            return Ok(());
        }
        if texts.len() > MOST_TEXTS || texts.iter().map(String::len).sum::<usize>() > MOST_BYTES {
            return Err(TooMany);
        }
        let patterns = Arc::new(Patterns::new(texts)?);
        *self.patterns.write().unwrap_or_else(PoisonError::into_inner) = Some(patterns);
        self.any.store(true, Ordering::Release);
        Ok(())
    }

    /// The text with the secrets masked.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.patterns() {
            Some(patterns) => patterns.mask(text),
            None => Cow::Borrowed(text),
        }
    }

    /// How a run ended, with the secrets masked.
    pub(crate) async fn end(&self, end: End) -> End {
        let Some(patterns) = self.patterns() else { return end };
        match end {
            End::Result(text, kind) => {
                // There may be 16 MiB, and other runs wait for this thread.
                let work = move || json::mask(&text, &|text| patterns.mask(text));
                match tokio::task::spawn_blocking(work).await {
                    Ok(text) => End::Result(text, kind),
                    Err(error) => {
                        tracing::error!(%error, "a result could not be masked");
                        End::Result(format!("\"{MASK}\""), None)
                    }
                }
            }
            End::Error(Failure { kind, message, traceback, details }) => {
                let mask = |text: String| patterns.mask(&text).into_owned();
                let (kind, message) = (mask(kind), mask(message));
                let details = details.map(|details| patterns.json(&details));
                End::Error(Failure { kind, message, traceback: mask(traceback), details })
            }
            end => end,
        }
    }

    fn patterns(&self) -> Option<Arc<Patterns>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.patterns.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Patterns {
    fn new(texts: BTreeSet<String>) -> Result<Self, TooMany> {
        let mut forms = Forms::default();
        texts.iter().for_each(|text| forms.add(text));
        let forms = forms.all();
        // The other kinds are faster, and far too large for a long secret.
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let automaton = AhoCorasick::builder().kind(kind).build(&forms).map_err(|_| TooMany)?;
        Ok(Self { texts, forms, automaton })
    }

    fn json(&self, value: &Value) -> Value {
        let masked = json::mask(&value.to_string(), &|text| self.mask(text));
        serde_json::from_str(&masked).unwrap_or_else(|_| Value::from(MASK))
    }

    fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found = Ranges::default();
        for hit in self.automaton.find_overlapping_iter(text) {
            found.add(hit.start(), hit.end());
        }
        if text.len() >= MAYBE_CUT {
            self.at_cuts(text, &mut found);
        }
        found.replace(text)
    }

    /// Secrets of which a cut has left only the beginning or only the end.
    fn at_cuts(&self, text: &str, found: &mut Ranges) {
        let end = text.strip_suffix(CUT_MARK).unwrap_or(text).len();
        let (mut ends, mut starts) = (vec![end], Vec::new());
        if let Some(at) = text.find(LEFT_OUT.0)
            && let Some(length) = text[at..].find(LEFT_OUT.1)
        {
            ends.push(at);
            starts.push(at + length + LEFT_OUT.1.len());
        }
        for end in ends {
            let left = text.as_bytes()[..end].as_ref();
            let longest = self.forms.iter().filter_map(|form| overlap(left, form)).max();
            if let Some(length) = longest {
                found.insert(end - length, end);
            }
        }
        for start in starts {
            let right: Vec<u8> = text.as_bytes()[start..].iter().rev().copied().collect();
            let backwards = |form: &Vec<u8>| form.iter().rev().copied().collect::<Vec<u8>>();
            let lengths = self.forms.iter().map(backwards);
            if let Some(length) = lengths.filter_map(|form| overlap(&right, &form)).max() {
                found.insert(start, start + length);
            }
        }
    }
}

/// How long a beginning of `form` `text` ends with, if it says anything.
fn overlap(text: &[u8], form: &[u8]) -> Option<usize> {
    let most = form.len().min(text.len());
    (config::MIN_MASKED..=most).rev().find(|&length| text.ends_with(&form[..length]))
}

/// Ranges of a text, in order and apart from each other.
#[derive(Default)]
struct Ranges(Vec<(usize, usize)>);

impl Ranges {
    /// Adds one that ends no earlier than all before.
    fn add(&mut self, mut start: usize, end: usize) {
        while let Some(&(before, _)) = self.0.last().filter(|(_, last)| *last >= start) {
            start = start.min(before);
            self.0.pop();
        }
        self.0.push((start, end));
    }

    /// Adds one anywhere.
    fn insert(&mut self, start: usize, end: usize) {
        let mut all = std::mem::take(&mut self.0);
        all.push((start, end));
        all.sort_unstable_by_key(|&(_, end)| end);
        all.into_iter().for_each(|(start, end)| self.add(start, end));
    }

    fn replace<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut masked = String::with_capacity(text.len());
        let mut from = 0;
        for &(start, end) in &self.0 {
            // Forms are whole characters but at cuts; then the rest of the character goes too.
            let start = text.floor_char_boundary(start).max(from);
            masked.push_str(&text[from..start]);
            masked.push_str(MASK);
            from = text.ceil_char_boundary(end).max(from);
        }
        masked.push_str(&text[from..]);
        Cow::Owned(masked)
    }
}

#[cfg(test)]
mod tests;
