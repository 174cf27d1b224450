//! What writers do while another process holds the database.

use domain::FilePath;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use std::time::{Duration, Instant};
use store::{Precondition, Scoped, StoreError, WriteFile, WriteFileError, Written};
use testkit::{
    World,
    world::{NOW, database_url},
};
use tokio::{task::JoinSet, time::sleep};

const WRITERS: usize = 20;

/// A connection of somebody else.
async fn foreign(world: &World) -> DatabaseConnection {
    let mut options = ConnectOptions::new(database_url(&world.directory));
    // The lock belongs to one connection.
    options.max_connections(1).min_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

async fn hold(foreign: &DatabaseConnection) {
    foreign.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
}

async fn let_go(foreign: &DatabaseConnection) {
    foreign.execute_unprepared("ROLLBACK").await.unwrap();
}

async fn write(scoped: Scoped, number: usize) -> Result<Written, WriteFileError> {
    let write = WriteFile {
        path: FilePath::parse(&format!("file{number}.txt")).unwrap(),
        content: b"x",
        message: None,
        source: "api",
        precondition: Precondition::Any,
        workflows: Vec::new(),
        now: NOW,
    };
    scoped.write_file(write).await
}

/// Many writes at once; how each went and how long it took.
async fn write_many(world: &World) -> Vec<(Result<Written, WriteFileError>, Duration)> {
    let begun = Instant::now();
    let mut all = JoinSet::new();
    for number in 0..WRITERS {
        let write = write(world.scoped(world.acme), number);
        all.spawn(async move { (write.await, begun.elapsed()) });
    }
    all.join_all().await
}

fn is_locked(written: &Result<Written, WriteFileError>) -> bool {
    matches!(written, Err(WriteFileError::Store(StoreError::Locked)))
}

#[tokio::test]
async fn all_who_wait_are_told_within_one_deadline() {
    let world = World::new().await;
    let foreign = foreign(&world).await;
    hold(&foreign).await;
    for (written, took) in write_many(&world).await {
        assert!(is_locked(&written), "{written:?}");
        assert!((Duration::from_secs(1)..Duration::from_secs(9)).contains(&took), "{took:?}");
    }
    let_go(&foreign).await;
    write(world.scoped(world.acme), 0).await.unwrap();
}

#[tokio::test]
async fn all_write_when_the_lock_goes_in_time() {
    let world = World::new().await;
    let foreign = foreign(&world).await;
    hold(&foreign).await;
    let release = async {
        sleep(Duration::from_millis(1500)).await;
        let_go(&foreign).await;
    };
    let (written, ()) = tokio::join!(write_many(&world), release);
    assert_eq!(written.len(), WRITERS);
    for (written, _) in written {
        written.unwrap();
    }
}

#[tokio::test]
async fn one_who_has_only_come_waits_for_itself() {
    let world = World::new().await;
    let foreign = foreign(&world).await;
    hold(&foreign).await;
    let late = async {
        sleep(Duration::from_millis(4500)).await;
        write(world.scoped(world.acme), 1).await
    };
    let release = async {
        sleep(Duration::from_secs(6)).await;
        let_go(&foreign).await;
    };
    let (first, late, ()) = tokio::join!(write(world.scoped(world.acme), 0), late, release);
    assert!(is_locked(&first), "{first:?}");
    late.unwrap();
}
