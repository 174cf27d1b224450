//! People who ask until they get an answer.

use crate::{
    dice::Dice,
    scene::{Scene, Tenant},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// An execution that a server has said it took.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub tenant: usize,
    pub n: usize,
    pub id: String,
}

/// Between two tries of one who was not answered.
const AGAIN: Duration = Duration::from_millis(50);
/// Nobody waits longer for one answer; servers are down for seconds at most.
const PATIENCE: Duration = Duration::from_secs(120);

/// Every organization asks for all of its executions.
pub async fn submit_all(scene: &Arc<Scene>, seed: u64) -> Vec<Accepted> {
    let tasks = (0..scene.tenants.len()).map(|tenant| {
        let (scene, dice) = (scene.clone(), Dice::new(seed.wrapping_add(tenant as u64 * 7919)));
        tokio::spawn(async move { submit(&scene, tenant, dice).await })
    });
    let mut accepted = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        accepted.extend(task.await.unwrap());
    }
    accepted
}

async fn submit(scene: &Scene, tenant: usize, mut dice: Dice) -> Vec<Accepted> {
    let mut accepted = Vec::new();
    for n in 0..scene.size.each {
        let body = json!({ "inputs": { "n": n } });
        let key = format!("{tenant}-{n}");
        let reply = answered(scene, &scene.tenants[tenant], &mut dice, |client| {
            let request = client.request(Method::POST, "/api/workflows/greet/executions");
            request.header("idempotency-key", &key).json(&body)
        });
        let id = reply.await["id"].as_str().unwrap().to_owned();
        accepted.push(Accepted { tenant, n, id });
    }
    accepted
}

/// Asks one API process after the other until one answers; its body. A server that is there answers
/// 5xx only while its database is not.
pub async fn answered(
    scene: &Scene,
    tenant: &Tenant,
    dice: &mut Dice,
    request: impl Fn(&testkit::Client) -> reqwest::RequestBuilder,
) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let client = scene.client(tenant, dice.roll(scene.apis.len()));
        let sent = request(&client).timeout(Duration::from_secs(20)).send().await;
        let said = match sent {
            Err(error) => format!("no answer: {error}"),
            Ok(reply) => {
                let status = reply.status().as_u16();
                match (status, reply.json::<Value>().await) {
                    (200 | 202, Ok(body)) => return body,
                    (503 | 429, _) => format!("{status}"),
                    (status, body) => panic!("{status}: {body:?}\n{}", scene.logs()),
                }
            }
        };
        assert!(Instant::now() < deadline, "{said}\n{}", scene.logs());
        tokio::time::sleep(AGAIN).await;
    }
}

/// Waits until every accepted execution has an outcome; how many have which.
pub async fn all_ended(scene: &Scene, accepted: &[Accepted]) -> BTreeMap<String, usize> {
    let mut outcomes = BTreeMap::new();
    let mut dice = Dice::new(1);
    for one in accepted {
        let tenant = &scene.tenants[one.tenant];
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            let path = format!("/api/executions/{}", one.id);
            let body =
                answered(scene, tenant, &mut dice, |client| client.request(Method::GET, &path));
            let body = body.await;
            if body["finished_at"].is_string() {
                break body["status"].as_str().unwrap().to_owned();
            }
            assert!(Instant::now() < deadline, "never ends: {body}\n{}", scene.logs());
            tokio::time::sleep(AGAIN).await;
        };
        *outcomes.entry(status).or_default() += 1;
    }
    outcomes
}
