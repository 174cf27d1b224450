//! Durable work: waiting for it, claiming it, keeping it, rescuing what a dead worker held,
//! starting what is due, and letting go of what is too old.
//!
//! The queue itself is rows in the store; this room knows when to look and what a claim is worth.
//! It has no idea what the work is.

mod bells;
mod clock;
mod herald;
pub mod metrics;
mod retention;
mod schedule;
mod work;

pub use bells::{Bells, ExecutionWatch};
pub use clock::{Clock, SystemClock};
pub use herald::carry_bells;
pub use retention::Retention;
pub use schedule::Ticker;
pub use work::{Held, LEASE, Work, WorkError};
