//! A fresh database with the organizations Acme and Globex beside Global and the provider.

use crate::database::{self, Place};
use domain::{Access, FilePath, OrganizationId, Scope, Slug, Timestamp, analysis::Workflow};
use store::{
    MasterKeySource, NewOrganization, Precondition, Reason, Scoped, Store, View, WriteFile, Written,
};
use tempfile::TempDir;
use uuid::Uuid;

/// A moment for tests that hold the clock still.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// A database of its own, gone with the value.
pub struct World {
    /// The database.
    pub store: Store,
    /// One organization.
    pub acme: Scope,
    /// Another one.
    pub globex: Scope,
    /// Where the database is.
    pub directory: Place,
}

impl World {
    /// Makes a world.
    pub async fn new() -> Self {
        let directory = Place::migrated().await;
        let store = Store::open(&directory.url()).await.expect("a database");
        store.unlock(master_key(&directory), NOW).await.expect("a master key");
        let acme = create_organization(&store, "acme").await;
        let globex = create_organization(&store, "globex").await;
        Self { store, acme, globex, directory }
    }

    /// The view of the operator on one scope.
    pub fn scoped(&self, scope: Scope) -> Scoped {
        self.store.scoped(&Access::for_operator(scope))
    }

    /// Writes a text file whatever is there.
    pub async fn write(&self, scope: Scope, path: &str, content: &str) -> Written {
        self.write_with(scope, path, content, Vec::new()).await
    }

    /// Writes a text file with the workflows somebody found in it.
    pub async fn write_with(
        &self,
        scope: Scope,
        path: &str,
        content: &str,
        workflows: Vec<Workflow>,
    ) -> Written {
        let write = WriteFile {
            path: FilePath::parse(path).expect("a path"),
            content: content.as_bytes(),
            message: None,
            source: "operator",
            precondition: Precondition::Any,
            workflows,
            now: NOW,
        };
        self.scoped(scope).write_file(write).await.expect("written")
    }

    /// The text an organization's workflows would read.
    pub async fn read(&self, scope: Scope, path: &str) -> Option<String> {
        let path = FilePath::parse(path).expect("a path");
        let file = self.scoped(scope).file(&path, View::Effective, None).await.expect("read");
        file.map(|file| String::from_utf8(file.content).expect("text"))
    }
}

/// The URL of the database in a directory.
pub fn database_url(directory: &TempDir) -> String {
    database::url(directory.path())
}

/// Where the master key of a directory's database is.
pub fn master_key(directory: &TempDir) -> MasterKeySource {
    MasterKeySource::DataDirectory(directory.path().to_owned())
}

/// Adds an organization.
pub async fn create_organization(store: &Store, slug: &str) -> Scope {
    let new = NewOrganization {
        id: OrganizationId(Uuid::now_v7()),
        slug: Slug::parse(slug).expect("a slug"),
        name: format!("{}{}", slug[..1].to_uppercase(), &slug[1..]),
        now: NOW,
    };
    let system = store.system(Reason::Organizations);
    let by = Access::for_operator(Scope::Global);
    system.create_organization(new, &by).await.expect("an organization").scope
}

/// A workflow that takes nothing, for a file that is never read.
pub fn workflow(name: &str) -> Workflow {
    Workflow {
        name: name.to_owned(),
        function: name.to_owned(),
        line: 1,
        description: String::new(),
        is_async: false,
        parameters: serde_json::json!({}),
        options: serde_json::Map::new(),
    }
}

/// A workflow that starts by itself.
pub fn scheduled(name: &str, pattern: &str, missed: &str) -> Workflow {
    let mut workflow = workflow(name);
    workflow.options.insert("schedule".to_owned(), pattern.into());
    workflow.options.insert("missed".to_owned(), missed.into());
    workflow
}
