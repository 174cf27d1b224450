//! Places to move to, and a look at all rows of a database past the store.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    sync::atomic::{AtomicBool, Ordering},
};
use store::{Export, Import, Imported, MasterKeySource, MoveError, Progress, Store};
use tempfile::TempDir;
use testkit::{World, database, world::NOW};

/// An empty directory and a database that is not there yet.
pub struct Place {
    pub directory: TempDir,
    pub url: String,
    engine: bool,
}

impl Place {
    /// A file, whatever the tests run on.
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("bifrost.db").display());
        Self { directory, url, engine: false }
    }

    /// A database of the engine that the tests run on.
    pub fn of_this_run() -> Self {
        let directory = tempfile::tempdir().unwrap();
        database::create(directory.path());
        let url = database::url(directory.path());
        Self { directory, url, engine: true }
    }

    pub async fn store(&self) -> Store {
        Store::create(&self.url).await.unwrap()
    }

    pub async fn url_of_migrated(&self) -> String {
        self.store().await;
        self.url.clone()
    }

    pub fn master_key(&self) -> MasterKeySource {
        MasterKeySource::DataDirectory(self.directory.path().to_owned())
    }

    pub fn take_master_key(&self, from: &TempDir) {
        let name = "master.key";
        fs::copy(from.path().join(name), self.directory.path().join(name)).unwrap();
    }

    pub async fn import(&self, file: &mut File) -> Result<Imported, MoveError> {
        import_of(&self.store().await, &self.directory, file, |_| {}).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.engine {
            database::remove(self.directory.path());
        }
    }
}

pub async fn import_of(
    store: &Store,
    keys: &TempDir,
    file: &mut File,
    wish: impl FnOnce(&mut Import),
) -> Result<Imported, MoveError> {
    store.import(file, import(keys, wish), &mut |_| {}).await
}

fn import(keys: &TempDir, wish: impl FnOnce(&mut Import)) -> Import {
    let mut import = Import {
        slug: None,
        resume: false,
        master_key: MasterKeySource::DataDirectory(keys.path().to_owned()),
        old_master_key: None,
        allow_broken_audit: false,
        now: NOW,
    };
    wish(&mut import);
    import
}

/// Drops the import when its first batch is written.
pub async fn stop_import_after_first_batch(
    world: &World,
    file: &mut File,
    wish: impl FnOnce(&mut Import),
) {
    stop(&world.store, import(&world.directory, wish), file).await;
}

pub async fn stop_after_first_batch(place: &Place, file: &mut File) {
    stop(&place.store().await, import(&place.directory, |_| {}), file).await;
}

async fn stop(store: &Store, import: Import, file: &mut File) {
    let (written, whole) = (AtomicBool::new(false), AtomicBool::new(false));
    // The file is told first, up to its end; then every batch.
    let mut tell = |progress: &Progress| {
        let seen = whole.load(Ordering::Relaxed);
        written.fetch_or(seen, Ordering::Relaxed);
        whole.fetch_or(progress.done == progress.of, Ordering::Relaxed);
    };
    let mut importing = Box::pin(store.import(file, import, &mut tell));
    std::future::poll_fn(|context| {
        use std::task::Poll;
        match importing.as_mut().poll(context) {
            Poll::Ready(ended) => panic!("it ended: {ended:?}"),
            Poll::Pending if written.load(Ordering::Relaxed) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
}

pub async fn export(store: &Store, organization: Option<&str>) -> Vec<u8> {
    let organization = organization.map(|slug| domain::Slug::parse(slug).unwrap());
    let wish = Export { organization, without_secrets: false, now: NOW };
    let mut bytes = Vec::new();
    store.export(wish, &mut bytes, &mut |_| {}).await.unwrap();
    bytes
}

pub async fn export_file(store: &Store, organization: Option<&str>) -> File {
    file_of(&export(store, organization).await)
}

pub fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

pub fn poke(file: &mut File, at: usize, byte: u8) {
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[byte]).unwrap();
}

/// What is in base64 in the cells of the rows.
pub fn unpacked(export: &[u8]) -> Vec<u8> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let mut all = Vec::new();
    for line in export.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"[")) {
        let cells: Vec<serde_json::Value> = serde_json::from_slice(line).unwrap();
        for text in cells.iter().filter_map(serde_json::Value::as_str) {
            all.extend(BASE64_STANDARD.decode(text).unwrap_or_default());
            all.push(b'\n');
        }
    }
    all
}

/// All rows of all tables, the same on both engines, without what belongs to the place itself.
pub async fn dump(url: &str) -> String {
    let connection = Database::connect(url).await.unwrap();
    let postgres = connection.get_database_backend() == DbBackend::Postgres;
    let sql = match postgres {
        true => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
        false => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    let mut tables: Vec<_> =
        texts(&connection, sql).await.into_iter().map(|row| row[0].clone()).collect();
    tables.sort();
    tables.retain(|name| {
        !["seaql_migrations", "master_key_check", "imports"].contains(&name.as_str())
    });
    let mut all = String::new();
    for table in tables {
        let sql = match postgres {
            true => format!(
                "SELECT column_name::text, data_type::text FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY 1"
            ),
            false => {
                format!("SELECT name, lower(type) FROM pragma_table_xinfo('{table}') ORDER BY 1")
            }
        };
        let cell = |column: &Vec<String>| {
            let name = &column[0];
            let text = match (column[1].as_str(), postgres) {
                ("uuid", true) => format!("replace({name}::text, '-', '')"),
                ("bytea", true) => format!("encode({name}, 'hex')"),
                ("uuid" | "bytea", false) => {
                    format!("CASE WHEN {name} IS NULL THEN NULL ELSE lower(hex({name})) END")
                }
                ("boolean", false) => {
                    format!("CASE {name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END")
                }
                _ => format!("CAST({name} AS text)"),
            };
            format!("COALESCE({text}, 'null')")
        };
        let columns = texts(&connection, &sql).await;
        let cells = columns.iter().map(cell).collect::<Vec<_>>().join(" || '|' || ");
        let rows = texts(&connection, &format!("SELECT {cells} FROM {table}")).await;
        let mut rows: Vec<_> = rows.into_iter().map(|row| row[0].replace('\n', "\\n")).collect();
        rows.sort();
        all += &format!("\n# {table}\n{}", rows.join("\n"));
    }
    all
}

async fn texts(connection: &DatabaseConnection, sql: &str) -> Vec<Vec<String>> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let texts = |row: &sea_orm::QueryResult| {
        (0..row.column_names().len()).map(|at| row.try_get_by_index(at).unwrap()).collect()
    };
    rows.iter().map(texts).collect()
}

/// A dump without what exports and imports say of themselves: their entries in audits, and
/// Global's head.
pub fn without_imports(dump: &str) -> String {
    let moves =
        ["|instance.import|", "organization.import", "|instance.export|", "organization.export"];
    let nil = uuid::Uuid::nil().simple().to_string();
    let mut heads = false;
    let lines = dump.lines().filter(|line| {
        if let Some(table) = line.strip_prefix("# ") {
            heads = table == "audit_heads";
        }
        let told = moves.iter().any(|action| line.contains(action));
        let head = heads && line.contains(&nil);
        !(line.is_empty() || told || head)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A dump without the lines that hold a word.
pub fn marked(dump: &str, word: &str) -> String {
    dump.lines().filter(|line| !line.contains(word)).collect::<Vec<_>>().join("\n")
}
