//! How many executions a second go through the queue alone, without Python: asked for, claimed,
//! ended, each kept on disk before it is answered.
//!
//! Prints one JSON object; `bench/job_queue.py` builds, runs and reads it. Ways are measured in
//! rounds, in another order each time. `--other COMMAND…` is run with the URL of the same server and
//! a number of jobs, and prints how many of them it completes a second. `--quick` is short.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement may panic and print")]

use domain::{
    Access, ExecutionId, FilePath, OrganizationId, Scope, Slug, Timestamp,
    execution::{Outcome, Status},
};
use serde_json::{Value, json};
use servers::{Postgres, PostgresOptions};
use std::{
    collections::BTreeMap,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use store::{
    Claim, Finished, NewExecution, NewOrganization, Place, Precondition, Reason, Store, WriteFile,
};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(600);

/// One way to use the queue.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    postgres: bool,
    organizations: usize,
    /// Who ask, and as many that claim.
    clients: u32,
}

const WAYS: [Way; 6] = [
    Way { name: "sqlite_1", postgres: false, organizations: 1, clients: 1 },
    Way { name: "sqlite_8", postgres: false, organizations: 8, clients: 8 },
    Way { name: "postgres_1", postgres: true, organizations: 1, clients: 1 },
    Way { name: "postgres_8_of_one", postgres: true, organizations: 1, clients: 8 },
    Way { name: "postgres_8", postgres: true, organizations: 8, clients: 8 },
    Way { name: "postgres_16", postgres: true, organizations: 16, clients: 16 },
];

struct Bench {
    store: Store,
    scopes: Vec<Scope>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // Cargo says this to every benchmark, after everything else.
    let arguments: Vec<String> = std::env::args().filter(|it| it != "--bench").collect();
    let quick = arguments.iter().any(|it| it == "--quick");
    let other = arguments.iter().position(|it| it == "--other").map(|at| &arguments[at + 1..]);
    let (cycles, rounds) = if quick { (60, 1) } else { (1_500, 7) };
    let server = Postgres::start(PostgresOptions { durable: true, ..Default::default() });
    let admin = sqlx::PgPool::connect(&format!("{}/postgres", server.url())).await.unwrap();
    for name in ["bench", "other"] {
        let sql = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(sql).execute(&admin).await.unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", directory.path().join("bench.db").display());
    let postgres = Arc::new(Bench::new(&format!("{}/bench", server.url())).await);
    let sqlite = Arc::new(Bench::new(&file).await);
    let mut found: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 0..=rounds {
        let mut order: Vec<usize> = (0..=WAYS.len()).collect();
        order.sort_by_key(|at| {
            (*at as u64 + 1).wrapping_mul(0x9e37_79b9 + round * 0x85eb_ca6b) % 97
        });
        for at in order {
            let rate = match WAYS.get(at) {
                Some(way) => {
                    let bench = if way.postgres { &postgres } else { &sqlite };
                    Some((way.name, bench.clone().cycle(*way, cycles).await))
                }
                None => other.map(|it| ("other", ask(it, &server, cycles))),
            };
            // The first round warms caches and connections.
            if let (Some((name, rate)), true) = (rate, round > 0) {
                found.entry(name).or_default().push(rate);
            }
        }
    }
    let report: BTreeMap<&str, Value> =
        found.into_iter().map(|(name, rates)| (name, spread(rates))).collect();
    println!("{}", json!({ "rounds": rounds, "cycles": cycles, "per_second": report }));
}

/// Another queue's jobs a second, on the same server.
fn ask(command: &[String], server: &Postgres, jobs: u32) -> f64 {
    let url = format!("{}/other", server.url());
    let ran = Command::new(&command[0]).args(&command[1..]).arg(url).arg(jobs.to_string()).output();
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim().parse().unwrap()
}

fn spread(mut rates: Vec<f64>) -> Value {
    rates.sort_by(f64::total_cmp);
    json!({ "median": rates[rates.len() / 2], "least": rates[0], "most": rates[rates.len() - 1] })
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_micros()).unwrap())
}

