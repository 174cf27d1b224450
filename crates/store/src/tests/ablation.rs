//! The walls, switched off one at a time and all together.
//!
//! - *types* off: the attacker runs statements of its own instead of the methods of `Scoped`;
//! - *guard* off: nothing is checked on the way to the database;
//! - *engine* off: no triggers, no foreign keys.
//!
//! With any one of them off every attack still fails. With all of them off every attack succeeds,
//! which shows that the attacks are attacks. What each wall holds alone is kept in `ablation.txt`.

use super::attacks::{ATTACKS, Attack};
use crate::{
    NewExecution, NewOrganization, NewUser, Precondition, Reason, Scoped, Store, StoreError,
    WriteFile, engine::Engine, sqlite::Sqlite,
};
use domain::{
    Access, Actor, ExecutionId, FilePath, OrganizationId, Role, Scope, Slug, Timestamp, UserId,
    analysis::Workflow,
    execution::{LogLevel, LogLine},
};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, FromQueryResult,
    Statement, Value,
};
use std::path::Path;
use uuid::Uuid;

/// In every text of the victim's.
const MARK: &str = "qxvictim77vk31j";
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// Which walls stand.
#[derive(Clone, Copy, Debug)]
struct Walls {
    types: bool,
    guard: bool,
    engine: bool,
}

impl Walls {
    const ALL: Self = Self { types: true, guard: true, engine: true };
    const NONE: Self = Self { types: false, guard: false, engine: false };

    /// With exactly one of them off.
    fn without_one() -> [(&'static str, Self); 3] {
        [
            ("types", Self { types: false, ..Self::ALL }),
            ("guard", Self { guard: false, ..Self::ALL }),
            ("engine", Self { engine: false, ..Self::ALL }),
        ]
    }

    /// With exactly one of them standing.
    fn one_alone() -> [Self; 3] {
        [
            Self { types: true, ..Self::NONE },
            Self { guard: true, ..Self::NONE },
            Self { engine: true, ..Self::NONE },
        ]
    }
}

/// Who is attacked, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub scope: Scope,
    pub user: UserId,
    pub execution: ExecutionId,
    pub attacker: Scope,
    pub attackers_user: UserId,
}

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

async fn organization(store: &Store, slug: &str, name: &str) -> Scope {
    let (id, slug) = (OrganizationId(Uuid::now_v7()), Slug::parse(slug).unwrap());
    let new = NewOrganization { id, slug, name: name.to_owned(), now: NOW };
    let by = Access::for_operator(Scope::Global);
    store.system(Reason::Organizations).create_organization(new, &by).await.unwrap().scope
}

async fn user(scoped: &Scoped, mark: &str) -> UserId {
    let id = UserId(Uuid::now_v7());
    let (email, name) = (format!("u@{mark}.test"), mark.to_owned());
    let new = NewUser { id, email, name, role: Role::Viewer, password_hash: None, now: NOW };
    scoped.create_user(new).await.unwrap();
    id
}

fn scoped(store: &Store, scope: Scope, mark: &str) -> Scoped {
    let (id, email) = (UserId(Uuid::from_u128(9)), format!("author@{mark}.test"));
    let actor = Actor::User { id, email, acting: None };
    store.scoped(&Access::from_verified_token(scope, Role::Admin, actor))
}

