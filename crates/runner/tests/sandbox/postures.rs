//! Each wall has an attack that fails with it and succeeds without it.

use crate::support::stage_with;
use runner::sandbox::{Posture, SandboxOptions};
use std::collections::BTreeSet;

/// What does not hold when these walls are left out.
async fn broken(without: &[&'static str]) -> (Posture, BTreeSet<&'static str>) {
    let off = |options: SandboxOptions, wall: &&'static str| options.without(wall);
    let stage = stage_with(|options| {
        options.sandbox = without.iter().fold(SandboxOptions::default(), off);
    });
    let posture = stage.await.runner.posture().await.unwrap();
    let broken = posture.walls.iter().filter(|wall| !wall.holds).map(|wall| wall.name).collect();
    (posture, broken)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Memory and processes of a run as a whole are held by what the machine has.
fn but_groups(mut broken: BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    broken.remove("memory_together");
    broken
}

#[tokio::test]
async fn every_wall_holds() {
    let (posture, broken) = broken(&[]).await;
    assert!(posture.is_whole(), "{posture:#?}");
    let allowed = if is_root() { BTreeSet::new() } else { BTreeSet::from(["users"]) };
    assert_eq!(but_groups(broken), allowed, "{posture:#?}");
}

#[tokio::test]
async fn it_can_be_measured_without_a_database() {
    let data = tempfile::tempdir().unwrap();
    let posture = runner::posture(runner::RunnerOptions::new(data.path())).await.unwrap();
    assert!(posture.is_whole(), "{posture:#?}");
}

#[tokio::test]
async fn without_one_wall_its_attack_succeeds_and_no_other() {
    let own = if is_root() { None } else { Some("users") };
    for wall in ["processes", "mounts", "files", "hostname", "system_calls", "users"] {
        let (posture, broken) = broken(&[wall]).await;
        let mut expected = BTreeSet::from([wall]);
        expected.extend(own);
        assert_eq!(but_groups(broken), expected, "without {wall}: {posture:#?}");
    }
}

#[tokio::test]
async fn without_a_network_namespace_a_rule_for_ports_holds_and_without_both_nothing_does() {
    let (posture, found) = broken(&["network"]).await;
    assert!(found.contains("network"), "{posture:#?}");
    let text = |posture: &Posture| {
        posture.walls.iter().find(|wall| wall.name == "network").unwrap().how.clone()
    };
    assert!(text(&posture).contains("only the kernel's rule for ports"), "{posture:#?}");
    let (posture, _) = broken(&["network", "files"]).await;
    assert!(text(&posture).contains("it reaches the machine's own network"), "{posture:#?}");
}

#[tokio::test]
async fn root_can_have_the_walls_of_an_ordinary_user() {
    let (posture, found) = broken(&["as_root"]).await;
    let allowed = BTreeSet::from(["users", "limits"]);
    // The kernel counts no processes of root; the control group does.
    assert!(but_groups(found).is_subset(&allowed), "{posture:#?}");
    let (posture, found) = broken(&["as_root", "rights"]).await;
    assert!(found.contains("rights"), "{posture:#?}");
}

#[tokio::test]
async fn without_namespaces_every_wall_that_is_gone_is_told() {
    let (posture, found) = broken(&["as_root", "namespaces"]).await;
    let gone = BTreeSet::from(["processes", "mounts", "network", "hostname"]);
    assert!(found.is_superset(&gone), "{posture:#?}");
    assert!(!posture.is_whole());
    for held in ["files", "system_calls", "rights"] {
        assert!(!found.contains(held), "{posture:#?}");
    }
    let told = posture.missing().find(|wall| wall.name == "network").unwrap();
    assert!(told.how.contains("CAP_SYS_ADMIN"), "{told:?}");
}