impl Bench {
    async fn new(url: &str) -> Self {
        let store = Store::create(url).await.unwrap();
        let operator = Access::for_operator(Scope::Global);
        let mut scopes = Vec::new();
        for number in 0..16 {
            let slug = Slug::parse(&format!("org-{number}")).unwrap();
            let id = OrganizationId(Uuid::now_v7());
            let new = NewOrganization { id, slug, name: "Org".to_owned(), now: now() };
            let system = store.system(Reason::Organizations);
            scopes.push(system.create_organization(new, &operator).await.unwrap().scope);
        }
        let write = WriteFile {
            path: FilePath::parse("w.py").unwrap(),
            content: b"x",
            message: None,
            source: "operator",
            precondition: Precondition::Any,
            workflows: vec![testkit::world::workflow("w")],
            now: now(),
        };
        store.scoped(&operator).write_file(write).await.unwrap();
        for scope in &scopes {
            let patch = json!({ "executions": { "max_concurrent": 1000 } });
            let (precondition, may_set_weight, now) = (Precondition::Any, false, now());
            let update = store::UpdateSettings { patch: &patch, precondition, may_set_weight, now };
            let scoped = store.scoped(&Access::for_operator(*scope));
            scoped.update_settings(update).await.unwrap();
        }
        Self { store, scopes }
    }

    /// Cycles a second. A single client does one step after the other.
    async fn cycle(self: Arc<Self>, way: Way, cycles: u32) -> f64 {
        let began = Instant::now();
        match way.clients {
            1 => self.alone(cycles / 8).await,
            _ => self.together(way, cycles).await,
        }
        let cycles = if way.clients == 1 { cycles / 8 } else { cycles };
        f64::from(cycles) / began.elapsed().as_secs_f64()
    }

    async fn alone(&self, cycles: u32) {
        for _ in 0..cycles {
            self.enqueue(self.scopes[0]).await;
            for claim in self.claim(Uuid::now_v7(), 1).await {
                self.finish(&claim).await;
            }
        }
    }

    async fn together(self: Arc<Self>, way: Way, cycles: u32) {
        let (asked, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let askers = (0..way.clients).map(|_| {
            let (bench, asked) = (self.clone(), asked.clone());
            tokio::spawn(async move {
                loop {
                    let number = asked.fetch_add(1, SeqCst);
                    if number >= cycles {
                        break;
                    }
                    bench.enqueue(bench.scopes[number as usize % way.organizations]).await;
                }
            })
        });
        let workers = (0..way.clients.div_ceil(4)).map(|_| {
            let (bench, ended) = (self.clone(), ended.clone());
            tokio::spawn(async move {
                let worker = Uuid::now_v7();
                while ended.load(SeqCst) < cycles {
                    let claims = bench.claim(worker, 16).await;
                    if claims.is_empty() {
                        tokio::task::yield_now().await;
                    }
                    let ends = claims.iter().map(|claim| bench.finish(claim));
                    let count = futures_util::future::join_all(ends).await.len();
                    ended.fetch_add(u32::try_from(count).unwrap(), SeqCst);
                }
            })
        });
        let all: Vec<_> = askers.chain(workers).collect();
        for one in all {
            one.await.unwrap();
        }
    }

    async fn enqueue(&self, scope: Scope) {
        let scoped = self.store.scoped(&Access::for_operator(scope));
        // What a request does before; the queue is measured with it.
        let workflow = scoped.workflow("w").await.unwrap().unwrap();
        let new = NewExecution {
            id: ExecutionId(Uuid::now_v7()),
            workflow: &workflow,
            inputs: json!({ "ticket": 7 }),
            idempotency_key: None,
            place: Place::default(),
            max_queued: 1_000_000,
            now: now(),
        };
        scoped.enqueue(new).await.unwrap();
    }

    async fn claim(&self, worker: Uuid, limit: u32) -> Vec<Claim> {
        let system = self.store.system(Reason::Claim);
        system.claim(worker, limit, LEASE, now()).await.unwrap().claims
    }

    async fn finish(&self, claim: &Claim) {
        let outcome = Outcome {
            status: Status::Succeeded,
            result: Some("1".into()),
            result_type: None,
            failure: None,
        };
        let finished = Finished { outcome, modules: Vec::new(), logs: Vec::new(), now: now() };
        let scoped = self.store.scoped(&claim.access);
        scoped.finish(claim, finished).await.unwrap().expect("it is held");
    }
}
