//! The log of one run: masked, limited, batched, handed on as it happens.

use crate::masking::Masking;
use domain::{
    Timestamp,
    execution::{LogLevel, LogLine},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// Longest line, in bytes.
pub(crate) const MAX_LINE: usize = 64 * 1024;
/// Most of one run, in bytes.
const MAX_RUN: u64 = 10 * 1024 * 1024;
/// What a line counts besides its bytes: a million empty lines are not free.
const LINE_COST: u64 = 64;
/// Most lines handed on at once.
const BATCH_LINES: usize = 200;
/// Longest a line waits for others.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// What a line that was cut ends with.
const CUT: &str = " … (cut at 64 KiB)";

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub lines: u64,
    pub bytes: u64,
}

/// Where the lines of one run go in. When the other end is slow, so is this one.
pub(crate) struct LogGate {
    lines: mpsc::Sender<LogLine>,
    counts: Mutex<Counts>,
    masking: Arc<Masking>,
}

#[derive(Default)]
struct Counts {
    bytes: u64,
    dropped: Dropped,
}

/// A gate and the end that [`deliver`] reads.
pub(crate) fn gate(masking: Arc<Masking>) -> (LogGate, mpsc::Receiver<LogLine>) {
    let (lines, receiver) = mpsc::channel(BATCH_LINES);
    (LogGate { lines, counts: Mutex::default(), masking }, receiver)
}

impl LogGate {
    /// Adds a line, or counts it as dropped when the run has said enough.
    pub(crate) async fn push(&self, level: LogLevel, message: &str, time: Timestamp) {
        if self.admit(message.len()) {
            // Before it is cut: half a secret would not be found.
            let line = LogLine { time, level, message: tidy(&self.masking.text(message)) };
            // The receiver lives as long as the run.
            let _closed = self.lines.send(line).await;
        }
    }

    /// Whether the run has said enough, so that nothing more is kept.
    pub(crate) fn is_full(&self) -> bool {
        self.counts().bytes >= MAX_RUN
    }

    /// Counts what was left out elsewhere.
    pub(crate) fn drop_more(&self, more: Dropped) {
        let mut counts = self.counts();
        counts.dropped.lines = counts.dropped.lines.saturating_add(more.lines);
        counts.dropped.bytes = counts.dropped.bytes.saturating_add(more.bytes);
    }

    /// Says, as the last line, how much was left out.
    pub(crate) async fn close(self, now: Timestamp) {
        let Dropped { lines, bytes } = self.counts().dropped;
        if lines > 0 || bytes > 0 {
            let message = format!(
                "the log of this run is over 10 MiB: {lines} lines ({bytes} bytes) left out"
            );
            let line = LogLine { time: now, level: LogLevel::Warning, message };
            let _closed = self.lines.send(line).await;
        }
    }

    fn admit(&self, size: usize) -> bool {
        let size = size as u64;
        let mut counts = self.counts();
        let cost = size.min(MAX_LINE as u64) + LINE_COST;
        if counts.bytes + cost > MAX_RUN {
            counts.bytes = MAX_RUN;
            counts.dropped.lines += 1;
            counts.dropped.bytes = counts.dropped.bytes.saturating_add(size);
            return false;
        }
        counts.bytes += cost;
        true
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts what is too long and replaces NUL, which PostgreSQL cannot keep in a text.
fn tidy(message: &str) -> String {
    let mut text = message.to_owned();
    if text.len() > MAX_LINE {
        let mut end = MAX_LINE - CUT.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(CUT);
    }
    if text.contains('\0') { text.replace('\0', "\u{2400}") } else { text }
}

/// Whoever keeps lines. A trait and not a closure, so that the future of a run can be sent to
/// another thread, which the compiler cannot see of asynchronous closures.
pub(crate) trait Keep: Send {
    /// Why they could not be kept.
    type Error: std::fmt::Display + Send;

    /// Keeps these lines, in this order, after those before.
    fn keep(&mut self, lines: &[LogLine]) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Hands lines on in batches until the gate is closed. Returns the lines of the last batch, which
/// are left to the caller to keep together with the outcome, and how many could not be kept.
pub(crate) async fn deliver<K: Keep>(
    mut lines: mpsc::Receiver<LogLine>,
    mut keeper: K,
) -> (Vec<LogLine>, u64) {
    let mut lost = 0;
    loop {
        let (batch, closed) = next_batch(&mut lines).await;
        if closed {
            return (batch, lost);
        }
        if let Err(error) = persist(&batch, &mut keeper).await {
            tracing::error!(%error, lines = batch.len(), "lines of a run's log are lost");
            lost += batch.len() as u64;
        }
    }
}

/// The lines until a batch is full, the time of its first line is up or the gate is closed.
async fn next_batch(lines: &mut mpsc::Receiver<LogLine>) -> (Vec<LogLine>, bool) {
    let Some(first) = lines.recv().await else { return (Vec::new(), true) };
    let mut batch = vec![first];
    let due = Instant::now() + BATCH_TIME;
    while batch.len() < BATCH_LINES {
        match tokio::time::timeout_at(due, lines.recv()).await {
            Ok(Some(line)) => batch.push(line),
            Ok(None) => return (batch, true),
            Err(_) => break,
        }
    }
    (batch, false)
}

/// Tries three times: a busy database is no reason to lose a log.
async fn persist<K: Keep>(batch: &[LogLine], keeper: &mut K) -> Result<(), K::Error> {
    for pause in [50, 250] {
        if keeper.keep(batch).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    keeper.keep(batch).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<LogLine>>>);

    impl Keep for Kept {
        type Error = std::io::Error;
        async fn keep(&mut self, lines: &[LogLine]) -> Result<(), Self::Error> {
            self.0.lock().unwrap().extend_from_slice(lines);
            Ok(())
        }
    }

    struct Full;

    impl Keep for Full {
        type Error = &'static str;
        async fn keep(&mut self, lines: &[LogLine]) -> Result<(), Self::Error> {
            assert_eq!(lines[0].message, "a\u{2400}b");
            Err("full")
        }
    }

    #[tokio::test]
    async fn a_run_that_says_too_much_is_told_so_once() {
        let (gate, lines) = gate(Arc::default());
        let long = "é".repeat(MAX_LINE);
        let talk = async {
            for _ in 0..200 {
                gate.push(LogLevel::Info, &long, Timestamp(0)).await;
            }
            assert!(gate.is_full());
            gate.drop_more(Dropped { lines: 1, bytes: 5 });
            gate.close(Timestamp(1)).await;
        };
        let kept = Kept::default();
        let listen = deliver(lines, kept.clone());
        let (rest, lost) = tokio::join!(talk, listen).1;
        assert_eq!(lost, 0);
        let mut kept = kept.0.lock().unwrap().clone();
        kept.extend(rest);
        assert_eq!(kept.len(), 160);
        assert!(kept[0].message.len() <= MAX_LINE && kept[0].message.ends_with(CUT));
        assert!(kept[159].message.contains("42 lines"), "{}", kept[159].message);
    }

    #[tokio::test]
    async fn lines_that_cannot_be_kept_are_counted() {
        let (gate, lines) = gate(Arc::default());
        let talk = async {
            for _ in 0..BATCH_LINES + 1 {
                gate.push(LogLevel::Info, "a\0b", Timestamp(0)).await;
            }
            gate.close(Timestamp(1)).await;
        };
        let listen = deliver(lines, Full);
        let (rest, lost) = tokio::join!(talk, listen).1;
        assert_eq!((rest.len(), lost), (1, BATCH_LINES as u64));
    }
}
