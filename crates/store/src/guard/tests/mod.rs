//! The guard held to good statements, hostile ones, mutants of the good ones, and values.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test may")]

mod ahead;
mod append_only;
mod good;
mod grouping;
mod hostile;
mod mutants;
mod system;
mod values;
mod worlds;

use sea_orm::Value;
use uuid::Uuid;

use super::{CATALOG, Mode, Proof, Refusal, inspect};

const OWN: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_000a);
const FOREIGN: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_000b);

fn tenant(sql: &str) -> Result<Proof, Refusal> {
    inspect(sql, &CATALOG, Mode::Tenant)
}

/// Thirty values that satisfy `proof`: the organization, Global where two may be read, and text.
fn satisfying(proof: &Proof) -> Vec<Value> {
    let mut values = vec![Value::from("text"); 30];
    for number in proof.readable() {
        values[number - 1] = Value::from(Uuid::nil());
    }
    for number in proof.readable().first().into_iter().chain(proof.organization()) {
        values[number - 1] = Value::from(OWN);
    }
    values
}
