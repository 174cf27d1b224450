//! Files of Global that an organization holds at a version.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{FilePath, Scope, analysis::Workflow, scope::Side};
use store::{
    ListAudit, PinEntry, PinError, PinFile, Precondition, View, WriteFile, WriteFileError,
};
use testkit::{
    World,
    world::{NOW, workflow},
};

fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap()
}

async fn pin(world: &World, scope: Scope, at: &str, version: u32) -> Result<PinEntry, PinError> {
    pin_with(world, scope, at, version, Vec::new()).await
}

async fn pin_with(
    world: &World,
    scope: Scope,
    at: &str,
    version: u32,
    workflows: Vec<Workflow>,
) -> Result<PinEntry, PinError> {
    let pin = PinFile { path: path(at), version, workflows, now: NOW };
    world.scoped(scope).pin_file(pin).await
}

async fn generation(world: &World, scope: Scope) -> i64 {
    world.scoped(scope).file_index(scope).await.unwrap().generation
}

#[tokio::test]
async fn what_is_held_stays_until_it_is_let_go() {
    let world = World::new().await;
    for content in ["1", "22", "333"] {
        world.write(Scope::Global, "a.py", content).await;
    }
    let before = generation(&world, world.acme).await;
    let entry = pin(&world, world.acme, "a.py", 2).await.unwrap();
    assert_eq!((entry.pinned.version, entry.pinned.size), (2, 2));
    assert_eq!(entry.global.map(|global| global.version), Some(3));
    assert_eq!(generation(&world, world.acme).await, before + 1, "the next run sees it");
    pin(&world, world.acme, "a.py", 2).await.unwrap();
    assert_eq!(generation(&world, world.acme).await, before + 1, "the same again is nothing new");
    assert_eq!(world.read(world.acme, "a.py").await.as_deref(), Some("22"));
    assert_eq!(world.read(world.globex, "a.py").await.as_deref(), Some("333"));
    assert_eq!(world.read(Scope::Global, "a.py").await.as_deref(), Some("333"));
    let acme = world.scoped(world.acme);
    let file = acme.file(&path("a.py"), View::Effective, None).await.unwrap().unwrap();
    assert_eq!((file.entry.side, file.entry.version, file.entry.pinned), (Side::Global, 2, true));
    let global = acme.file(&path("a.py"), View::Global, None).await.unwrap().unwrap();
    assert_eq!((global.entry.version, global.entry.pinned), (3, false));
    let other = acme.file(&path("a.py"), View::Effective, Some(1)).await.unwrap().unwrap();
    assert_eq!((other.entry.version, other.entry.pinned), (1, false));

    let index = acme.file_index(world.acme).await.unwrap();
    assert!(index.files.is_empty());
    assert_eq!((index.pinned[0].path.as_str(), index.pinned[0].version), ("a.py", 2));
    world.scoped(Scope::Global).delete_file(&path("a.py"), Precondition::Any, NOW).await.unwrap();
    assert_eq!(world.read(world.acme, "a.py").await.as_deref(), Some("22"), "Global has none now");
    assert_eq!(acme.pins("", None, 10).await.unwrap()[0].global, None);

    assert!(acme.unpin_file(&path("a.py"), NOW).await.unwrap());
    assert!(!acme.unpin_file(&path("a.py"), NOW).await.unwrap());
    assert_eq!(world.read(world.acme, "a.py").await, None);
    let list = ListAudit { action: Some("file.".to_owned()), limit: 10, ..ListAudit::default() };
    let told: Vec<_> =
        acme.audit_entries(list).await.unwrap().into_iter().map(|it| it.entry).collect();
    let told: Vec<_> = told.iter().map(|it| (it.action.as_str(), it.detail.as_str())).collect();
    let expected =
        [("file.unpin", r#"{"version":2}"#), ("file.pin", r#"{"before":null,"version":2}"#)];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_cannot_be_held_is_refused() {
    let world = World::new().await;
    world.write(Scope::Global, "a.py", "1").await;
    world.write(Scope::Global, "d/b.py", "1").await;
    world.write(Scope::Global, "d/b.py", "2").await;
    world.write(Scope::Global, "requirements.txt", "").await;
    let refused = async |at: &str, version| pin(&world, world.acme, at, version).await.unwrap_err();
    assert!(matches!(refused("a.py", 2).await, PinError::NotThere));
    assert!(matches!(refused("none.py", 1).await, PinError::NotThere));
    assert!(matches!(refused("requirements.txt", 1).await, PinError::Requirements));
    let of_global = pin(&world, Scope::Global, "a.py", 1).await;
    assert!(matches!(of_global, Err(PinError::OfGlobal)), "{of_global:?}");
    world.scoped(Scope::Global).delete_file(&path("a.py"), Precondition::Any, NOW).await.unwrap();
    assert!(matches!(refused("a.py", 2).await, PinError::NotThere), "a deletion is no content");
    world.write(world.globex, "only.py", "1").await;
    assert!(matches!(refused("only.py", 1).await, PinError::NotThere), "another's");

    world.write(world.acme, "d/b.py", "own").await;
    assert!(matches!(refused("d/b.py", 1).await, PinError::Overridden));
    world.write(world.globex, "d", "a file").await;
    let below = pin(&world, world.globex, "d/b.py", 1).await;
    assert!(matches!(below, Err(PinError::ParentIsFile(_))), "{below:?}");
}

/// Writing an override is more than holding: it ends the pin, and begins from what was held.
#[tokio::test]
async fn an_override_ends_the_pin_and_begins_from_it() {
    let world = World::new().await;
    for content in ["1", "2"] {
        world.write(Scope::Global, "a.py", content).await;
    }
    pin(&world, world.acme, "a.py", 1).await.unwrap();
    world.write(world.acme, "a.py", "own").await;
    let acme = world.scoped(world.acme);
    assert!(acme.pins("", None, 10).await.unwrap().is_empty());
    let base = acme.named_content(&path("a.py"), domain::file_ref::FileRef::Base).await.unwrap();
    assert_eq!(base.map(|it| it.version), Some(1));
    acme.delete_file(&path("a.py"), Precondition::Any, NOW).await.unwrap();
    assert_eq!(world.read(world.acme, "a.py").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn own_files_and_what_is_held_are_one_tree() {
    let world = World::new().await;
    world.write(Scope::Global, "d/b.py", "1").await;
    pin(&world, world.acme, "d/b.py", 1).await.unwrap();
    let write = async |at: &str| {
        let write = WriteFile {
            path: path(at),
            content: b"own",
            message: None,
            source: "api",
            precondition: Precondition::None,
            workflows: Vec::new(),
            now: NOW,
        };
        world.scoped(world.acme).write_file(write).await
    };
    let above = write("d").await;
    assert!(matches!(above, Err(WriteFileError::IsDirectory(_))), "{above:?}");
    let below = write("d/b.py/c").await;
    assert!(matches!(below, Err(WriteFileError::ParentIsFile(_))), "{below:?}");
    write("d/c.py").await.unwrap();
}

/// The workflows of the version that is held are those that can be run.
#[tokio::test]
async fn workflows_are_those_of_the_version_that_is_held() {
    let world = World::new().await;
    let (old, new) = (workflow("old"), workflow("new"));
    world.write_with(Scope::Global, "w.py", "1", vec![old.clone()]).await;
    world.write_with(Scope::Global, "w.py", "2", vec![new]).await;
    let names = async |scope| {
        let all = world.scoped(scope).workflows(None, 10).await.unwrap();
        all.into_iter().map(|it| (it.workflow.name, it.pinned)).collect::<Vec<_>>()
    };
    pin_with(&world, world.acme, "w.py", 1, vec![old.clone()]).await.unwrap();
    assert_eq!(names(world.acme).await, [("old".to_owned(), true)]);
    assert_eq!(names(world.globex).await, [("new".to_owned(), false)]);
    let acme = world.scoped(world.acme);
    assert!(acme.workflow("new").await.unwrap().is_none(), "the held version has none");
    let found = acme.workflow("old").await.unwrap().unwrap();
    assert_eq!((found.side, found.pinned, found.overrides), (Side::Global, true, false));
    assert!(world.scoped(world.globex).workflow("old").await.unwrap().is_none());

    world.write_with(Scope::Global, "x.py", "1", vec![workflow("other")]).await;
    let taken = pin_with(&world, world.acme, "x.py", 1, vec![old]).await;
    assert!(matches!(taken, Err(PinError::WorkflowTaken { .. })), "{taken:?}");
    acme.unpin_file(&path("w.py"), NOW).await.unwrap();
    let now = [("new".to_owned(), false), ("other".to_owned(), false)];
    assert_eq!(names(world.acme).await, now);
}
