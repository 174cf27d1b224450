//! Files through the cascade, on a real database.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{FilePath, Scope, cascade::Form, scope::Side};
use store::{
    DeleteFileError, ListFiles, Precondition, Scoped, View, WriteFile, WriteFileError, Written,
};
use testkit::{World, world::NOW};

fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap()
}

async fn write(
    scoped: &Scoped,
    at: &str,
    content: &str,
    precondition: Precondition,
) -> Result<Written, WriteFileError> {
    let write = WriteFile {
        path: path(at),
        content: content.as_bytes(),
        message: Some("why".to_owned()),
        source: "api",
        precondition,
        workflows: Vec::new(),
        now: NOW,
    };
    scoped.write_file(write).await
}

#[tokio::test]
async fn an_organizations_file_hides_the_global_one_for_it_alone() {
    let world = World::new().await;
    let name = "shared/halopsa.py";
    world.write(Scope::Global, name, "global").await;
    let own = world.write(world.acme, name, "acme").await;
    assert_eq!(own.entry.version, 1);
    assert_eq!(own.shadows.map(|shadowed| shadowed.version), Some(1));
    assert_eq!(world.read(world.acme, name).await.as_deref(), Some("acme"));
    assert_eq!(world.read(world.globex, name).await.as_deref(), Some("global"));

    world.scoped(world.acme).delete_file(&path(name), Precondition::Any, NOW).await.unwrap();
    assert_eq!(world.read(world.acme, name).await.as_deref(), Some("global"));
    let again = world.write(world.acme, name, "again").await;
    assert_eq!(again.entry.version, 3, "a deletion is a version");
}

#[tokio::test]
async fn lists_show_each_path_once_and_page_by_path() {
    let world = World::new().await;
    for name in ["a.py", "b.py", "c/d.py"] {
        world.write(Scope::Global, name, name).await;
    }
    for name in ["b.py", "e.py"] {
        world.write(world.acme, name, "own").await;
    }
    let list = async |scope, view, prefix: &str, after: Option<&str>, limit| {
        let list =
            ListFiles { prefix: prefix.to_owned(), view, after: after.map(str::to_owned), limit };
        let files = world.scoped(scope).files(list).await.unwrap();
        let mark = |file: store::FileEntry| {
            let own = if file.side == Side::Own { "!" } else { "" };
            let overrides = if file.overrides { "*" } else { "" };
            format!("{}{own}{overrides}", file.path)
        };
        files.into_iter().map(mark).collect::<Vec<_>>()
    };
    let (acme, globex) = (world.acme, world.globex);
    let effective = list(acme, View::Effective, "", None, 50).await;
    assert_eq!(effective, ["a.py", "b.py!*", "c/d.py", "e.py!"]);
    let page = list(acme, View::Effective, "", Some("a.py"), 2).await;
    assert_eq!(page, ["b.py!*", "c/d.py"]);
    assert_eq!(list(acme, View::Own, "", None, 50).await, ["b.py!*", "e.py!"]);
    assert_eq!(list(acme, View::Global, "", None, 50).await, ["a.py", "b.py", "c/d.py"]);
    assert_eq!(list(acme, View::Effective, "c/", None, 50).await, ["c/d.py"]);
    assert_eq!(list(globex, View::Effective, "", None, 50).await, ["a.py", "b.py", "c/d.py"]);
    assert_eq!(list(globex, View::Own, "", None, 50).await, [""; 0]);
    assert_eq!(list(Scope::Global, View::Own, "", None, 50).await, ["a.py", "b.py", "c/d.py"]);
}

#[tokio::test]
async fn a_writer_must_know_what_they_replace() {
    let world = World::new().await;
    let acme = world.scoped(world.acme);
    let created = write(&acme, "a.py", "1", Precondition::None).await.unwrap();
    assert!(created.created);
    let blind = write(&acme, "a.py", "2", Precondition::None).await;
    assert!(matches!(blind, Err(WriteFileError::PreconditionRequired)), "{blind:?}");
    let second = write(&acme, "a.py", "2", Precondition::Version(1)).await.unwrap();
    assert_eq!((second.entry.version, second.created), (2, false));
    let stale = write(&acme, "a.py", "3", Precondition::Version(1)).await;
    assert!(matches!(stale, Err(WriteFileError::Stale { current: 2 })), "{stale:?}");
    let absent = write(&acme, "b.py", "3", Precondition::Version(1)).await;
    assert!(matches!(absent, Err(WriteFileError::Stale { current: 0 })), "{absent:?}");
    let same = write(&acme, "a.py", "2", Precondition::Any).await.unwrap();
    assert_eq!(same.entry.version, 2, "the same content is no new version");

    let stale = acme.delete_file(&path("a.py"), Precondition::Version(1), NOW).await;
    assert!(matches!(stale, Err(DeleteFileError::Stale { current: 2 })), "{stale:?}");
    acme.delete_file(&path("a.py"), Precondition::Version(2), NOW).await.unwrap();
    let gone = acme.delete_file(&path("a.py"), Precondition::Any, NOW).await;
    assert!(matches!(gone, Err(DeleteFileError::NotThere)), "{gone:?}");
}

