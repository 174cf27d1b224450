//! The walls, switched off one at a time and all together.
//!
//! - *types* off: the attacker runs statements of its own instead of the methods of `Scoped`;
//! - *guard* off: nothing is checked on the way to the database;
//! - *engine* off: no triggers, no foreign keys; on PostgreSQL no row-level security and no grants
//!   to hold anybody back either.
//!
//! With any one of them off every attack still fails. With all of them off every attack succeeds,
//! which shows that the attacks are attacks. What each wall holds alone is kept in `ablation.txt`,
//! for PostgreSQL in `ablation_postgres.txt` with what row-level security holds without the rest of
//! the engine.

use super::{
    attacks::{ATTACKS, Attack},
    without_laws::{Laws, open},
};
use crate::{
    NewExecution, NewOrganization, NewUser, Precondition, Reason, Scoped, Store, StoreError,
    WriteFile, row::FromRow,
};
use domain::{
    Access, Actor, ExecutionId, FilePath, OrganizationId, Role, Scope, Slug, Timestamp, UserId,
    analysis::Workflow,
    execution::{LogLevel, LogLine},
};
use sea_orm::Value;
use std::path::Path;
use testkit::{
    database::{Engine, Place, engine},
    peek::Peek,
};
use uuid::Uuid;

/// In every text of the victim's.
const MARK: &str = "qxvictim77vk31j";
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// Which walls stand.
#[derive(Clone, Copy, Debug)]
struct Walls {
    types: bool,
    guard: bool,
    engine: Laws,
}

impl Walls {
    const ALL: Self = Self { types: true, guard: true, engine: Laws::All };
    const NONE: Self = Self { types: false, guard: false, engine: Laws::None };

    /// With exactly one of them off.
    fn without_one() -> [(&'static str, Self); 3] {
        [
            ("types", Self { types: false, ..Self::ALL }),
            ("guard", Self { guard: false, ..Self::ALL }),
            ("engine", Self { engine: Laws::None, ..Self::ALL }),
        ]
    }

    /// With exactly one of them standing, or with one part of the engine's.
    fn one_alone() -> Vec<(&'static str, Self)> {
        let mut all = vec![
            ("types", Self { types: true, ..Self::NONE }),
            ("guard", Self { guard: true, ..Self::NONE }),
            ("engine", Self { engine: Laws::All, ..Self::NONE }),
        ];
        if engine() == Engine::Postgres {
            all.push(("rows only", Self { engine: Laws::RowSecurity, ..Self::NONE }));
        }
        all
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
async fn template(place: &Place) -> Target {
    let store = Store::create(&place.url()).await.unwrap();
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

/// Every row of the victim's.
async fn rows_of(peek: &Peek, victim: &Target) -> String {
    let id = peek.id(victim.scope.column());
    let mut all = peek.rows_where("organizations", &format!("id = {id}")).await;
    for table in peek.tables() {
        all.push(table.to_owned());
        all.extend(peek.rows_where(table, &format!("organization_id = {id}")).await);
    }
    all.join("\n")
}

#[derive(FromRow)]
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
async fn succeeds(place: &Place, victim: &Target, attack: &Attack, walls: Walls) -> bool {
    let peek = Peek::new(place.path()).await;
    let before = rows_of(&peek, victim).await;
    assert!(before.contains(MARK));
    let store = open(place, &peek, walls.engine).await;
    if !walls.guard {
        store.guard().switch_off();
    }
    let scoped = scoped(&store, victim.attacker, "attacker");
    let told = if walls.types {
        attack.allowed.tell(&scoped, victim).await
    } else {
        let done = run(&scoped, attack.sql, attack.bound(victim)).await;
        done.unwrap_or_else(|error| error.to_string())
    };
    let bytes = format!("{:?}", MARK.as_bytes());
    let bytes = bytes.trim_matches(['[', ']']);
    let seen = [MARK, bytes, &hex::encode(MARK)].iter().any(|form| told.contains(form));
    seen || before != rows_of(&peek, victim).await
}

struct Range {
    template: Place,
    victim: Target,
}

impl Range {
    async fn new() -> Self {
        let template = Place::new();
        let victim = self::template(&template).await;
        Self { template, victim }
    }

    async fn breached(&self, attack: &Attack, walls: Walls) -> bool {
        let place = Place::copy_of(&self.template);
        succeeds(&place, &self.victim, attack, walls).await
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
    let line = |cells: &[&str]| {
        let cells = cells.iter().map(|cell| format!("{cell:<9}")).collect::<String>();
        format!("{}\n", cells.trim_end())
    };
    let names: Vec<_> = Walls::one_alone().iter().map(|(name, _)| *name).collect();
    let mut text = format!("{:49}{}", "attack, with one wall alone", line(&names));
    for attack in ATTACKS {
        let mut words = Vec::new();
        for (_, walls) in Walls::one_alone() {
            words.push(if range.breached(attack, walls).await { "LEAKS" } else { "held" });
        }
        text += &format!("{:49}{}", attack.name, line(&words));
    }
    let file = match engine() {
        Engine::Sqlite => "tests/ablation.txt",
        Engine::Postgres => "tests/ablation_postgres.txt",
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
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
