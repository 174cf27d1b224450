//! Configuration values: the cascade, versions, sealing in the real database.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{ConfigKey, Scope};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::{
    ConfigValue, DeleteConfigError, ListAudit, ListConfig, Precondition, PutConfig, PutConfigError,
    Revealed, Store, StoreError, View,
};
use testkit::{
    World,
    world::{NOW, database_url},
};

fn key(text: &str) -> ConfigKey {
    ConfigKey::parse(text).unwrap()
}

fn put(name: &str, value: Value, secret: bool, precondition: Precondition) -> PutConfig {
    PutConfig { key: key(name), value, secret, precondition, now: NOW }
}

async fn set(world: &World, scope: Scope, name: &str, value: Value, secret: bool) {
    let put = put(name, value, secret, Precondition::Any);
    world.scoped(scope).put_config(put).await.unwrap();
}

/// What a run gets, and whether it is a secret.
async fn use_of(world: &World, scope: Scope, name: &str) -> Option<(Value, bool)> {
    let revealed = world.scoped(scope).reveal_config(&key(name)).await.unwrap()?;
    let (json, secret) = match revealed {
        Revealed::Plain(json) => (json, false),
        Revealed::Secret(json) => (json.expose_secret().to_owned(), true),
    };
    Some((serde_json::from_str(&json).unwrap(), secret))
}

#[tokio::test]
async fn an_organization_s_value_wins_over_global_s_and_foreign_ones_do_not_exist() {
    let world = World::new().await;
    let (acme, globex) = (world.acme, world.globex);
    set(&world, Scope::Global, "url", json!("https://global"), false).await;
    set(&world, Scope::Global, "api_key", json!("global secret"), true).await;
    set(&world, acme, "api_key", json!("acme secret"), true).await;
    set(&world, acme, "own", json!({"a": [1, null]}), false).await;

    let secret = |text: &str| Some((json!(text), true));
    assert_eq!(use_of(&world, acme, "api_key").await, secret("acme secret"));
    assert_eq!(use_of(&world, globex, "api_key").await, secret("global secret"));
    assert_eq!(use_of(&world, Scope::Global, "api_key").await, secret("global secret"));
    assert_eq!(use_of(&world, globex, "url").await, Some((json!("https://global"), false)));
    assert_eq!(use_of(&world, acme, "own").await, Some((json!({"a": [1, null]}), false)));
    assert_eq!(use_of(&world, globex, "own").await, None);

    let list = async |scope, view| {
        let list = ListConfig { view, after: None, limit: 10 };
        let entries = world.scoped(scope).config_values(list).await.unwrap();
        let short = |entry: store::ConfigEntry| {
            let secret = entry.value == ConfigValue::Secret;
            format!("{} {:?} {secret} {}", entry.key, entry.side, entry.overrides)
        };
        entries.into_iter().map(short).collect::<Vec<_>>()
    };
    let effective = ["api_key Own true true", "own Own false false", "url Global false false"];
    assert_eq!(list(acme, View::Effective).await, effective);
    assert_eq!(list(acme, View::Own).await, effective[..2]);
    let global = ["api_key Global true false", "url Global false false"];
    assert_eq!(list(acme, View::Global).await, global);
    assert_eq!(list(globex, View::Effective).await, global);
    assert_eq!(list(globex, View::Own).await, Vec::<String>::new());
}

#[tokio::test]
async fn versions_guard_writes_and_go_on_after_a_deletion() {
    let world = World::new().await;
    let acme = world.scoped(world.acme);
    let write = async |value: i32, secret, precondition| {
        let value = if secret { json!("a secret") } else { json!(value) };
        acme.put_config(put("a", value, secret, precondition)).await
    };
    let first = write(1, false, Precondition::None).await.unwrap();
    assert_eq!((first.created, first.entry.version), (true, 1));
    let again = write(2, false, Precondition::None).await;
    assert!(matches!(again, Err(PutConfigError::PreconditionRequired)));
    let stale = write(2, false, Precondition::Version(7)).await;
    assert!(matches!(stale, Err(PutConfigError::Stale)));
    let second = write(2, true, Precondition::Version(1)).await.unwrap();
    assert_eq!((second.created, second.entry.version), (false, 2));
    assert_eq!(second.entry.value, ConfigValue::Secret);

    let delete = async |precondition| acme.delete_config(&key("a"), precondition, NOW).await;
    let unsaid = delete(Precondition::None).await;
    assert!(matches!(unsaid, Err(DeleteConfigError::PreconditionRequired)));
    assert!(matches!(delete(Precondition::Version(1)).await, Err(DeleteConfigError::Stale)));
    delete(Precondition::Version(2)).await.unwrap();
    assert!(matches!(delete(Precondition::Any).await, Err(DeleteConfigError::NotThere)));
    assert_eq!(use_of(&world, world.acme, "a").await, None);
    let gone = write(3, false, Precondition::Version(2)).await;
    assert!(matches!(gone, Err(PutConfigError::Stale)));
    let anew = write(3, false, Precondition::None).await.unwrap();
    assert_eq!((anew.created, anew.entry.version), (true, 4));
}

