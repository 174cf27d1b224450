//! Many servers look at the same schedules, die at any moment, and files change meanwhile: every
//! tick starts once.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

use domain::{ExecutionId, FilePath, Scope, Timestamp};
use std::time::Duration;
use store::{ListExecutions, Precondition, Reason, Store, TickOutcome, WriteFile};
use testkit::{World, patience::eventually, world::scheduled};
use uuid::Uuid;

const MINUTE: i64 = 60_000_000;
/// A whole minute.
const START: Timestamp = Timestamp(1_699_943_400_000_000);
const TICKERS: u64 = 4;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// Numbers that look like chance and are the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Starts what is due until nothing is, and dies again and again in the middle of it. Not for
/// ever, so that it ends.
async fn tick(store: Store, now: Timestamp, mut chance: Chance) {
    let system = store.system(Reason::Schedule);
    for _ in 0..200 {
        let life = Duration::from_micros(chance.below(4_000));
        let died_or_planned = tokio::time::timeout(life, system.plan_schedules(10)).await;
        drop(died_or_planned);
        let life = Duration::from_micros(chance.below(8_000));
        let start = system.start_scheduled(ExecutionId(Uuid::now_v7()), now);
        if let Ok(done) = tokio::time::timeout(life, start).await
            && done.expect("a start fails only by dying").is_none()
        {
            return;
        }
    }
}

/// Writes the file once more, with another content and the same schedules.
async fn write(world: &World, owner: Scope, missed: &str, now: Timestamp) {
    let content = format!("# {}\n", Uuid::now_v7());
    let write = WriteFile {
        path: FilePath::parse("w.py").unwrap(),
        content: content.as_bytes(),
        message: None,
        source: "operator",
        precondition: Precondition::Any,
        workflows: NAMES.map(|name| scheduled(name, "* * * * *", missed)).to_vec(),
        now,
    };
    world.scoped(owner).write_file(write).await.unwrap();
}

async fn count(world: &World, owner: Scope, name: &str) -> usize {
    let workflow = Some(name.to_owned());
    let list =
        ListExecutions { status: None, workflow, options: false, before: None, limit: 100_000 };
    world.scoped(owner).executions(list).await.unwrap().len()
}

/// What the dead left undone. On a server their last statements may still run, and hold what they
/// have locked until it has taken them back: whoever starts ticks passes over those.
async fn calm(world: &World, now: Timestamp) {
    let system = world.store.system(Reason::Schedule);
    eventually("nothing is due any more", async || {
        while system.plan_schedules(10).await.unwrap() > 0 {}
        let id = || ExecutionId(Uuid::now_v7());
        while let Some(tick) = system.start_scheduled(id(), now).await.unwrap() {
            assert!(matches!(tick.outcome, TickOutcome::Started(_)), "{tick:?}");
        }
        (system.next_tick().await.unwrap().unwrap() > now).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tick_starts_once_whoever_dies_and_whatever_is_written() {
    let seed = std::env::var("BIFROST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| Uuid::now_v7().as_u64_pair().1 | 1);
    println!("BIFROST_SEED={seed}");
    let minutes = if std::env::var_os("BIFROST_FULL").is_some() { 60 } else { 6 };
    let mut chance = Chance(seed);
    let world = World::new().await;
    write(&world, Scope::Global, "skip", START).await;
    write(&world, world.acme, "once", START).await;
    for name in NAMES {
        let globex = world.scoped(world.globex);
        globex.switch_schedule(name, true, START).await.unwrap().unwrap();
    }
    calm(&world, START).await;
    for minute in 1..=minutes {
        let tick_at = Timestamp(START.0 + minute * MINUTE);
        // Clocks of servers differ a little.
        let tickers = (0..TICKERS).map(|_| {
            let now = Timestamp(tick_at.0 + chance.below(2_000_000) as i64);
            tokio::spawn(tick(world.store.clone(), now, Chance(chance.below(u64::MAX) | 1)))
        });
        let tickers: Vec<_> = tickers.collect();
        let owner = [world.acme, Scope::Global][chance.below(2) as usize];
        let missed = if owner == Scope::Global { "skip" } else { "once" };
        write(&world, owner, missed, tick_at).await;
        for ticker in tickers {
            ticker.await.unwrap();
        }
        calm(&world, Timestamp(tick_at.0 + 3_000_000)).await;
        for (owner, expected) in [(world.acme, minute), (world.globex, minute), (Scope::Global, 0)]
        {
            for name in NAMES {
                let counted = count(&world, owner, name).await;
                assert_eq!(counted, expected as usize, "minute {minute} of {owner:?} {name}");
            }
        }
    }
    let (.., refused) = world.store.guard_counts();
    assert_eq!(refused, 0);
}
