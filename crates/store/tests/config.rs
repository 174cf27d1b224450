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
    peek::Peek,
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

/// What of Acme's `a` opens after a change made past the program.
async fn opens_after(change: impl Fn(&Peek, &World) -> Vec<String>) -> Option<Revealed> {
    let world = World::new().await;
    let (acme, globex) = (world.acme, world.globex);
    for (scope, name) in [(acme, "a"), (acme, "b"), (globex, "a"), (Scope::Global, "g")] {
        set(&world, scope, name, json!(format!("secret of {name}")), true).await;
    }
    let peek = Peek::new(world.directory.path()).await;
    for statement in change(&peek, &world) {
        assert_eq!(peek.run(&statement, Vec::new()).await, 1);
    }
    // Another process, which remembers nothing.
    let store = Store::open(&world.directory.url()).await.unwrap();
    store.unlock(testkit::world::master_key(&world.directory), NOW).await.unwrap();
    let scoped = store.scoped(&domain::Access::for_operator(acme));
    scoped.reveal_config(&key("a")).await.ok().flatten()
}

#[tokio::test]
async fn a_sealed_value_that_is_moved_in_the_database_does_not_open() {
    let take = |peek: &Peek, world: &World, (scope, name): (Scope, &str)| {
        let (acme, from) = (peek.id(world.acme.column()), peek.id(scope.column()));
        format!(
            "UPDATE config_values SET sealed = (SELECT it.sealed FROM config_values AS it
                WHERE it.organization_id = {from} AND it.key = '{name}')
             WHERE organization_id = {acme} AND key = 'a'"
        )
    };
    let take_key = |peek: &Peek, world: &World| {
        let (acme, globex) = (peek.id(world.acme.column()), peek.id(world.globex.column()));
        format!(
            "UPDATE data_keys SET wrapped = (SELECT it.wrapped FROM data_keys AS it
                WHERE it.organization_id = {globex}) WHERE organization_id = {acme}"
        )
    };
    let unchanged = opens_after(|_, _| Vec::new()).await;
    assert!(matches!(unchanged, Some(Revealed::Secret(_))));
    let opened = opens_after(|peek, world| vec![take(peek, world, (world.acme, "b"))]).await;
    assert!(opened.is_none(), "from another row");
    let opened = opens_after(|peek, world| vec![take(peek, world, (world.globex, "a"))]).await;
    assert!(opened.is_none(), "from another organization");
    let both = |peek: &Peek, world: &World| {
        vec![take(peek, world, (world.globex, "a")), take_key(peek, world)]
    };
    assert!(opens_after(both).await.is_none(), "with its data key");
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
    let peek = Peek::new(world.directory.path()).await;
    assert!(!peek.is_on_disk(value.as_bytes()).await);
    assert!(peek.is_on_disk(b"PLAIN-VALUE-4711").await, "the search finds what is there");
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
