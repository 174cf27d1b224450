//! Proofs that need to see the store from the inside: its walls switched off one at a time, and
//! every statement it has.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

mod ablation;
mod attacks;
mod moved_tables;
mod on_postgres_pieces;
mod plans;
mod second_prover;
pub(crate) mod sql_audit;
mod statements;
mod without_laws;