#[tokio::test]
async fn a_scope_stays_a_tree() {
    let world = World::new().await;
    let acme = world.scoped(world.acme);
    world.write(world.acme, "Shared/Halo.py", "x").await;
    let collision = write(&acme, "shared/halo.py", "y", Precondition::None).await;
    assert!(matches!(collision, Err(WriteFileError::CaseCollision(_))), "{collision:?}");
    let below = write(&acme, "Shared/Halo.py/x", "y", Precondition::None).await;
    assert!(matches!(below, Err(WriteFileError::ParentIsFile(_))), "{below:?}");
    let above = write(&acme, "Shared", "y", Precondition::None).await;
    assert!(matches!(above, Err(WriteFileError::IsDirectory(_))), "{above:?}");
    let elsewhere = world.scoped(world.globex);
    write(&elsewhere, "shared/halo.py", "y", Precondition::None).await.unwrap();
}

#[tokio::test]
async fn versions_tell_the_history_and_can_be_read() {
    let world = World::new().await;
    for content in ["one", "two"] {
        world.write(world.acme, "a.py", content).await;
    }
    let acme = world.scoped(world.acme);
    acme.delete_file(&path("a.py"), Precondition::Any, NOW).await.unwrap();
    let versions = acme.file_versions(&path("a.py"), View::Effective, None, 10).await.unwrap();
    let numbers: Vec<_> = versions.iter().map(|v| (v.version, v.hash.is_some())).collect();
    assert_eq!(numbers, [(3, false), (2, true), (1, true)]);
    let older = acme.file_versions(&path("a.py"), View::Own, Some(2), 10).await.unwrap();
    assert_eq!(older.len(), 1);
    let first = acme.file(&path("a.py"), View::Own, Some(1)).await.unwrap().unwrap();
    assert_eq!(first.content, b"one");
    assert!(acme.file(&path("a.py"), View::Own, Some(3)).await.unwrap().is_none());
    let globex = world.scoped(world.globex);
    assert!(globex.file(&path("a.py"), View::Own, Some(1)).await.unwrap().is_none());
    assert!(globex.file_versions(&path("a.py"), View::Own, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn each_change_raises_the_generation_of_its_scope_alone() {
    let world = World::new().await;
    let generation = async |scope| {
        let scoped = world.scoped(world.acme);
        scoped.file_index(scope).await.unwrap().generation
    };
    world.write(world.acme, "a.py", "1").await;
    world.write(world.acme, "a.py", "1").await;
    assert_eq!((generation(world.acme).await, generation(Scope::Global).await), (1, 0));
    world.write(Scope::Global, "a.py", "1").await;
    assert_eq!((generation(world.acme).await, generation(Scope::Global).await), (1, 1));
    let index = world.scoped(world.acme).file_index(world.acme).await.unwrap();
    let wanted = [(index.files[0].path.clone(), index.files[0].version)];
    let contents = world.scoped(world.acme).contents(world.acme, &wanted).await.unwrap();
    assert_eq!(contents[0].2, b"1");
}

#[tokio::test]
async fn another_organizations_files_are_refused_even_when_named() {
    let world = World::new().await;
    world.write(world.acme, "a.py", "1").await;
    let globex = world.scoped(world.globex);
    let refused = globex.file_index(world.acme).await;
    assert!(matches!(refused, Err(store::StoreError::AnothersFiles)));
    let wanted = [("a.py".to_owned(), 1)];
    let refused = globex.contents(world.acme, &wanted).await;
    assert!(matches!(refused, Err(store::StoreError::AnothersFiles)));
}

#[tokio::test]
async fn offers_say_what_each_scope_has_for_a_name() {
    let world = World::new().await;
    world.write(Scope::Global, "shared/__init__.py", "").await;
    world.write(Scope::Global, "shared/ninja.py", "").await;
    world.write(world.acme, "shared.py", "").await;
    world.write(world.acme, "lib/x.txt", "").await;
    let offers = async |name: &str| {
        let name = domain::ModuleName::parse(name).unwrap();
        let offers = world.scoped(world.acme).module_offers(&name).await.unwrap();
        let chosen = domain::cascade::explain(&name, &offers.files, offers.hidden);
        let chosen = chosen.into_iter().filter(|candidate| candidate.chosen);
        chosen.map(|candidate| (candidate.side, candidate.form, candidate.path)).collect::<Vec<_>>()
    };
    assert_eq!(offers("shared").await, [(Side::Own, Form::Module, "shared.py".to_owned())]);
    assert_eq!(offers("shared.ninja").await, [], "`shared` is a plain module for Acme");
    world.write(world.acme, "shared/__init__.py", "").await;
    assert_eq!(
        offers("shared.ninja").await,
        [(Side::Global, Form::Module, "shared/ninja.py".to_owned())]
    );
    assert_eq!(offers("lib").await, [(Side::Own, Form::Namespace, "lib".to_owned())]);
    assert_eq!(offers("nothing").await, []);
}
