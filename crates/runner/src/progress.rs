//! Keeps how far a run has come: what it said last, twice a second at most.

use crate::{
    frames::Told,
    masking::Masking,
    sources::{Sources, now},
};
use domain::{Access, ExecutionId, execution::Progress};
use std::time::Duration;
use tokio::{sync::watch, time::timeout};

/// The shortest time between two writes.
const PACE: Duration = Duration::from_millis(500);
/// Bytes of a note.
const MAX_NOTE: usize = 1_000;

/// Keeps what comes until nothing more can.
pub(crate) async fn keep(
    mut told: watch::Receiver<Option<Told>>,
    sources: &Sources,
    (access, execution): (&Access, ExecutionId),
    (masking, ring): (&Masking, impl Fn()),
) {
    while told.changed().await.is_ok() {
        let Some(said) = told.borrow_and_update().clone() else { continue };
        let progress = progress(said, masking);
        match sources.scoped(access).note_progress(execution, &progress).await {
            Ok(()) => ring(),
            Err(error) => tracing::warn!(%error, "how far a run has come was not kept"),
        }
        let mut end = told.clone();
        // Over at once when the run is; what was said meanwhile is seen by the loop.
        let _paced = timeout(PACE, end.wait_for(|_| false)).await;
    }
}

fn progress(told: Told, masking: &Masking) -> Progress {
    let Told { done, total, note } = told;
    let note = note.map(|note| {
        let mut note = masking.text(&note).into_owned();
        note.truncate(note.floor_char_boundary(MAX_NOTE));
        note
    });
    Progress { done, total, note, at: now() }
}
