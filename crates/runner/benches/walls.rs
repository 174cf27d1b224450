//! What the walls around a run cost: the same trivial run, from the claimed job to the reaped process,
//! by a runner that raises all of them and by runners that leave some out, in turns.
//!
//! Prints one JSON object of medians in milliseconds, by stage; `bench/walls.py` builds, runs and
//! reads it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement may panic and print")]

#[path = "../tests/support/mod.rs"]
mod support;

use runner::{Timings, sandbox::SandboxOptions};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use support::{Stage, result, stage_with};

/// Each way leaves these walls out.
const WAYS: [(&str, &[&str]); 5] = [
    ("all", &[]),
    (
        "none",
        &[
            "as_root",
            "namespaces",
            "processes",
            "network",
            "mounts",
            "ipc",
            "hostname",
            "users",
            "rights",
            "files",
            "system_calls",
            "groups",
        ],
    ),
    ("without process namespace", &["processes"]),
    ("without system call filter", &["system_calls"]),
    ("without control groups", &["groups"]),
];
/// Runs of each way in one round.
const TURN: usize = 10;

/// One way and what it took so far.
struct Contender {
    name: &'static str,
    stage: Stage,
    runs: Vec<(Duration, Timings)>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if quick { 2 } else { 60 };
    let mut contenders = Vec::new();
    for (name, off) in WAYS {
        contenders.push(Contender::new(name, off).await);
    }
    for round in 0..=rounds {
        // In turns, so that none always goes first; the first round warms up.
        for turn in 0..WAYS.len() {
            let at = (turn + round) % WAYS.len();
            contenders[at].take_turn(round > 0).await;
        }
    }
    let ways: Map<_, _> =
        contenders.into_iter().map(|each| (each.name.to_owned(), each.report())).collect();
    println!("{}", json!({ "runs": rounds * TURN, "ways": ways }));
}

impl Contender {
    async fn new(name: &'static str, off: &[&'static str]) -> Self {
        let stage = stage_with(|options| {
            let without = |options: SandboxOptions, wall: &&'static str| options.without(wall);
            options.sandbox = off.iter().fold(SandboxOptions::default(), without);
        })
        .await;
        result(&stage.run("def run(): return 1").await);
        Self { name, stage, runs: Vec::new() }
    }

    async fn take_turn(&mut self, counts: bool) {
        for _ in 0..TURN {
            let request = self.stage.request(self.stage.world.acme).await;
            let begun = Instant::now();
            let report = self.stage.runner.run(request).await.unwrap();
            let whole = begun.elapsed();
            assert_eq!(result(&report), json!(1));
            if counts {
                self.runs.push((whole, report.timings));
            }
        }
    }

    fn report(self) -> Value {
        let of = |part: fn(&(Duration, Timings)) -> Duration| {
            let mut times: Vec<Duration> = self.runs.iter().map(part).collect();
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e3
        };
        json!({
            "whole": of(|run| run.0),
            "place": of(|run| run.1.place),
            "files": of(|run| run.1.files),
            "fork": of(|run| run.1.fork),
            "import": of(|run| run.1.import),
            "code": of(|run| run.1.code),
            "end": of(|run| run.1.end),
        })
    }
}
