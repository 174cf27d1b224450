//! Whose turn it is: start-time fair queueing over lanes, one lane for each organization.
//!
//! A lane's *virtual time* is the work it was given, divided by its weight. Whoever has the least is
//! next, so under contention everybody gets a share by weight, counted in time and not in
//! executions. A lane that had nothing to claim *joins* the others when it has: it starts just
//! before them, however long it was away and whatever it used while nobody else wanted it.

use crate::Timestamp;

/// Microseconds that an execution costs beside its time, so that those without any count as well.
pub const MINIMUM: i64 = 5_000;

/// What an execution is taken to cost in a lane that never had one.
pub const UNKNOWN: i64 = 100_000;

/// A lane as the one who claims sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Work it was given, in microseconds, by weight.
    pub virtual_time: i64,
    /// Its share under contention, at least 1.
    pub weight: u32,
    /// What one of its executions costs, as far as is known before it ran.
    pub usual_cost: i64,
    /// Executions it may have started now.
    pub room: u32,
}

impl Lane {
    /// What one more execution adds to its virtual time.
    pub fn step(&self) -> i64 {
        (self.usual_cost / i64::from(self.weight.max(1))).max(1)
    }

    /// Lets it stand beside the others: `level` is the least virtual time of those that have
    /// something to claim, or the greatest of all when nobody has.
    pub fn join(&mut self, level: i64) {
        self.virtual_time = self.virtual_time.max(level.saturating_sub(1));
    }
}

/// What an execution cost. Clocks of two machines may disagree: never less than [`MINIMUM`].
pub fn cost(started: Timestamp, ended: Timestamp) -> i64 {
    ended.0.saturating_sub(started.0).max(0).saturating_add(MINIMUM)
}

/// Deals out up to `limit` starts: each to the lane with the least virtual time that has room, the
/// first of equals. How many each lane gets; their virtual times have advanced by as much.
pub fn share(lanes: &mut [Lane], limit: u32) -> Vec<u32> {
    let mut shares = vec![0; lanes.len()];
    for _ in 0..limit {
        let open = lanes.iter().enumerate().filter(|(at, lane)| shares[*at] < lane.room);
        let next = open.min_by_key(|(_, lane)| lane.virtual_time).map(|(at, _)| at);
        let Some(next) = next else { break };
        shares[next] += 1;
        lanes[next].virtual_time = lanes[next].virtual_time.saturating_add(lanes[next].step());
    }
    shares
}

#[cfg(test)]
mod tests;
