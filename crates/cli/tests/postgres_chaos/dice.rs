//! Chance that can be repeated.

use std::time::Duration;

/// A row of numbers that its seed decides (xorshift).
pub struct Dice(u64);

impl Dice {
    /// The seed of this run.
    pub fn seed() -> u64 {
        match std::env::var("BIFROST_CHAOS_SEED") {
            Ok(seed) => seed.parse().expect("BIFROST_CHAOS_SEED is a number"),
            Err(_) => uuid::Uuid::new_v4().as_u128() as u64 | 1,
        }
    }

    /// The row of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        (self.next() % sides as u64) as usize
    }

    /// A time between two.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = (most - least).as_millis() as usize;
        least + Duration::from_millis(self.roll(span) as u64)
    }
}
