//! The cache of bundles on a real database; nothing is run, so nothing is compiled.

use super::*;
use crate::{
    bundle::{Table, codes},
    memfile::MemFile,
    zygote::{Kind, Launch},
};
use testkit::World;

async fn bundles(world: &World, budget: u64) -> Bundles {
    let (python, runtime) = ("/nowhere/python3".into(), "/nowhere".into());
    let sandbox = crate::sandbox::Sandbox::for_test(world.directory.path()).await;
    let launch = Launch { python, runtime, environment: None, sandbox };
    let tools = Arc::new(Pool::new(Kind::Tools, launch.clone(), 1));
    let sources = Sources::new(world.store.clone(), cache::Cache::memory(1 << 20));
    Bundles::new(sources, budget, tools, Arc::new(Pools::new(launch, 1)))
}

async fn get(bundles: &Bundles, scope: Scope, generation: i64) -> Result<Arc<Bundle>, NoBundle> {
    let access = Access::for_operator(scope);
    bundles.get(Wanted { access: &access, owner: scope, slug: "acme", generation }).await
}

fn paths(bundle: &Bundle) -> Vec<String> {
    let table = Table::read(&bundle.file).unwrap();
    let files = table.entries().filter_map(|entry| entry.key.strip_prefix("f:").map(str::to_owned));
    files.collect()
}

#[tokio::test]
async fn a_bundle_is_built_again_only_for_a_later_generation() {
    let world = World::new().await;
    let bundles = bundles(&world, u64::MAX).await;
    world.write(world.acme, "a.py", "A = 1").await;
    let now = world.scoped(world.acme).file_index(world.acme).await.unwrap().generation;
    let (first, second) =
        tokio::join!(get(&bundles, world.acme, now), get(&bundles, world.acme, now));
    let first = first.unwrap();
    assert!(Arc::ptr_eq(&first, &second.unwrap()), "two were built");
    world.write(world.acme, "b.py", "B = 1").await;
    assert!(Arc::ptr_eq(&first, &get(&bundles, world.acme, now).await.unwrap()));
    let later = get(&bundles, world.acme, now + 1).await.unwrap();
    assert_eq!(later.generation, now + 1);
    assert_eq!(paths(&later), ["a.py", "b.py"]);
    assert_eq!(paths(&first), ["a.py"]);
    assert!(matches!(get(&bundles, world.acme, now + 2).await, Err(NoBundle::Source(_))));
}

#[tokio::test]
async fn codes_of_sources_that_did_not_change_are_carried_over() {
    let world = World::new().await;
    let bundles = bundles(&world, u64::MAX).await;
    for (path, text) in [("a.py", "A"), ("b.py", "B"), ("c.py", "C")] {
        world.write(world.acme, path, text).await;
    }
    let first = get(&bundles, world.acme, 0).await.unwrap();
    let table = Table::read(&first.file).unwrap();
    let made: codes::Codes = table
        .entries()
        .filter(|entry| entry.kind.has_code())
        .map(|entry| (entry.number, entry.path.as_bytes().to_vec()))
        .collect();
    let codes = codes::write(table.len(), &made);
    first.set_codes(MemFile::sealed("codes", &codes).unwrap());

    world.write(world.acme, "b.py", "changed").await;
    world.write(world.acme, "aa.py", "moves the numbers").await;
    let later = get(&bundles, world.acme, first.generation + 1).await.unwrap();
    let table = Table::read(&later.file).unwrap();
    let carried = codes::read(&later.codes(), table.len()).unwrap();
    let mut found: Vec<_> = table
        .entries()
        .filter_map(|entry| Some((entry.path, carried.get(&entry.number)?.as_slice())))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("a.py", &b"a.py"[..]), ("c.py", &b"c.py"[..])]);
}

