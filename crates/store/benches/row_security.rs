//! What the walls cost on PostgreSQL: one execution looked up through the store (transaction, role,
//! context, row-level security, guard) and by a plain query with an explicit filter, interleaved. The
//! plain query runs on `tokio-postgres`, prepared, on a connection of each client's own; and on the
//! pool of `sqlx`, which is what many programs do.
//!
//! Prints one JSON object; `bench/row_security.py` builds, runs and reads it. `--quick` takes a
//! hundredth of the rows.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement may panic and print")]

use domain::{Access, ExecutionId, OrganizationId, Scope};
use serde_json::{Value, json};
use servers::{Postgres, PostgresOptions};
use sqlx::{AssertSqlSafe, PgPool, Row, postgres::PgPoolOptions};
use std::{hint::black_box, sync::Arc, time::Instant};
use store::Store;
use tokio_postgres::NoTls;
use uuid::Uuid;

const ORGANIZATIONS: u64 = 1000;
/// Look-ups of one client in one round.
const LOOKUPS: u64 = 2000;

/// The query of `Scoped::execution`, as anybody would write it who is careful.
const PLAIN: &str = "SELECT id, workflow, status, inputs_json, result_json, error_json,
    modules_json, created_at, started_at, finished_at, attempt, requested_by
    FROM executions WHERE organization_id = $1 AND id = $2";

/// The ways to the same rows.
struct Bench {
    store: Store,
    bare: Vec<(tokio_postgres::Client, tokio_postgres::Statement)>,
    pooled: PgPool,
    each: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Walls,
    Bare,
    Pooled,
}

const WAYS: [(Way, &str); 3] =
    [(Way::Walls, "walls"), (Way::Bare, "plain"), (Way::Pooled, "pooled")];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (each, rounds) = if quick { (50, 2) } else { (5000, 11) };
    let server = Postgres::start(PostgresOptions { durable: true, ..Default::default() });
    let admin = PgPool::connect(&format!("{}/postgres", server.url())).await.unwrap();
    sqlx::query("CREATE DATABASE bench").execute(&admin).await.unwrap();
    let url = format!("{}/bench", server.url());
    let store = Store::create(&url).await.unwrap();
    let pooled = PgPoolOptions::new().max_connections(16).test_before_acquire(false);
    let pooled = pooled.connect(&url).await.unwrap();
    fill(&pooled, each).await;
    let mut bare = Vec::new();
    for _ in 0..2 {
        let (client, wire) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(wire);
        let statement = client.prepare(PLAIN).await.unwrap();
        bare.push((client, statement));
    }
    let bench = Arc::new(Bench { store, bare, pooled, each });
    let mut report = serde_json::Map::new();
    for clients in [1, 2] {
        report.insert(clients.to_string(), bench.compare(clients, rounds).await);
    }
    let rows = ORGANIZATIONS * each;
    println!("{}", json!({ "rows": rows, "rounds": rounds, "clients": report }));
}

/// Past every wall: the rows are made by the server itself.
async fn fill(pool: &PgPool, each: u64) {
    for sql in [
        format!(
            "INSERT INTO organizations (id, slug, name, status, is_provider, settings_json,
                settings_version, generation, created_at)
             SELECT md5('org' || n)::uuid, 'org-' || n, 'Org', 'active', FALSE, '{{}}', 1, 0, 0
             FROM generate_series(1, {ORGANIZATIONS}) AS n"
        ),
        format!(
            "INSERT INTO executions (organization_id, id, workflow, status, inputs_json,
                result_json, modules_json, attempt, requested_by, created_at, started_at,
                finished_at)
             SELECT md5('org' || org)::uuid, md5(org || '-' || n)::uuid, 'sync_tickets',
                'succeeded', '{{\"since\": \"yesterday\"}}', '{{\"tickets\": 12}}', '[]', 1,
                'ada@example.com', n, n, n
             FROM generate_series(1, {ORGANIZATIONS}) AS org, generate_series(1, {each}) AS n"
        ),
        "VACUUM ANALYZE executions".to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap();
    }
}

