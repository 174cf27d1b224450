//! Runs over a Redis that things happen to: it makes them faster or not, and never other ones.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use cache::Cache;
use domain::Scope;
use runner::{Runner, RunnerOptions};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Stage, result, stage_with};
use testkit::redis::Redis;

/// Runs of Acme and Globex load this one, of their own or of Global.
const VALUE: &str = "shared/value.py";
const MAIN: &str = "from shared import value, everybodys\n\ndef run():\n    return [value.VALUE, everybodys.VALUE]\n";

async fn cache_in(redis: &Redis) -> Cache {
    Cache::redis(redis.url().parse().unwrap()).await
}

/// A world with some files, and a runner over Redis.
async fn set_up(redis: &Redis) -> (Stage, Cache) {
    let cache = cache_in(redis).await;
    let stage = stage_with(|options| options.cache = Some(cache.clone())).await;
    let world = &stage.world;
    for (scope, mark) in [(world.acme, "acme's"), (world.globex, "globex's")] {
        world.write(scope, "main.py", MAIN).await;
        world.write(scope, VALUE, &format!("VALUE = {mark:?}\n")).await;
    }
    world.write(Scope::Global, "shared/everybodys.py", "VALUE = \"everybody's\"\n").await;
    (stage, cache)
}

/// A runner that has loaded nothing yet, over the same database and Redis.
async fn cold(stage: &Stage, redis: &Redis) -> (Runner, Cache) {
    let mut options = RunnerOptions::new(stage.world.directory.path());
    let cache = cache_in(redis).await;
    options.cache = Some(cache.clone());
    (Runner::start(options, stage.world.store.clone()).await.unwrap(), cache)
}

async fn run(stage: &Stage, runner: &Runner, scope: Scope) -> Value {
    result(&runner.run(stage.request(scope).await).await.unwrap())
}

async fn both_are_right(stage: &Stage, runner: &Runner) {
    let (acme, globex) = (stage.world.acme, stage.world.globex);
    for (scope, mark) in [(acme, "acme's"), (globex, "globex's")] {
        assert_eq!(run(stage, runner, scope).await, json!([mark, "everybody's"]));
    }
}

fn modules(redis: &Redis) -> Vec<String> {
    let is_file = |key: &String| key.ends_with(".py");
    redis.keys().into_iter().filter(is_file).collect()
}

