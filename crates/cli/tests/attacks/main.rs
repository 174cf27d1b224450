//! Attacks of workflows on everything around them, as real runs of the real program: each is refused
//! or ended, each succeeds without walls, and afterwards nothing of them is left.
//!
//! The attacks are in `python/attacks`, a file per family. All of it happens in a network namespace
//! that the test makes, where the addresses of metadata services and of a public host are its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

mod aftermath;
mod alternating;
mod plain;
mod posture;
mod space;
mod stage;
mod streams;
mod verdict;

use space::{As, inside};

#[test]
fn every_attack_is_refused_as_root() {
    space::enter(As::Root, "the_table");
}

#[test]
fn every_attack_is_refused_as_an_ordinary_user() {
    space::enter(As::Ordinary, "the_table");
}

#[test]
fn every_attack_succeeds_without_walls() {
    space::enter(As::Root, "without_walls");
}

/// All attacks, one after the other, beside runs of a neighbour.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in the namespace that `every_attack_is_refused_…` makes"]
async fn the_table() {
    let mut stage = stage::Stage::start(inside()).await;
    stage.warm_up().await;
    let before = aftermath::Traces::of(&stage.server);
    let mut verdicts = verdict::Verdicts::without(stage.missing_walls().await);
    for attack in plain::list() {
        let run = stage.attack(&attack).await;
        verdicts.judge(&attack, &run);
    }
    println!("{verdicts}");
    stage.end_neighbour().await;
    stage.assert_bait_is_whole();
    before.assert_nothing_is_left(&stage.server).await;
    verdicts.assert_all_refused();
}

/// The same attacks without a run around them: what is refused above is worth refusing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in the namespace that `every_attack_succeeds_without_walls` makes"]
async fn without_walls() {
    let bait = stage::Bait::lay_out();
    let directory = plain::pretend_to_be_a_server();
    let told = plain::attempt(&bait, directory.path());
    let tried = told.iter().filter(|attack| attack.alone.is_empty()).count();
    let absent = told.iter().filter(|attack| attack.is_absent()).count();
    println!("{} attacks, {tried} tried, {absent} of what this machine has not", told.len());
    let failed: Vec<_> = told.iter().filter(|attack| !attack.is_shown()).collect();
    assert!(failed.is_empty(), "without walls they should succeed: {failed:#?}");
    // The daemons are still there: they would be seen.
    assert!(aftermath::marked() > 0, "a process that stays is found by its mark");
    testkit::eventually("the daemons end", async || (aftermath::marked() == 0).then_some(())).await;
}
