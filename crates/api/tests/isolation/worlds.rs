//! One organization's script in two worlds: in one, another organization is busy with the same
//! names at the same time; in the other it has nothing. The transcripts are equal, byte by byte.

use crate::{
    common::{Api, PASSWORD},
    full,
    script::Script,
};
use domain::{
    Scope,
    execution::{Outcome, Status},
};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use store::{Finished, Reason};
use testkit::{
    document::Draft,
    peek::Peek,
    raw::Sender,
    world::{NOW, create_organization},
};
use uuid::Uuid;

/// Few enough that the script meets the limit, and that another's executions would too.
const MAX_QUEUED: u32 = 3;

/// Who else does anything.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Neighbour {
    Nobody,
    Organization,
    /// Its files are everybody's, so this one is seen.
    Global,
}

struct World {
    api: Api,
    peek: Peek,
    ours: Vec<Sender>,
    theirs: Vec<Sender>,
    /// An id of the other organization, if it has anything.
    foreign: String,
    fence: Fence,
}

/// Refusals are written to the audit by a task of its own, in their order. When a later refusal of
/// somebody else's is there, all before it are.
struct Fence {
    scope: Scope,
    sender: Sender,
    number: u32,
    /// Refusals so far; the audit takes only so many of one organization in a minute.
    raised: i64,
}

impl World {
    async fn new(neighbour: Neighbour) -> Self {
        let api = Api::new().await;
        let peek = Peek::new(api.world.directory.path()).await;
        // Before anybody has a session, which remembers settings for a moment.
        let limit = format!("{{\"executions\":{{\"max_queued\":{MAX_QUEUED}}}}}");
        let acme = api.world.acme.column();
        let settings = "UPDATE organizations SET settings_json = $1 WHERE id = $2";
        peek.run(settings, vec![limit.into(), acme.into()]).await;
        let ours = people(&api, "acme").await;
        let theirs = match neighbour {
            Neighbour::Global => vec![api.acting(None).await.sender()],
            _ => people(&api, "globex").await,
        };
        for (person, path, name) in [(5, "flows.py", "greet"), (4, "shared/a.py", "report")] {
            let write = put(path, &format!("# workflow {name} {{\"type\": \"object\"}}\n"));
            assert_eq!(ours[person].send(&write).await.status, 201);
            if neighbour == Neighbour::Organization {
                assert_eq!(theirs[person].send(&write).await.status, 201);
            }
        }
        let fence = Fence::new(&api, 0).await;
        let foreign = match neighbour {
            Neighbour::Organization => api.person("globex", "admin").await.to_string(),
            _ => Uuid::now_v7().to_string(),
        };
        Self { api, peek, ours, theirs, foreign, fence }
    }

    /// Every waiting execution of everybody ends well.
    async fn work(&self) {
        let system = self.api.world.store.system(Reason::Claim);
        loop {
            let lease = Duration::from_secs(60);
            let claims = system.claim(Uuid::now_v7(), 50, lease, NOW).await.unwrap().claims;
            if claims.is_empty() {
                return;
            }
            for claim in claims {
                let result = Some(json!({"done": claim.workflow}).to_string());
                let outcome =
                    Outcome { status: Status::Succeeded, result, result_type: None, failure: None };
                let (modules, logs) = (Vec::new(), Vec::new());
                let finished = Finished { outcome, modules, logs, now: NOW };
                let scoped = self.api.world.store.scoped(&claim.access);
                assert!(scoped.finish(&claim, finished).await.unwrap().is_some());
            }
        }
    }

    /// Waits until what was refused so far is in the audit.
    async fn settle(&mut self) {
        if self.fence.raised == 100 {
            self.fence = Fence::new(&self.api, self.fence.number + 1).await;
        }
        self.fence.raised += 1;
        let target = format!("/api/executions/{}", Uuid::now_v7());
        let draft = Draft { method: Method::GET, target, headers: Vec::new(), body: None };
        assert_eq!(self.fence.sender.send(&draft).await.status, 404);
        let (peek, fence) = (&self.peek, &self.fence);
        testkit::eventually("the refusal in the audit", async || {
            let count = peek.denied(fence.scope.column()).await;
            (count == fence.raised).then_some(())
        })
        .await;
    }
}

impl Fence {
    async fn new(api: &Api, number: u32) -> Self {
        let slug = format!("fence-{number}");
        let scope = create_organization(&api.world.store, &slug).await;
        let sender = people(api, &slug).await.remove(0);
        Self { scope, sender, number, raised: 0 }
    }
}

async fn people(api: &Api, organization: &str) -> Vec<Sender> {
    let mut all = Vec::new();
    for role in ["viewer", "ops", "ops", "ops", "admin", "admin", "admin"] {
        api.person(organization, role).await;
        let email = format!("{role}@{organization}.test");
        let login = api.login(organization, &email, PASSWORD).await;
        all.push(Sender::new(&api.url, login.body["access_token"].as_str()));
    }
    all
}

fn put(path: &str, content: &str) -> Draft {
    let target = format!("/api/files/content/{path}");
    let body = Some(json!({"content": content}).to_string());
    Draft { method: Method::PUT, target, headers: Vec::new(), body }
}

async fn transcript(seed: u64, steps: usize, neighbour: Neighbour) -> Vec<String> {
    let mut world = World::new(neighbour).await;
    let mut ours = Script::new(seed);
    let mut theirs = Script::new(seed + 1_000);
    let mut transcript = Vec::new();
    for step in 0..steps {
        if neighbour != Neighbour::Nobody {
            // A lot at first, then something between any two of ours.
            for _ in 0..if step == 0 { 60 } else { 2 } {
                let who = theirs.choose(world.theirs.len());
                let (_, draft) = theirs.next("harmless");
                let reply = world.theirs[who].send(&draft).await;
                theirs.told(&reply, "harmless");
            }
        }
        if step % 25 == 24 {
            world.work().await;
        }
        world.api.clock.push(1);
        let who = ours.choose(world.ours.len());
        let foreign = world.foreign.clone();
        let (operation, draft) = ours.next(&foreign);
        let reply = world.ours[who].send(&draft).await;
        let told = ours.told(&reply, &foreign);
        let asked = format!("{step} {who} {} {}", operation.id, draft.method);
        transcript.push(format!("{asked}\n{told}"));
        world.settle().await;
    }
    transcript
}

#[tokio::test]
async fn an_organization_cannot_tell_whether_another_one_is_busy() {
    let (seeds, steps) = if full() { (30, 200) } else { (3, 100) };
    let mut statuses = std::collections::BTreeMap::<String, u32>::new();
    for seed in 1..=seeds {
        let alone = transcript(seed, steps, Neighbour::Nobody).await;
        let together = transcript(seed, steps, Neighbour::Organization).await;
        for (alone, together) in alone.iter().zip(&together) {
            assert_eq!(alone, together, "seed {seed}: the other organization shows");
            let status = alone.lines().nth(1).unwrap_or_default().to_owned();
            *statuses.entry(status).or_default() += 1;
        }
    }
    println!("{} replies in each world: {statuses:?}", seeds as usize * steps);
    for status in ["200", "201", "404", "429"] {
        assert!(statuses.contains_key(status), "the script meets {status}: {statuses:?}");
    }
}

#[tokio::test]
async fn the_transcripts_differ_when_the_busy_one_is_global() {
    let alone = transcript(1, 60, Neighbour::Nobody).await;
    assert_ne!(alone, transcript(1, 60, Neighbour::Global).await, "the comparison sees nothing");
}
