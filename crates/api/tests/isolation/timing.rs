//! A foreign id is not told from a missing one by time.
//!
//! Requests for foreign and for missing ids, in an order thrown by dice, straight into the router.
//! Before anything is compared, the slowest tenth of all of them together is left out, which knows
//! nothing of the two kinds. Then Welch's t has to stay below 4.5. By chance alone it does not in
//! about one run of 150,000; a run is repeated up to twice, so that only a machine that is busy in
//! step with the dice three times in a row fails without a reason. A difference that is there is
//! there in every run: with 20 µs built in, the long form sees it (`BIFROST_FULL=1`), and 200 µs in
//! the short one.

use crate::{full, script::Dice, stage::Stage, things::Thing};
use api::{ApiParts, ApiState, SigningKeys};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};
use tower::ServiceExt;

const BOUND: f64 = 4.5;
/// The share of all requests that is compared.
const KEPT: f64 = 0.9;

struct Bench {
    router: Router,
    token: String,
    /// Targets of foreign things, and of missing ones.
    targets: [Vec<String>; 2],
}

impl Bench {
    async fn new(stage: &Stage, thing: Thing, path: &str) -> Self {
        let world = &stage.api.world;
        let state = ApiState::new(ApiParts {
            store: world.store.clone(),
            cache: cache::Cache::memory(0),
            bells: stage.api.bells.clone(),
            analyser: Arc::new(crate::common::CommentAnalyser),
            environments: Arc::new(domain::environment::Elsewhere { python: "3.11.7".to_owned() }),
            isolation: api::Isolation::default(),
            keys: SigningKeys::load_or_create(world.directory.path()).unwrap(),
            clock: stage.api.clock.clone(),
            issuer: "https://bifrost.test".to_owned(),
            secure_cookies: false,
            leaving: api::Leaving::default(),
        });
        let email = format!("viewer@{}.test", crate::stage::ACME_SLUG);
        let login = stage.api.login(crate::stage::ACME_SLUG, &email, crate::common::PASSWORD).await;
        let token = login.body["access_token"].as_str().unwrap().to_owned();
        let (mut foreign, mut missing) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            foreign.push(path.replace("{}", &stage.make(thing, stage.globex).await));
            missing.push(path.replace("{}", &stage.missing(thing)));
        }
        Self { router: api::router(state.unwrap()), token, targets: [foreign, missing] }
    }

    /// Microseconds from the request to the whole reply.
    async fn ask(&self, target: &str) -> f64 {
        let request =
            Request::get(target).header("authorization", format!("Bearer {}", self.token));
        let request = request.body(Body::empty()).unwrap();
        let router = self.router.clone();
        let started = Instant::now();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        black_box(to_bytes(response.into_body(), 10_000).await.unwrap());
        let taken = started.elapsed();
        assert_eq!(status, 404);
        taken.as_secs_f64() * 1e6
    }

    /// Welch's t of `count` requests, with something added to those for foreign things.
    async fn t(&self, count: usize, seed: u64, added: Duration) -> f64 {
        let mut dice = Dice::new(seed);
        let mut samples = Vec::with_capacity(count);
        for warming in 0..200 {
            self.ask(&self.targets[warming % 2][warming / 2]).await;
        }
        for _ in 0..count {
            let kind = dice.below(2);
            let target = &self.targets[kind][dice.below(100)];
            let added = if kind == 0 { added.as_secs_f64() * 1e6 } else { 0.0 };
            samples.push((kind, self.ask(target).await + added));
        }
        welch(&trimmed(samples))
    }
}

fn trimmed(mut samples: Vec<(usize, f64)>) -> [Vec<f64>; 2] {
    samples.sort_by(|a, b| a.1.total_cmp(&b.1));
    samples.truncate((samples.len() as f64 * KEPT) as usize);
    [0, 1]
        .map(|kind| samples.iter().filter(|(it, _)| *it == kind).map(|(_, taken)| *taken).collect())
}

fn welch([a, b]: &[Vec<f64>; 2]) -> f64 {
    let mean = |it: &[f64]| it.iter().sum::<f64>() / it.len() as f64;
    let error = |it: &[f64]| {
        let mean = mean(it);
        let squares = it.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        squares / (it.len() as f64 - 1.0) / it.len() as f64
    };
    (mean(a) - mean(b)) / (error(a) + error(b)).sqrt()
}

fn count() -> usize {
    if full() { 10_000 } else { 3_000 }
}

#[tokio::test]
async fn foreign_and_missing_take_the_same_time() {
    let stage = Stage::new().await;
    for (thing, path) in [
        (Thing::Execution, "/api/executions/{}"),
        (Thing::File, "/api/files/content/{}"),
        (Thing::Workflow, "/api/workflows/{}"),
    ] {
        let bench = Bench::new(&stage, thing, path).await;
        let mut seen = Vec::new();
        for seed in 1..=3 {
            let t = bench.t(count(), seed, Duration::ZERO).await;
            seen.push(t);
            if t.abs() < BOUND {
                break;
            }
        }
        println!("{thing:?}: t = {seen:.2?} of {} requests", count());
        assert!(seen.last().unwrap().abs() < BOUND, "{thing:?}: t = {seen:?} in three runs");
    }
}

#[tokio::test]
async fn a_small_difference_is_seen() {
    let stage = Stage::new().await;
    let bench = Bench::new(&stage, Thing::Execution, "/api/executions/{}").await;
    let added = Duration::from_micros(if full() { 20 } else { 200 });
    let t = bench.t(count(), 7, added).await;
    println!("{added:?} more: t = {t:.2} of {} requests", count());
    assert!(t > BOUND, "{added:?} more is not seen: t = {t}");
}

#[test]
fn welch_is_right_about_a_known_case() {
    let t = welch(&[vec![1.0, 2.0, 3.0, 4.0], vec![2.0, 4.0, 6.0, 8.0]]);
    assert!((t + 1.732_050_8).abs() < 1e-6, "{t}");
}