impl Bench {
    async fn compare(self: &Arc<Self>, clients: u64, rounds: u64) -> Value {
        let mut all = [const { Samples::new() }; WAYS.len()];
        for round in 0..=rounds {
            // In turns, so that none always goes first.
            for turn in 0..WAYS.len() {
                let at = (turn + round as usize) % WAYS.len();
                let samples = self.clone().round(clients, round, WAYS[at].0).await;
                // The first round warms caches and connections.
                if round > 0 {
                    all[at].add(samples);
                }
            }
        }
        let reports = all.into_iter().zip(WAYS);
        let reports = reports.map(|(samples, (_, name))| (name.to_owned(), samples.report()));
        Value::Object(reports.collect())
    }

    async fn round(self: Arc<Self>, clients: u64, round: u64, way: Way) -> (Vec<f64>, f64) {
        let began = Instant::now();
        let tasks = (0..clients).map(|client| {
            let bench = self.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                for n in 0..LOOKUPS {
                    let seed = (round * clients + client) * LOOKUPS + n;
                    times.push(bench.look_up(seed, (way, client as usize)).await);
                }
                times
            })
        });
        let mut times = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            times.extend(task.await.unwrap());
        }
        let per_second = times.len() as f64 / began.elapsed().as_secs_f64();
        (times, per_second)
    }

    /// Milliseconds for one of the rows, scattered over all of them.
    async fn look_up(&self, seed: u64, (way, client): (Way, usize)) -> f64 {
        let place = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (ORGANIZATIONS * self.each);
        let (org, n) = (place / self.each + 1, place % self.each + 1);
        let (owner, id) = (md5_id(&format!("org{org}")), md5_id(&format!("{org}-{n}")));
        let began = Instant::now();
        match way {
            Way::Walls => self.through_walls(owner, id).await,
            Way::Bare => self.barely(client, owner, id).await,
            Way::Pooled => self.pooled(owner, id).await,
        }
        began.elapsed().as_secs_f64() * 1e3
    }

    async fn through_walls(&self, owner: Uuid, id: Uuid) {
        let scope = Scope::Organization(OrganizationId(owner));
        let scoped = self.store.scoped(&Access::for_operator(scope));
        black_box(scoped.execution(ExecutionId(id)).await.unwrap().unwrap());
    }

    async fn barely(&self, client: usize, owner: Uuid, id: Uuid) {
        let (client, statement) = &self.bare[client];
        let row = client.query_one(statement, &[&owner, &id]).await.unwrap();
        black_box((row.get::<_, Uuid>(0), row.get::<_, String>(1), row.get::<_, String>(2)));
        black_box((row.get::<_, String>(3), row.get::<_, Option<String>>(4)));
        black_box((row.get::<_, Option<String>>(5), row.get::<_, String>(6)));
        black_box((row.get::<_, i64>(7), row.get::<_, Option<i64>>(8)));
        black_box((row.get::<_, Option<i64>>(9), row.get::<_, i64>(10), row.get::<_, String>(11)));
    }

    async fn pooled(&self, owner: Uuid, id: Uuid) {
        let row = sqlx::query(PLAIN).bind(owner).bind(id).fetch_one(&self.pooled).await.unwrap();
        black_box((row.get::<Uuid, _>(0), row.get::<String, _>(1), row.get::<String, _>(2)));
        black_box((row.get::<String, _>(3), row.get::<Option<String>, _>(4)));
        black_box((row.get::<Option<String>, _>(5), row.get::<String, _>(6)));
        black_box((row.get::<i64, _>(7), row.get::<Option<i64>, _>(8)));
        black_box((row.get::<Option<i64>, _>(9), row.get::<i64, _>(10), row.get::<String, _>(11)));
    }
}

struct Samples {
    times: Vec<f64>,
    per_second: Vec<f64>,
}

impl Samples {
    const fn new() -> Self {
        Self { times: Vec::new(), per_second: Vec::new() }
    }

    fn add(&mut self, (times, per_second): (Vec<f64>, f64)) {
        self.times.extend(times);
        self.per_second.push(per_second);
    }

    fn report(mut self) -> Value {
        self.times.sort_by(f64::total_cmp);
        self.per_second.sort_by(f64::total_cmp);
        let at = |share: f64| self.times[(self.times.len() as f64 * share) as usize];
        json!({
            "p50_ms": at(0.5), "p99_ms": at(0.99),
            "per_second": self.per_second[self.per_second.len() / 2],
        })
    }
}

/// As the server's `md5(text)::uuid`.
fn md5_id(text: &str) -> Uuid {
    Uuid::from_bytes(md5::compute(text).0)
}