#[tokio::test]
async fn a_sealed_value_that_is_moved_in_the_database_does_not_open() {
    let world = World::new().await;
    let (acme, globex) = (world.acme, world.globex);
    for (scope, name) in [(acme, "a"), (acme, "b"), (globex, "a"), (Scope::Global, "g")] {
        set(&world, scope, name, json!(format!("secret of {name}")), true).await;
    }
    let tamper = async |change: &str| {
        let copy = tempfile::tempdir().unwrap();
        let file = copy.path().join("bifrost.db");
        let from = world.directory.path().join("bifrost.db");
        // The copy is made by the engine, so that what is still in its log is in it too.
        sqlite(&from, &format!("VACUUM INTO '{}'", file.display()));
        sqlite(&file, change);
        let store = Store::open(&format!("sqlite:{}", file.display())).await.unwrap();
        store.unlock(testkit::world::master_key(&world.directory), NOW).await.unwrap();
        let access = domain::Access::for_operator(acme);
        store.scoped(&access).reveal_config(&key("a")).await
    };
    let id = |scope: Scope| hex::encode_upper(scope.column().as_bytes());
    let (acme_id, globex_id) = (id(acme), id(globex));
    let unchanged = tamper("SELECT 1").await.unwrap();
    assert!(matches!(unchanged, Some(Revealed::Secret(_))));
    let from_another_row = format!(
        "UPDATE config_values SET sealed = (SELECT sealed FROM config_values
            WHERE organization_id = X'{acme_id}' AND key = 'b')
         WHERE organization_id = X'{acme_id}' AND key = 'a'"
    );
    let from_another_organization = format!(
        "UPDATE config_values SET sealed = (SELECT sealed FROM config_values
            WHERE organization_id = X'{globex_id}' AND key = 'a')
         WHERE organization_id = X'{acme_id}' AND key = 'a'"
    );
    let with_its_data_key = format!(
        "{from_another_organization};
         UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys
            WHERE organization_id = X'{globex_id}') WHERE organization_id = X'{acme_id}'"
    );
    for change in [from_another_row, from_another_organization, with_its_data_key] {
        let refused = tamper(&change).await;
        assert!(refused.is_err(), "{change}: {refused:?}");
    }
}

/// Runs statements past the program, as somebody who can write the database file could.
fn sqlite(file: &std::path::Path, sql: &str) {
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                  for s in sys.argv[2].split(';'): c.execute(s)\nc.close()";
    let output = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(file)
        .arg(sql)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_store_without_its_master_key_seals_nothing_and_opens_nothing() {
    let world = World::new().await;
    set(&world, world.acme, "a", json!("a secret"), true).await;
    let store = Store::open(&database_url(&world.directory)).await.unwrap();
    let scoped = store.scoped(&domain::Access::for_operator(world.acme));
    let opened = scoped.reveal_config(&key("a")).await;
    assert!(matches!(opened, Err(StoreError::NoMasterKey)), "{opened:?}");
    let sealed = scoped.put_config(put("b", json!("another"), true, Precondition::None)).await;
    assert!(matches!(sealed, Err(PutConfigError::Store(StoreError::NoMasterKey))));
    assert!(scoped.put_config(put("b", json!("plain"), false, Precondition::None)).await.is_ok());
}

#[tokio::test]
async fn secrets_are_in_no_file_no_audit_and_no_debug_output() {
    let world = World::new().await;
    let value = "TOP-SECRET-VALUE-4711";
    let order = put("api_key", json!({ "token": value }), true, Precondition::None);
    assert!(!format!("{order:?}").contains(value));
    let written = world.scoped(world.acme).put_config(order).await.unwrap();
    assert!(!format!("{written:?}").contains(value));
    let revealed = world.scoped(world.acme).reveal_config(&key("api_key")).await.unwrap();
    assert!(!format!("{revealed:?}").contains(value));
    set(&world, world.acme, "plain", json!("PLAIN-VALUE-4711"), false).await;
    let mut files = 0;
    let mut plain = false;
    for entry in std::fs::read_dir(world.directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!holds(value));
        plain |= holds("PLAIN-VALUE-4711");
        files += 1;
    }
    assert!(plain && files >= 2, "the search finds what is there");
    let list = ListAudit { action: Some("config.".to_owned()), limit: 10, ..ListAudit::default() };
    let audit = world.scoped(world.acme).audit_entries(list).await.unwrap();
    let told = audit.iter().map(|one| (one.entry.action.as_str(), one.entry.detail.as_str()));
    let told: Vec<_> = told.collect();
    assert_eq!(
        told,
        [
            ("config.write", r#"{"secret":false,"version":1}"#),
            ("config.write", r#"{"secret":true,"version":1}"#),
        ]
    );
}