#[tokio::test]
async fn the_least_recently_used_bundle_is_let_go() {
    let world = World::new().await;
    let bundles = bundles(&world, 30_000).await;
    for scope in [Scope::Global, world.acme, world.globex] {
        world.write(scope, "data.txt", &"x".repeat(14_000)).await;
    }
    let shelf = &bundles.inner.shelf;
    let idle = async || {
        // The background compilation must have given up its slots.
        while [Scope::Global, world.acme, world.globex]
            .into_iter()
            .any(|scope| shelf.holds(scope) && Arc::strong_count(&shelf.slot(scope)) > 2)
        {
            tokio::task::yield_now().await;
        }
    };
    for scope in [world.acme, Scope::Global] {
        get(&bundles, scope, 0).await.unwrap();
        idle().await;
    }
    // `idle` asks for slots too: say again who was used last.
    get(&bundles, world.acme, 0).await.unwrap();
    get(&bundles, Scope::Global, 0).await.unwrap();
    get(&bundles, world.globex, 0).await.unwrap();
    assert!(!shelf.holds(world.acme));
    assert!(shelf.holds(Scope::Global) && shelf.holds(world.globex));
    assert_eq!(paths(&get(&bundles, world.acme, 0).await.unwrap()), ["data.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_cold_runs_are_one_load() {
    let world = World::new().await;
    for number in 0..20 {
        world.write(world.acme, &format!("m{number}.py"), &format!("N = {number}")).await;
    }
    let asked = async |runs: usize| {
        let bundles = bundles(&world, u64::MAX).await;
        let (before, _) = world.store.guard_counts();
        let gets = (0..runs).map(|_| {
            let (bundles, acme) = (bundles.clone(), world.acme);
            tokio::spawn(async move { get(&bundles, acme, 1).await.unwrap() })
        });
        let mut built = Vec::new();
        for get in gets.collect::<Vec<_>>() {
            built.push(get.await.unwrap());
        }
        assert!(built.iter().all(|bundle| Arc::ptr_eq(bundle, &built[0])), "two were built");
        world.store.guard_counts().0 - before
    };
    let one = asked(1).await;
    assert!(one > 20, "{one} statements read 20 files");
    assert_eq!(asked(100).await, one, "statements");
}

#[tokio::test]
async fn a_bundle_that_was_let_go_comes_back_without_reading_its_files_again() {
    let world = World::new().await;
    for number in 0..20 {
        world.write(world.acme, &format!("m{number}.py"), &format!("N = {number}")).await;
    }
    let sources = Sources::new(world.store.clone(), cache::Cache::memory(1 << 20));
    let asked = async |access: &Access| {
        let (before, _) = world.store.guard_counts();
        let index = sources.index(access, world.acme).await.unwrap();
        let wanted: Vec<_> = index.files.iter().collect();
        let contents = sources.contents(access, world.acme, &wanted).await.unwrap();
        assert_eq!(contents.len(), 20);
        sources.settle().await;
        world.store.guard_counts().0 - before
    };
    let access = Access::for_operator(world.acme);
    let (cold, warm) = (asked(&access).await, asked(&access).await);
    assert!(cold >= 20 && warm < 5, "{cold} statements, then {warm}");
}

#[tokio::test]
async fn a_bundle_has_what_its_scope_holds_of_global() {
    let world = World::new().await;
    let bundles = bundles(&world, u64::MAX).await;
    for text in ["X = 1", "X = 2"] {
        world.write(Scope::Global, "x.py", text).await;
    }
    world.write(world.acme, "a.py", "A = 1").await;
    let acme = world.scoped(world.acme);
    let path = domain::FilePath::parse("x.py").unwrap();
    let now = testkit::world::NOW;
    let pin = store::PinFile { path: path.clone(), version: 1, workflows: Vec::new(), now };
    acme.pin_file(pin).await.unwrap();
    let generation = acme.file_index(world.acme).await.unwrap().generation;
    let held = get(&bundles, world.acme, generation).await.unwrap();
    assert_eq!(paths(&held), ["a.py", "x.py"]);
    let table = Table::read(&held.file).unwrap();
    let module = table.entries().find(|entry| entry.key == "m:x").unwrap();
    let content = held.file.read(module.data.0, module.data.1).unwrap();
    assert_eq!((module.origin, content.as_slice()), ("bifrost://global@1/x.py", &b"X = 1"[..]));
    let global = get(&bundles, Scope::Global, 0).await.unwrap();
    let table = Table::read(&global.file).unwrap();
    let module = table.entries().find(|entry| entry.key == "m:x").unwrap();
    let content = global.file.read(module.data.0, module.data.1).unwrap();
    assert_eq!(content, b"X = 2", "Global's own is as it is");
    assert!(acme.unpin_file(&path, now).await.unwrap());
    let after = get(&bundles, world.acme, generation + 1).await.unwrap();
    assert_eq!(paths(&after), ["a.py"]);
}
