//! The store as its users see it, on a real SQLite file.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{Access, FilePath, OrganizationId, Scope, Slug, Timestamp, scope::Side};
use store::{ListFiles, NewOrganization, Precondition, Reason, Store, View, WriteFile};
use uuid::Uuid;

const NOW: Timestamp = Timestamp(1_000_000);

struct World {
    store: Store,
    acme: Scope,
    globex: Scope,
    _directory: tempfile::TempDir,
}

async fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("bifrost.db").display());
    let store = Store::create(&url).await.unwrap();
    let organization = async |slug: &str| {
        let id = OrganizationId(Uuid::now_v7());
        let slug = Slug::parse(slug).unwrap();
        let new = NewOrganization { id, name: slug.to_string(), slug, now: NOW };
        store.system(Reason::Organizations).create_organization(new).await.unwrap().scope
    };
    let (acme, globex) = (organization("acme").await, organization("globex").await);
    World { store, acme, globex, _directory: directory }
}

impl World {
    fn scoped(&self, scope: Scope) -> store::Scoped {
        self.store.scoped(&Access::for_operator(scope))
    }

    async fn write(
        &self,
        scope: Scope,
        path: &str,
        content: &str,
    ) -> Result<u32, store::WriteFileError> {
        let write = WriteFile {
            path: FilePath::parse(path).unwrap(),
            content: content.as_bytes(),
            message: None,
            source: "operator",
            precondition: Precondition::Any,
            workflows: Vec::new(),
            now: NOW,
        };
        self.scoped(scope).write_file(write).await.map(|written| written.entry.version)
    }

    async fn read(&self, scope: Scope, path: &str) -> Option<(Side, String)> {
        let path = FilePath::parse(path).unwrap();
        let file = self.scoped(scope).file(&path, View::Effective, None).await.unwrap()?;
        Some((file.entry.side, String::from_utf8(file.content).unwrap()))
    }
}

#[tokio::test]
async fn an_organizations_file_hides_the_global_one_for_it_alone() {
    let world = world().await;
    let path = "shared/halopsa.py";
    world.write(Scope::Global, path, "global").await.unwrap();
    assert_eq!(world.write(world.acme, path, "acme").await.unwrap(), 1);
    assert_eq!(world.read(world.acme, path).await, Some((Side::Own, "acme".to_owned())));
    assert_eq!(world.read(world.globex, path).await, Some((Side::Global, "global".to_owned())));

    let parsed = FilePath::parse(path).unwrap();
    world.scoped(world.acme).delete_file(&parsed, Precondition::Any, NOW).await.unwrap();
    assert_eq!(world.read(world.acme, path).await, Some((Side::Global, "global".to_owned())));
    assert_eq!(world.write(world.acme, path, "again").await.unwrap(), 3, "a deletion is a version");
}

#[tokio::test]
async fn lists_show_each_path_once() {
    let world = world().await;
    for path in ["a.py", "b.py", "c/d.py"] {
        world.write(Scope::Global, path, path).await.unwrap();
    }
    world.write(world.acme, "b.py", "own").await.unwrap();
    world.write(world.acme, "e.py", "own").await.unwrap();
    let list = |view, after: Option<&str>, limit| ListFiles {
        prefix: String::new(),
        view,
        after: after.map(str::to_owned),
        limit,
    };
    let paths = async |scope, list| {
        let files = world.scoped(scope).files(list).await.unwrap();
        files
            .iter()
            .map(|f| {
                format!(
                    "{}{}{}",
                    f.path,
                    if f.side == Side::Own { "!" } else { "" },
                    if f.overrides { "*" } else { "" }
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        paths(world.acme, list(View::Effective, None, 50)).await,
        ["a.py", "b.py!*", "c/d.py", "e.py!"]
    );
    assert_eq!(
        paths(world.acme, list(View::Effective, Some("a.py"), 2)).await,
        ["b.py!*", "c/d.py"]
    );
    assert_eq!(paths(world.acme, list(View::Own, None, 50)).await, ["b.py!*", "e.py!"]);
    assert_eq!(
        paths(world.globex, list(View::Effective, None, 50)).await,
        ["a.py", "b.py", "c/d.py"]
    );
    assert_eq!(paths(Scope::Global, list(View::Own, None, 50)).await, ["a.py", "b.py", "c/d.py"]);
}
