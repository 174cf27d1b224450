//! What the walls cost: the same queries and the same requests with them and without, interleaved.
//!
//! Prints one JSON object with medians in microseconds; `bench/scoping.py` builds and reads it.
#![allow(clippy::unwrap_used, reason = "a measurement may panic")]

use api::{ApiParts, ApiState, SigningKeys, SystemClock};
use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use domain::{
    Access, FilePath, Role, Scope, UserId,
    analysis::{Analyser, Analysing, Analysis},
};
use jobs::Clock;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::{Value, json};
use std::{hint::black_box, sync::Arc, time::Instant};
use store::{NewUser, Precondition, Scoped, Store, WriteFile};
use tower::ServiceExt;
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery staple";
const USERS: usize = 1000;
const FILES: usize = 200;
/// The query of [`Scoped::user`], for the raw connection.
const BY_ID: &str = "SELECT id, email, name, password_hash, role, active, epoch, created_at
    FROM users WHERE organization_id = $1 AND id = $2";
const REQUESTS: [&str; 3] = ["/api/auth/me", "/api/users?limit=50", "/api/files?limit=50"];

struct NoAnalysis;

impl Analyser for NoAnalysis {
    fn analyse<'a>(&'a self, _: &'a FilePath, _: &'a [u8]) -> Analysing<'a> {
        Box::pin(async { Ok(Analysis::default()) })
    }
}

/// One side of the comparison.
struct Side {
    store: Store,
    router: Router,
    token: String,
    users: Vec<UserId>,
    scope: Scope,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if quick { 3 } else { 31 };
    let directory = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("sqlite:{}", directory.path().join(name).display());
    let with = side(Store::create(&url("with.db")).await.unwrap(), directory.path()).await;
    let without =
        side(Store::create_unguarded(&url("without.db")).await.unwrap(), directory.path()).await;
    let raw = Database::connect(url("with.db")).await.unwrap();
    let queries = queries(&with, &without, &raw, rounds).await;
    let mut requests = serde_json::Map::new();
    for path in REQUESTS {
        requests.insert(path.to_owned(), compare_requests(&with, &without, path, rounds).await);
    }
    let report = json!({ "rounds": rounds, "query": queries, "requests": requests });
    println!("{report}");
}

async fn side(store: Store, data: &std::path::Path) -> Side {
    let scope = Scope::Organization(domain::OrganizationId::PROVIDER);
    let scoped = store.scoped(&Access::for_operator(scope));
    let users = fill(&scoped).await;
    let parts = ApiParts {
        store: store.clone(),
        cache: cache::Cache::memory(0),
        bells: jobs::Bells::default(),
        analyser: Arc::new(NoAnalysis),
        environments: Arc::new(domain::environment::Elsewhere { python: "3.11.7".to_owned() }),
        isolation: api::Isolation::default(),
        keys: SigningKeys::load_or_create(data).unwrap(),
        clock: Arc::new(SystemClock),
        issuer: "https://bifrost.test".to_owned(),
        secure_cookies: false,
        leaving: api::Leaving::default(),
    };
    let router = api::router(ApiState::new(parts).unwrap());
    let body = json!({"organization": "provider", "email": "user0@x.test", "password": PASSWORD});
    let request = Request::post("/api/auth/login").header(header::CONTENT_TYPE, "application/json");
    let reply = router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap());
    let body = axum::body::to_bytes(reply.await.unwrap().into_body(), 1 << 20).await.unwrap();
    let reply: Value = serde_json::from_slice(&body).unwrap();
    let token = format!("Bearer {}", reply["access_token"].as_str().unwrap());
    Side { store, router, token, users, scope }
}

async fn fill(scoped: &Scoped) -> Vec<UserId> {
    let (now, mut users) = (SystemClock.now(), Vec::new());
    let hash = api::hash_password(PASSWORD).unwrap();
    for n in 0..USERS {
        let id = UserId(Uuid::now_v7());
        let (email, name) = (format!("user{n}@x.test"), format!("User {n}"));
        let password_hash = Some(hash.clone());
        let new = NewUser { id, email, name, role: Role::Admin, password_hash, now };
        scoped.create_user(new).await.unwrap();
        users.push(id);
    }
    for n in 0..FILES {
        let write = WriteFile {
            path: FilePath::parse(&format!("shared/module_{n}.py")).unwrap(),
            content: b"x = 1\n",
            message: None,
            source: "operator",
            precondition: Precondition::Any,
            workflows: Vec::new(),
            now,
        };
        scoped.write_file(write).await.unwrap();
    }
    users
}

/// A look-up by id through everything, through all but the guard, and on a bare connection.
async fn queries(with: &Side, without: &Side, raw: &DatabaseConnection, rounds: usize) -> Value {
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..rounds * 100 {
        let at = round % USERS;
        times[0].push(scoped_query(with, at).await);
        times[1].push(scoped_query(without, at).await);
        times[2].push(raw_query(raw, with.scope, with.users[at]).await);
    }
    let [walls, unguarded, bare] = times.map(|mut times| median(&mut times));
    json!({ "runs": rounds * 100, "walls": walls, "unguarded": unguarded, "bare": bare })
}

async fn scoped_query(side: &Side, at: usize) -> f64 {
    let started = Instant::now();
    let scoped = side.store.scoped(&Access::for_operator(side.scope));
    black_box(scoped.user(side.users[at]).await.unwrap().unwrap());
    started.elapsed().as_secs_f64() * 1e6
}

async fn raw_query(raw: &DatabaseConnection, scope: Scope, id: UserId) -> f64 {
    let started = Instant::now();
    let values = [scope.column().into(), id.0.into()];
    let statement = Statement::from_sql_and_values(raw.get_database_backend(), BY_ID, values);
    let row = raw.query_one_raw(statement).await.unwrap().unwrap();
    for column in ["email", "name", "role"] {
        black_box(row.try_get::<String>("", column).unwrap());
    }
    started.elapsed().as_secs_f64() * 1e6
}

async fn compare_requests(with: &Side, without: &Side, path: &str, rounds: usize) -> Value {
    let (mut walls, mut unguarded) = (Vec::new(), Vec::new());
    for round in 0..rounds * 20 {
        // Whoever goes second finds warmer caches: they take turns.
        let sides = if round % 2 == 0 { [with, without] } else { [without, with] };
        for (at, side) in sides.into_iter().enumerate() {
            let taken = request(side, path).await;
            let is_with = (at == 0) == (round % 2 == 0);
            if is_with { walls.push(taken) } else { unguarded.push(taken) }
        }
    }
    let runs = walls.len();
    json!({ "runs": runs, "walls": median(&mut walls), "unguarded": median(&mut unguarded) })
}

async fn request(side: &Side, path: &str) -> f64 {
    let request = Request::get(path).header(header::AUTHORIZATION, &side.token);
    let request = request.body(Body::empty()).unwrap();
    let started = Instant::now();
    let reply = side.router.clone().oneshot(request).await.unwrap();
    assert_eq!(reply.status(), 200);
    black_box(axum::body::to_bytes(reply.into_body(), 1 << 20).await.unwrap());
    started.elapsed().as_secs_f64() * 1e6
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
