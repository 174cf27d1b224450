//! Durable work: waiting for it, claiming it, keeping it, and rescuing what a dead worker held.
//!
//! The queue itself is rows in the store; this room knows when to look and what a claim is worth.
//! It has no idea what the work is.

mod bells;
mod clock;
pub mod metrics;
mod work;

pub use bells::{Bells, ExecutionWatch};
pub use clock::{Clock, SystemClock};
pub use work::{Held, LEASE, Work, WorkError};