/// The same value with another content; its own hash is changed with it if it is to be sound.
fn forged(value: &[u8], sound: bool) -> Vec<u8> {
    const EVIL: &str = "VALUE = 'evil'\ndef run():\n    return 'evil'\n";
    let mut value: Value = serde_json::from_slice(value).unwrap();
    value["content"] = EVIL.into();
    if sound {
        value["hash"] = domain::content_hash(EVIL.as_bytes()).into();
    }
    serde_json::to_vec(&value).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_that_somebody_puts_into_redis_is_ever_run() {
    let redis = Redis::start();
    let (stage, cache) = set_up(&redis).await;
    both_are_right(&stage, &stage.runner).await;
    cache.settle().await;
    let keys = modules(&redis);
    assert_eq!(keys.len(), 7, "{keys:?}");
    let acme = stage.world.acme.column().to_string();
    let globex = stage.world.globex.column().to_string();
    type Poison = Box<dyn Fn(&str, &[u8]) -> Vec<u8>>;
    let poisons: [(&str, Poison); 5] = [
        ("altered", Box::new(|_, value| forged(value, false))),
        ("altered, with a hash that fits", Box::new(|_, value| forged(value, true))),
        ("garbage", Box::new(|_, _| b"import os".to_vec())),
        ("cut off", Box::new(|_, value| value[..value.len() / 2].to_vec())),
        ("another organization's", {
            let values: Vec<_> =
                keys.iter().map(|key| (key.clone(), redis.get(key).unwrap())).collect();
            Box::new(move |key, value| {
                let other = match key.contains(&acme) {
                    true => key.replace(&acme, &globex),
                    false => key.replace(&globex, &acme),
                };
                let found = values.iter().find(|(key, _)| *key == other);
                found.map_or_else(|| value.to_vec(), |(_, value)| value.clone())
            })
        }),
    ];
    for (name, poison) in poisons {
        for key in &keys {
            let value = redis.get(key).unwrap_or_else(|| panic!("{name}: {key} is not there"));
            redis.set(key, &poison(key, &value));
        }
        let (runner, cache) = cold(&stage, &redis).await;
        both_are_right(&stage, &runner).await;
        cache.settle().await;
        assert_eq!(modules(&redis), keys, "{name}: what was dropped is right again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_index_and_generation_change_nothing() {
    let redis = Redis::start();
    let (stage, cache) = set_up(&redis).await;
    both_are_right(&stage, &stage.runner).await;
    cache.settle().await;
    for key in redis.keys() {
        if key.contains(":generation:") {
            redis.set(&key, b"999999999");
        } else if key.contains(":index:") {
            let mut index: Value = serde_json::from_slice(&redis.get(&key).unwrap()).unwrap();
            index["files"] = json!([{ "path": "main.py", "version": 9, "hash": "00" }]);
            redis.set(&key, &serde_json::to_vec(&index).unwrap());
        }
    }
    let (runner, _) = cold(&stage, &redis).await;
    both_are_right(&stage, &runner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_right_while_redis_dies_hangs_is_flushed_and_full() {
    let mut redis = Redis::start();
    let (stage, _) = set_up(&redis).await;
    for round in 0..12 {
        match round {
            2 => redis.flush(),
            4 => redis.kill(),
            6 => redis.restart(),
            7 => redis.freeze(),
            9 => redis.thaw(),
            10 => redis.fill(),
            _ => {}
        }
        // Every round is a new generation, so that contents are asked for.
        let text = format!("VALUE = {round}\n");
        stage.world.write(stage.world.acme, VALUE, &text).await;
        let found = run(&stage, &stage.runner, stage.world.acme).await;
        assert_eq!(found, json!([round, "everybody's"]));
        let (runner, _) = cold(&stage, &redis).await;
        let found = run(&stage, &runner, stage.world.acme).await;
        assert_eq!(found, json!([round, "everybody's"]), "cold, round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_killed_in_the_middle_of_runs_fails_none_of_them() {
    let mut redis = Redis::start();
    let (stage, _) = set_up(&redis).await;
    for number in 0..400 {
        let text = format!("N = {number}\n# {}\n", "x".repeat(4_000));
        stage.world.write(stage.world.acme, &format!("many/m{number}.py"), &text).await;
    }
    let (runner, _) = cold(&stage, &redis).await;
    let mut runs = Vec::new();
    for scope in [stage.world.acme, stage.world.globex].repeat(8) {
        let request = stage.request(scope).await;
        let runner = runner.clone();
        runs.push(tokio::spawn(async move { result(&runner.run(request).await.unwrap()) }));
    }
    redis.kill();
    for (number, run) in runs.into_iter().enumerate() {
        let mark = ["acme's", "globex's"][number % 2];
        assert_eq!(run.await.unwrap(), json!([mark, "everybody's"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_runner_reads_no_file_from_the_database_that_redis_has() {
    let redis = Redis::start();
    let (stage, cache) = set_up(&redis).await;
    for number in 0..300 {
        let text = format!("N = {number}\n# {}\n", "x".repeat(2_000));
        stage.world.write(stage.world.acme, &format!("many/m{number}.py"), &text).await;
    }
    let statements = || stage.world.store.guard_counts().0;
    let cold_run = async |runner: &Runner| {
        let request = stage.request(stage.world.acme).await;
        let (before, begun) = (statements(), Instant::now());
        let report = runner.run(request).await.unwrap();
        println!("a first run took {:?}, its bundles {:?}", begun.elapsed(), report.timings.files);
        assert_eq!(result(&report), json!(["acme's", "everybody's"]));
        (statements() - before, report.timings.files)
    };
    let (from_database, _) = cold_run(&stage.runner).await;
    cache.settle().await;
    let (runner, _) = cold(&stage, &redis).await;
    let (from_redis, quick) = cold_run(&runner).await;
    assert!(from_database > 300 && from_redis < 20, "{from_database}, then {from_redis}");
    assert!(quick < Duration::from_secs(2), "{quick:?}");
}
