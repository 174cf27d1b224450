//! Notes refusals: each once, and only so many of one run.

use super::{metrics, refusal::Refused};
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// Refusals of one run that its log tells.
pub const MOST_LOGGED: usize = 100;
/// Refusals of one run that its organization's audit tells.
pub const MOST_AUDITED: usize = 10;

/// A refusal to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Host and port as the run asked for them.
    pub target: String,
    /// The rule that refused.
    pub rule: &'static str,
    /// What the run was told.
    pub text: String,
    /// Whether it goes into the audit as well.
    pub audited: bool,
}

pub(super) struct Refusals {
    reports: mpsc::Sender<Report>,
    seen: Mutex<HashSet<(String, &'static str)>>,
}

impl Refusals {
    pub fn new(reports: mpsc::Sender<Report>) -> Self {
        Self { reports, seen: Mutex::default() }
    }

    /// Notes a refusal by `rule`, unless the same one was noted before or there are too many.
    pub fn note(&self, refused: &Refused, rule: &'static str) {
        metrics::refused(rule);
        let Some(before) = self.first_time(refused, rule) else { return };
        let mut text = refused.text();
        if before + 1 == MOST_LOGGED {
            text.push_str(" (further refusals of this run are not written down)");
        }
        let audited = before < MOST_AUDITED;
        let report = Report { target: refused.target.clone(), rule, text, audited };
        if self.reports.try_send(report).is_err() {
            tracing::debug!("nobody hears of a refusal: the run is over, or too many wait");
        }
    }

    /// How many others were noted before, if this one is to be noted.
    fn first_time(&self, refused: &Refused, rule: &'static str) -> Option<usize> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.len();
        let first =
            before < MOST_LOGGED && seen.insert((refused.target.to_ascii_lowercase(), rule));
        first.then_some(before)
    }
}
