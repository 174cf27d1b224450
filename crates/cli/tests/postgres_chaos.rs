//! Many processes on one PostgreSQL while everything dies at random: nothing accepted is lost,
//! nothing ends twice, nobody sees anything of anybody else.
//!
//! The short form takes half a minute. `BIFROST_FULL=1` runs 20,000 executions on six processes.
//! What happens when is decided by `BIFROST_CHAOS_SEED`, which each run prints.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

#[path = "postgres_chaos/clients.rs"]
mod clients;
#[path = "postgres_chaos/dice.rs"]
mod dice;
#[path = "postgres_chaos/node.rs"]
mod node;
#[path = "postgres_chaos/scene.rs"]
mod scene;
#[path = "postgres_chaos/trouble.rs"]
mod trouble;
#[path = "postgres_chaos/verdict.rs"]
mod verdict;

use dice::Dice;
use scene::{Scene, Size};
use std::{sync::Arc, time::Instant};
use trouble::Trouble;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_dies_each_execution_has_one_outcome_of_its_own_organization() {
    let size = match std::env::var_os("BIFROST_FULL") {
        Some(_) => Size { apis: 2, workers: 4, organizations: 20, each: 1000 },
        None => Size { apis: 2, workers: 2, organizations: 4, each: 40 },
    };
    let seed = Dice::seed();
    println!("BIFROST_CHAOS_SEED={seed}: {size:?}");
    let scene = Arc::new(Scene::start(size).await);
    let began = Instant::now();
    let trouble = Trouble::begin(scene.clone(), Dice::new(seed));
    let accepted = clients::submit_all(&scene, seed).await;
    let told = trouble.end_when(clients::all_ended(&scene, &accepted)).await;
    println!("{:.0?}: {} accepted; {told}", began.elapsed(), accepted.len());
    verdict::check(&scene, &accepted).await;
}