/// A database in which the victim has something in every table.
async fn template(path: &Path) -> Target {
    let store = Store::create(&url(path)).await.unwrap();
    let scope = organization(&store, "victim", MARK).await;
    let attacker = organization(&store, "attacker", "Attacker").await;
    let theirs = scoped(&store, scope, MARK);
    let ours = scoped(&store, attacker, "attacker");
    let workflow = Workflow {
        name: "w".to_owned(),
        function: MARK.to_owned(),
        line: 1,
        description: MARK.to_owned(),
        is_async: false,
        parameters: serde_json::json!({}),
        options: serde_json::Map::new(),
    };
    let write = WriteFile {
        path: FilePath::parse("secret.py").unwrap(),
        content: MARK.as_bytes(),
        message: Some(MARK.to_owned()),
        source: "operator",
        precondition: Precondition::Any,
        workflows: vec![workflow],
        now: NOW,
    };
    theirs.write_file(write).await.unwrap();
    // Its path has no mark: a second one has.
    let path_of_mark = FilePath::parse(&format!("{MARK}.md")).unwrap();
    let write = WriteFile {
        path: path_of_mark,
        content: MARK.as_bytes(),
        message: None,
        source: "operator",
        precondition: Precondition::Any,
        workflows: Vec::new(),
        now: NOW,
    };
    theirs.write_file(write).await.unwrap();
    let execution = ExecutionId(Uuid::now_v7());
    let entry = theirs.workflow("w").await.unwrap().unwrap();
    let new = NewExecution {
        id: execution,
        workflow: &entry,
        inputs: serde_json::json!({ "a": MARK }),
        idempotency_key: None,
        place: crate::Place::default(),
        max_queued: 10,
        now: NOW,
    };
    theirs.enqueue(new).await.unwrap();
    let line = LogLine { time: NOW, level: LogLevel::Info, message: MARK.to_owned() };
    theirs.append_logs(execution, &[line]).await.unwrap();
    let user_of_victim = user(&theirs, MARK).await;
    let attackers_user = user(&ours, "attacker").await;
    store.engine().forget_removed().await.unwrap();
    Target { scope, user: user_of_victim, execution, attacker, attackers_user }
}

#[derive(FromQueryResult)]
struct Text {
    text: Option<String>,
}

fn connection(store: &Store) -> &DatabaseConnection {
    match store.engine() {
        Engine::Sqlite(sqlite) => sqlite.connection(),
        Engine::Postgres(_) => panic!("these are attacks on a file"),
    }
}

async fn texts(connection: &DatabaseConnection, query: &str) -> Vec<String> {
    let statement = Statement::from_string(DbBackend::Sqlite, query.to_owned());
    let rows = Text::find_by_statement(statement).all(connection).await.unwrap();
    rows.into_iter().filter_map(|row| row.text).collect()
}

/// The store over a copy of `template`, with the walls that stand.
async fn store(template: &Path, directory: &Path, walls: Walls) -> Store {
    let path = directory.join(format!("{}.db", Uuid::now_v7()));
    std::fs::copy(template, &path).unwrap();
    let mut options = ConnectOptions::new(url(&path));
    options.sqlx_logging(false);
    options.map_sqlx_sqlite_opts(move |sqlite| sqlite.foreign_keys(walls.engine));
    let connection = Database::connect(options).await.unwrap();
    if !walls.engine {
        let triggers = "SELECT name AS text FROM sqlite_master WHERE type = 'trigger'";
        for trigger in texts(&connection, triggers).await {
            connection.execute_unprepared(&format!("DROP TRIGGER {trigger}")).await.unwrap();
        }
    }
    let store = Store::over(Engine::Sqlite(Sqlite::over(connection)));
    if !walls.guard {
        store.guard().switch_off();
    }
    store
}

/// Every row of the victim's, and how many of them there are.
async fn rows_of(store: &Store, victim: &Target) -> String {
    let owned = "SELECT m.name AS text FROM sqlite_master m \
                 JOIN pragma_table_info(m.name) c ON c.name = 'organization_id' ORDER BY m.name";
    let mut all = String::new();
    let mut tables = texts(connection(store), owned).await;
    tables.push("organizations".to_owned());
    for table in tables {
        let key = if table == "organizations" { "id" } else { "organization_id" };
        let columns = format!("SELECT name AS text FROM pragma_table_info('{table}')");
        let columns = texts(connection(store), &columns).await;
        let row = columns.iter().map(|it| format!("quote({it})")).collect::<Vec<_>>();
        let owner = victim.scope.column().simple().to_string().to_uppercase();
        let query = format!(
            "SELECT {} AS text FROM {table} WHERE hex({key}) = '{owner}' ORDER BY rowid",
            row.join(" || '|' || ")
        );
        all += &format!("{table}: {:?}\n", texts(connection(store), &query).await);
    }
    all
}

