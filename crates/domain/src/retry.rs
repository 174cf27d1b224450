//! When a failed execution is tried again.

use crate::execution::Status;
use std::time::Duration;

/// The first pause, unless the workflow says `retry_delay`.
pub const DEFAULT_DELAY: Duration = Duration::from_secs(10);

/// No pause is longer.
pub const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// Whether trying again may help. Who was cancelled is done, and who is lost was tried already.
pub fn may_help(outcome: Status) -> bool {
    use Status::{Crashed, Failed, OutOfMemory, TimedOut};
    matches!(outcome, Failed | TimedOut | Crashed | OutOfMemory)
}

/// How long to wait after attempt number `attempt`: twice as long each time, up to an hour, and up to
/// a quarter longer by `jitter` (0 to 1), so that those that failed together come back one by one.
pub fn delay(first: Duration, attempt: u32, jitter: f64) -> Duration {
    let doubled = 2f64.powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX).min(64));
    let seconds = first.as_secs_f64() * doubled * (1.0 + jitter.clamp(0.0, 1.0) / 4.0);
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_the_last_and_none_is_longer_than_an_hour() {
        let first = Duration::from_secs(10);
        let seconds = |attempt| delay(first, attempt, 0.0).as_secs();
        assert_eq!([1, 2, 3, 4].map(seconds), [10, 20, 40, 80]);
        assert_eq!([10, 100, u32::MAX].map(seconds), [3_600; 3]);
        assert_eq!(delay(first, 1, 1.0), Duration::from_millis(12_500));
        assert_eq!(delay(Duration::MAX, 7, 9.0), LONGEST_DELAY);
        assert_eq!(delay(Duration::ZERO, 7, 0.5), Duration::ZERO);
    }

    #[test]
    fn what_succeeded_was_cancelled_or_lost_is_over() {
        let helps: Vec<_> = Status::ALL.into_iter().filter(|status| may_help(*status)).collect();
        assert_eq!(helps.len(), 4);
        assert!(!may_help(Status::Cancelled) && !may_help(Status::Lost));
    }
}
