//! Overrides beside what they hide and what they began from.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{FilePath, Scope, scope::Side};
use store::{ListOverrides, OverrideEntry, Precondition};
use testkit::{World, world::NOW};

fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap()
}

async fn overrides(world: &World, scope: Scope, after: Option<&str>) -> Vec<OverrideEntry> {
    let after = after.map(str::to_owned);
    let list = ListOverrides { prefix: String::new(), after, limit: 50 };
    world.scoped(scope).overrides(list).await.unwrap()
}

/// `PATH own/base/global` with `!` for drift.
async fn told(world: &World, scope: Scope) -> Vec<String> {
    let mark = |entry: OverrideEntry| {
        let base = entry.base.as_ref().map_or("-".to_owned(), |base| base.version.to_string());
        let drift = if entry.drift() { "!" } else { "" };
        let (own, global) = (entry.own.version, entry.global.version);
        format!("{} {own}/{base}/{global}{drift}", entry.path)
    };
    overrides(world, scope, None).await.into_iter().map(mark).collect()
}

#[tokio::test]
async fn an_override_remembers_what_it_began_from() {
    let world = World::new().await;
    world.write(Scope::Global, "a.py", "1").await;
    world.write(Scope::Global, "a.py", "2").await;
    world.write(world.acme, "a.py", "own").await;
    world.write(world.acme, "own.py", "own").await;
    assert_eq!(told(&world, world.acme).await, ["a.py 1/2/2"]);
    world.write(Scope::Global, "a.py", "3").await;
    world.write(world.acme, "a.py", "own again").await;
    assert_eq!(told(&world, world.acme).await, ["a.py 2/2/3!"]);
    let entry = overrides(&world, world.acme, None).await.remove(0);
    assert_eq!((entry.own.size, entry.base.unwrap().size, entry.global.size), (9, 1, 1));
    world.write(Scope::Global, "a.py", "2").await;
    assert_eq!(told(&world, world.acme).await, ["a.py 2/2/4"], "the same content is no drift");
    assert!(overrides(&world, world.acme, Some("a.py")).await.is_empty());
    assert!(told(&world, world.globex).await.is_empty());
    assert!(told(&world, Scope::Global).await.is_empty());

    let acme = world.scoped(world.acme);
    acme.delete_file(&path("a.py"), Precondition::Any, NOW).await.unwrap();
    assert!(told(&world, world.acme).await.is_empty());
    world.write(world.acme, "a.py", "new").await;
    assert_eq!(told(&world, world.acme).await, ["a.py 4/4/4"], "it begins anew");
}

#[tokio::test]
async fn what_global_brings_later_or_takes_away_is_no_base() {
    let world = World::new().await;
    world.write(world.acme, "late.py", "own").await;
    assert!(told(&world, world.acme).await.is_empty());
    world.write(Scope::Global, "late.py", "1").await;
    assert_eq!(told(&world, world.acme).await, ["late.py 1/-/1!"]);
    let global = world.scoped(Scope::Global);
    global.delete_file(&path("late.py"), Precondition::Any, NOW).await.unwrap();
    assert!(told(&world, world.acme).await.is_empty(), "it hides nothing");
}

#[tokio::test]
async fn contents_are_found_by_their_names() {
    let world = World::new().await;
    for content in ["g1", "g2"] {
        world.write(Scope::Global, "a.py", content).await;
    }
    for content in ["o1", "o2"] {
        world.write(world.acme, "a.py", content).await;
    }
    world.write(Scope::Global, "a.py", "g3").await;
    let named = async |scope, name: &str| {
        let scoped = world.scoped(scope);
        let found = scoped.named_content(&path("a.py"), name.parse().unwrap()).await.unwrap();
        found.map(|it| (it.side, it.version, String::from_utf8(it.content).unwrap()))
    };
    let is = |side, version, text: &str| Some((side, version, text.to_owned()));
    assert_eq!(named(world.acme, "own").await, is(Side::Own, 2, "o2"));
    assert_eq!(named(world.acme, "own@1").await, is(Side::Own, 1, "o1"));
    assert_eq!(named(world.acme, "global").await, is(Side::Global, 3, "g3"));
    assert_eq!(named(world.acme, "global@1").await, is(Side::Global, 1, "g1"));
    assert_eq!(named(world.acme, "base").await, is(Side::Global, 2, "g2"));
    assert_eq!(named(world.acme, "own@3").await, None);
    assert_eq!(named(world.globex, "own@1").await, None, "Acme's");
    assert_eq!(named(world.globex, "base").await, None);
    assert_eq!(named(Scope::Global, "own").await, is(Side::Global, 3, "g3"));
    let acme = world.scoped(world.acme);
    acme.delete_file(&path("a.py"), Precondition::Any, NOW).await.unwrap();
    assert_eq!(named(world.acme, "own").await, None);
    assert_eq!(named(world.acme, "own@3").await, None, "a deletion has no content");
    assert_eq!(named(world.acme, "own@2").await, is(Side::Own, 2, "o2"));
}

/// A database of the step before has overrides without a base: the times of versions tell it.
#[tokio::test]
async fn a_migrated_database_knows_its_bases() {
    let world = World::new().await;
    world.write(Scope::Global, "a.py", "1").await;
    world.write(world.acme, "a.py", "own").await;
    world.write(world.acme, "own.py", "own").await;
    world.store.migrate_down(Some(1)).await.unwrap();
    assert_eq!(world.store.migrate_up().await.unwrap(), ["m0013_overrides"]);
    assert_eq!(told(&world, world.acme).await, ["a.py 1/1/1"]);
    let entry = overrides(&world, world.acme, None).await.remove(0);
    assert!(entry.base.is_some_and(|base| base.hash == entry.global.hash));
}