#[derive(FromQueryResult)]
struct Seen {
    seen: Option<String>,
}

/// Runs the statement for the attacker, through the gate that every statement passes.
async fn run(scoped: &Scoped, sql: &'static str, values: Vec<Value>) -> Result<String, StoreError> {
    let gate = scoped.gate();
    if sql.starts_with("SELECT") || sql.starts_with("WITH") {
        let rows: Vec<Seen> = match values.len() {
            0 => gate.all(sql, []).await,
            1 => gate.all(sql, <[Value; 1]>::try_from(values).unwrap()).await,
            2 => gate.all(sql, <[Value; 2]>::try_from(values).unwrap()).await,
            more => panic!("{more} values"),
        }?;
        return Ok(rows.into_iter().filter_map(|row| row.seen).collect());
    }
    let touched = match values.len() {
        0 => gate.run(sql, []).await,
        1 => gate.run(sql, <[Value; 1]>::try_from(values).unwrap()).await,
        2 => gate.run(sql, <[Value; 2]>::try_from(values).unwrap()).await,
        3 => gate.run(sql, <[Value; 3]>::try_from(values).unwrap()).await,
        more => panic!("{more} values"),
    }?;
    Ok(touched.to_string())
}

/// Whether the attack got anything of the victim's, or changed it.
async fn succeeds(store: &Store, victim: &Target, attack: &Attack, walls: Walls) -> bool {
    let before = rows_of(store, victim).await;
    assert!(before.contains(MARK));
    let scoped = scoped(store, victim.attacker, "attacker");
    let told = if walls.types {
        attack.allowed.tell(&scoped, victim).await
    } else {
        let done = run(&scoped, attack.sql, attack.bound(victim)).await;
        done.unwrap_or_else(|error| error.to_string())
    };
    let bytes = format!("{:?}", MARK.as_bytes());
    let bytes = bytes.trim_matches(['[', ']']);
    told.contains(MARK) || told.contains(bytes) || before != rows_of(store, victim).await
}

struct Range {
    directory: tempfile::TempDir,
    victim: Target,
}

impl Range {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let victim = template(&directory.path().join("template.db")).await;
        Self { directory, victim }
    }

    async fn breached(&self, attack: &Attack, walls: Walls) -> bool {
        let template = self.directory.path().join("template.db");
        let store = store(&template, self.directory.path(), walls).await;
        succeeds(&store, &self.victim, attack, walls).await
    }
}

#[tokio::test]
async fn every_attack_fails_with_any_one_wall_off() {
    let range = Range::new().await;
    for attack in ATTACKS {
        assert!(!range.breached(attack, Walls::ALL).await, "{} with all walls", attack.name);
        for (off, walls) in Walls::without_one() {
            let breached = range.breached(attack, walls).await;
            assert!(!breached, "`{}` succeeds without {off}", attack.name);
        }
    }
}

#[tokio::test]
async fn every_attack_succeeds_with_all_walls_off() {
    let range = Range::new().await;
    for attack in ATTACKS {
        let breached = range.breached(attack, Walls::NONE).await;
        assert!(breached, "`{}` is no attack: it fails without any wall", attack.name);
    }
}

#[tokio::test]
async fn what_each_wall_holds_alone_is_kept_for_reviewers() {
    let range = Range::new().await;
    let mut text =
        format!("{:48} {:8} {:8} engine\n", "attack, with one wall alone", "types", "guard");
    for attack in ATTACKS {
        let mut words = Vec::new();
        for walls in Walls::one_alone() {
            words.push(if range.breached(attack, walls).await { "LEAKS" } else { "held" });
        }
        text += &format!("{:48} {:8} {:8} {}\n", attack.name, words[0], words[1], words[2]);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ablation.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{} is not up to date: run with UPDATE_GOLDEN=1\n{text}", path.display());
}

#[test]
fn no_method_is_told_whose_rows_to_touch() {
    // These two read: what they are given is compared with the asking scope before anything else.
    let expected = ["file_index.rs contents", "file_index.rs file_index"];
    let mut found = super::statements::methods_given_a_scope();
    found.sort();
    assert_eq!(found, expected);
}
