//! The queue: claiming work with a lease, keeping it, finishing it, and finding what was lost.
//!
//! A claim is `(organization, execution, worker, attempt)`. Whoever finishes must still hold it;
//! a worker that lost its lease can change nothing, so an execution ends once.

mod claim;
mod deal;
pub(crate) mod entries;
mod finish;
pub(crate) mod lanes;
mod lease;
mod lend;
mod promote;
mod refuse;
mod rescue;
mod start;

pub use claim::{Claim, Claimed, ClaimedEntry};
pub use finish::{Ended, Finished};
pub use lease::Beat;
pub use lend::{Back, Lease};
pub use refuse::{Refusal as JobRefusal, Refused};
pub use rescue::Rescued;
