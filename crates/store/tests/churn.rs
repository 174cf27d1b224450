//! Two organizations alternate on one pool of connections, and most of what they begin is dropped,
//! timed out or ends in a panic. Nobody ever sees anything of the other one, nothing half-done
//! stays, and afterwards every connection is there and free.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "a test may print")]

use domain::{FilePath, Scope, UserId};
use std::{
    future::poll_fn,
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};
use store::{ListFiles, NewUser, Precondition, Scoped, View, WriteFile};
use testkit::{
    World,
    database::{Engine, engine},
    peek::Peek,
    world::NOW,
};
use uuid::Uuid;

/// How a transaction ends.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Complete,
    /// Polled so often, then dropped in the middle of whatever it waits for.
    Dropped(u32),
    /// Polled so often, then the task around it panics.
    Panics(u32),
    TimesOut(Duration),
}

fn fate(n: u64) -> Fate {
    let some = (n / 7) as u32 % 12;
    // SQLite answers what only reads in the first poll, so that is dropped before it or not.
    let polls = match engine() {
        Engine::Postgres => some,
        Engine::Sqlite if writes(n) => some / 2,
        Engine::Sqlite => some % 3 / 2,
    };
    match n % 5 {
        0 | 1 => Fate::Complete,
        2 => Fate::Dropped(polls),
        3 => Fate::Panics(polls),
        _ => Fate::TimesOut(Duration::from_micros(u64::from(some) * 40)),
    }
}

/// Whether the transaction of this number writes.
fn writes(n: u64) -> bool {
    (n / 5).is_multiple_of(3)
}

fn transactions() -> u64 {
    if std::env::var_os("BIFROST_FULL").is_some() { 20_000 } else { 2_000 }
}

async fn limited<T>(work: impl Future<Output = T>, polls: u32, panics: bool) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            assert!(!panics, "on purpose");
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

/// One transaction: a write, or reads of several tables. Every text that comes back is its own.
async fn transaction(scoped: Scoped, mark: &'static str, n: u64) {
    match n % 3 {
        0 => {
            let content = format!("{mark} {n}");
            let write = WriteFile {
                path: FilePath::parse(&format!("same/f{}.md", n % 5)).unwrap(),
                content: content.as_bytes(),
                message: Some(mark.to_owned()),
                source: "operator",
                precondition: Precondition::Any,
                workflows: Vec::new(),
                now: NOW,
            };
            scoped.write_file(write).await.unwrap();
        }
        1 => {
            let users = scoped.users(None, 200).await.unwrap();
            assert!(!users.is_empty());
            assert!(users.iter().all(|user| user.name == mark), "{users:?}");
        }
        _ => {
            let (prefix, view, after, limit) = (String::new(), View::Own, None, 200);
            for entry in scoped.files(ListFiles { prefix, view, after, limit }).await.unwrap() {
                let file = scoped.file(&entry.path, View::Own, None).await.unwrap();
                let text = String::from_utf8(file.unwrap().content).unwrap();
                assert!(text.starts_with(mark), "{text} seen by {mark}");
            }
        }
    }
}

/// What became of it: whether it ran to its end.
async fn run(scoped: Scoped, mark: &'static str, n: u64) -> bool {
    let work = transaction(scoped, mark, n / 5);
    let task = match fate(n) {
        Fate::Complete => tokio::spawn(async move {
            work.await;
            true
        }),
        Fate::Dropped(polls) => {
            tokio::spawn(async move { limited(work, polls, false).await.is_some() })
        }
        Fate::Panics(polls) => {
            tokio::spawn(async move { limited(work, polls, true).await.is_some() })
        }
        Fate::TimesOut(time) => {
            tokio::spawn(async move { tokio::time::timeout(time, work).await.is_ok() })
        }
    };
    match task.await {
        Ok(finished) => finished,
        Err(error) => {
            let panic = error.into_panic();
            let text = panic.downcast_ref::<&str>().copied().unwrap_or("another panic");
            assert_eq!(text, "on purpose", "in {:?} {n}", fate(n));
            false
        }
    }
}

async fn settle(world: &World, scope: Scope, mark: &str) {
    let id = UserId(Uuid::now_v7());
    let (email, name) = (format!("u@{mark}.test"), mark.to_owned());
    let role = domain::Role::Viewer;
    let new = NewUser { id, email, name, role, password_hash: None, now: NOW };
    world.scoped(scope).create_user(new).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_left_of_what_was_dropped() {
    // Panics on purpose need no backtraces; others are told.
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload_as_str() != Some("on purpose") {
            eprintln!("{panic}");
        }
    }));
    let world = World::new().await;
    let sides = [(world.acme, "acme"), (world.globex, "globex")];
    for (scope, mark) in sides {
        settle(&world, scope, mark).await;
    }
    let (mut begun, mut finished) = (0, 0);
    while begun < transactions() {
        // As many at once as the pool has connections, and half as many again.
        let mut wave = Vec::new();
        for _ in 0..12 {
            let (scope, mark) = sides[(begun % 2) as usize];
            wave.push(tokio::spawn(run(world.scoped(scope), mark, begun)));
            begun += 1;
        }
        for one in wave {
            finished += u64::from(one.await.expect("only those on purpose"));
        }
    }
    let _default = std::panic::take_hook();
    println!("{begun} transactions, {finished} of them to their end");
    assert!(finished < begun * 3 / 4 && finished > begun / 3, "{finished} of {begun}");
    every_connection_is_free(&world).await;
    nothing_is_half_done(&world).await;
}

/// More readers at once than there are connections, and a writer, without waiting for a lock that
/// nobody will let go of.
async fn every_connection_is_free(world: &World) {
    let started = Instant::now();
    let mut readers = Vec::new();
    for _ in 0..32 {
        let scoped = world.scoped(world.acme);
        readers.push(tokio::spawn(async move { scoped.file_index(scoped.scope()).await.unwrap() }));
    }
    for reader in readers {
        reader.await.unwrap();
    }
    world.write(world.globex, "last.md", "globex last").await;
    assert!(started.elapsed() < Duration::from_secs(4), "somebody holds a connection");
    // From outside: nobody writes, and nobody reads an old moment.
    let peek = Peek::new(world.directory.path()).await;
    assert!(peek.nobody_is_at_it().await, "a transaction is still open");
}

/// Each change of files raises the generation in the same transaction: all of it, or nothing.
async fn nothing_is_half_done(world: &World) {
    for scope in [world.acme, world.globex] {
        let scoped = world.scoped(scope);
        let generation = scoped.file_index(scope).await.unwrap().generation;
        let mut versions = 0;
        let (prefix, view, after, limit) = (String::new(), View::Own, None, 200);
        for entry in scoped.files(ListFiles { prefix, view, after, limit }).await.unwrap() {
            versions += i64::from(entry.version);
        }
        assert_eq!(generation, versions, "a write that was dropped left something");
    }
}
