//! The master key: made once, refused when it does not fit, rotated with a crash at every step.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Access, ConfigKey, Scope};
use secrecy::ExposeSecret;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};
use store::{
    MasterKey, MasterKeySource, MasterKeyState, MasterRotation, Precondition, PutConfig, Revealed,
    RotationError, Store, UnlockError,
};
use testkit::{
    World,
    database::Place,
    peek::Peek,
    world::{NOW, create_organization, database_url, master_key},
};

fn key() -> ConfigKey {
    ConfigKey::parse("api_key").unwrap()
}

async fn put(store: &Store, scope: Scope, value: &str) {
    let put = PutConfig {
        key: key(),
        value: json!(value),
        secret: true,
        precondition: Precondition::Any,
        now: NOW,
    };
    store.scoped(&Access::for_operator(scope)).put_config(put).await.unwrap();
}

async fn get(store: &Store, scope: Scope) -> String {
    let scoped = store.scoped(&Access::for_operator(scope));
    match scoped.reveal_config(&key()).await.unwrap() {
        Some(Revealed::Secret(text)) => text.expose_secret().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Opens the world's database as another process would.
async fn open(world: &World, source: MasterKeySource) -> Result<Store, UnlockError> {
    let store = Store::open(&database_url(&world.directory)).await.unwrap();
    store.unlock(source, NOW).await?;
    Ok(store)
}

fn key_file(world: &World) -> PathBuf {
    world.directory.path().join("master.key")
}

fn write_key(path: &Path) -> MasterKeySource {
    fs::write(path, BASE64_STANDARD.encode(rand32())).unwrap();
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    MasterKeySource::File(path.to_owned())
}

fn rand32() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_database_opens_with_its_own_key_only_and_a_lost_one_is_not_made_anew() {
    let world = World::new().await;
    put(&world.store, world.acme, "of acme").await;
    let again = open(&world, master_key(&world.directory)).await.unwrap();
    assert_eq!(get(&again, world.acme).await, "\"of acme\"");

    let kept = fs::read(key_file(&world)).unwrap();
    fs::remove_file(key_file(&world)).unwrap();
    let missing = open(&world, master_key(&world.directory)).await.err().unwrap();
    let told = missing.to_string();
    assert!(matches!(missing, UnlockError::Missing(_)) && told.contains("master.key"), "{told}");
    assert!(!key_file(&world).exists(), "no new key was made");

    write_key(&key_file(&world));
    let other = open(&world, master_key(&world.directory)).await.err().unwrap();
    assert!(matches!(other, UnlockError::Mismatch(_)), "{other}");
    let checked = other_check(&world).await;
    assert!(matches!(checked, Err(UnlockError::Mismatch(_))));

    fs::write(key_file(&world), &kept).unwrap();
    let checked = other_check(&world).await.unwrap();
    assert!(matches!(checked, MasterKeyState::Fits(_)));
    let text = String::from_utf8(kept).unwrap();
    let variable = MasterKeySource::Variable(text.trim().into());
    assert_eq!(get(&open(&world, variable).await.unwrap(), world.acme).await, "\"of acme\"");
}

async fn other_check(world: &World) -> Result<MasterKeyState, UnlockError> {
    let store = Store::open(&database_url(&world.directory)).await.unwrap();
    store.check_master_key(&master_key(&world.directory)).await
}

#[tokio::test]
async fn a_key_that_somebody_else_keeps_is_never_made() {
    let directory = Place::new();
    let store = Store::create(&directory.url()).await.unwrap();
    let path = directory.path().join("provided.key");
    let source = MasterKeySource::File(path.clone());
    assert_eq!(store.check_master_key(&source).await.unwrap(), MasterKeyState::Unused);
    let refused = store.unlock(source.clone(), NOW).await.unwrap_err();
    assert!(matches!(refused, UnlockError::NotProvided(_)), "{refused}");
    assert!(!path.exists());
    store.unlock(write_key(&path), NOW).await.unwrap();
}

/// Rotates as far as `steps` says, as if the process had been killed then.
async fn rotate(store: &Store, steps: usize) -> Result<(), RotationError> {
    let rotation = MasterRotation::begin(store.clone(), None).await?;
    if steps >= 1 {
        rotation.write_next()?;
    }
    if steps >= 2 {
        rotation.rewrap(NOW).await?;
    }
    if steps >= 3 {
        rotation.keep_old()?;
    }
    if steps >= 4 {
        rotation.install()?;
    }
    Ok(())
}

#[tokio::test]
async fn a_rotation_of_the_master_key_may_be_cut_off_after_every_step() {
    for steps in 0..=4 {
        let world = World::new().await;
        let (acme, globex) = (world.acme, world.globex);
        put(&world.store, acme, "of acme").await;
        put(&world.store, Scope::Global, "of global").await;
        let old = fs::read(key_file(&world)).unwrap();
        let running = open(&world, master_key(&world.directory)).await.unwrap();
        rotate(&world.store, steps).await.unwrap();

        // Who runs goes on, also with a first value of an organization, and who starts starts.
        let started = open(&world, master_key(&world.directory)).await.unwrap();
        for store in [&running, &started] {
            assert_eq!(get(store, acme).await, "\"of acme\"", "after step {steps}");
            assert_eq!(get(store, globex).await, "\"of global\"", "after step {steps}");
        }
        put(&running, globex, "of globex").await;
        assert_eq!(get(&started, globex).await, "\"of globex\"", "after step {steps}");

        // The next rotation ends what was begun.
        rotate(&started, 4).await.unwrap();
        assert_ne!(fs::read(key_file(&world)).unwrap(), old);
        let path = key_file(&world);
        assert!(!path.with_file_name("master.key.next").exists());
        let after = open(&world, master_key(&world.directory)).await.unwrap();
        for store in [&running, &started, &after] {
            assert_eq!(get(store, acme).await, "\"of acme\"", "after step {steps}");
            assert_eq!(get(store, globex).await, "\"of globex\"", "after step {steps}");
        }
        // The old key is kept and opens nothing any more.
        let kept = fs::read_dir(world.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let kept: Vec<_> = kept.filter(|path| path.to_string_lossy().contains(".old-")).collect();
        assert!(kept.iter().any(|path| fs::read(path).unwrap() == old), "after step {steps}");
        let refused = open(&world, MasterKeySource::File(kept[0].clone())).await.err().unwrap();
        assert!(matches!(refused, UnlockError::Mismatch(_)), "{refused}");
    }
}

#[tokio::test]
async fn two_rotations_at_once_are_one() {
    let world = World::new().await;
    let first = MasterRotation::begin(world.store.clone(), None).await.unwrap();
    let second = MasterRotation::begin(world.store.clone(), None).await.err().unwrap();
    assert!(second.to_string().contains("another process"), "{second}");
    drop(first);
    rotate(&world.store, 4).await.unwrap();
}

#[tokio::test]
async fn a_key_kept_elsewhere_is_rotated_to_the_one_that_is_given() {
    let directory = Place::new();
    let store = Store::create(&directory.url()).await.unwrap();
    let acme = create_organization(&store, "acme").await;
    let path = directory.path().join("provided");
    store.unlock(write_key(&path), NOW).await.unwrap();
    put(&store, acme, "of acme").await;
    let unwanted = MasterRotation::begin(store.clone(), None).await.err().unwrap();
    assert!(matches!(unwanted, RotationError::NewKeyWanted(_)), "{unwanted}");
    let same = MasterKey::read(&path).unwrap();
    let same = MasterRotation::begin(store.clone(), Some(same)).await.err().unwrap();
    assert!(matches!(same, RotationError::Same));

    let next = directory.path().join("provided.next");
    write_key(&next);
    let new = MasterKey::read(&next).unwrap();
    let rotation = MasterRotation::begin(store.clone(), Some(new)).await.unwrap();
    assert_eq!(rotation.rewrap(NOW).await.unwrap(), 1);
    assert_eq!(get(&store, acme).await, "\"of acme\"", "who runs looks beside the file too");
    fs::rename(&next, &path).unwrap();
    let fresh = Store::open(&database_url(&directory)).await.unwrap();
    fresh.unlock(MasterKeySource::File(path), NOW).await.unwrap();
    assert_eq!(get(&fresh, acme).await, "\"of acme\"");
}

#[tokio::test]
async fn a_new_data_key_seals_everything_anew_and_the_old_one_is_gone() {
    let world = World::new().await;
    let running = open(&world, master_key(&world.directory)).await.unwrap();
    put(&world.store, world.acme, "of acme").await;
    put(&world.store, world.globex, "of globex").await;
    let peek = Peek::new(world.directory.path()).await;
    let keys = peek.rows_where("data_keys", "TRUE").await;
    let before = peek.rows_where("config_values", "TRUE").await;
    assert_eq!(world.scoped(world.acme).rotate_data_key(NOW).await.unwrap(), Some(1));
    assert_eq!(world.scoped(Scope::Global).rotate_data_key(NOW).await.unwrap(), None);
    assert_eq!(get(&running, world.acme).await, "\"of acme\"");
    assert_eq!(get(&running, world.globex).await, "\"of globex\"");
    let after = peek.rows_where("config_values", "TRUE").await;
    let kept = before.iter().filter(|row| after.contains(row)).count();
    assert_eq!(kept, 1, "only Globex's is as it was");
    let now = peek.rows_where("data_keys", "TRUE").await;
    assert_eq!((now.len(), now.iter().filter(|key| keys.contains(key)).count()), (2, 1));
}

/// On a file of its own, because PostgreSQL leaves the bytes to its vacuum.
mod on_sqlite {
    use super::*;

    #[tokio::test]
    async fn a_deleted_data_key_is_overwritten_in_the_database_s_file() {
        let world = World::new().await;
        put(&world.store, world.acme, "of acme").await;
        let peek = Peek::new(world.directory.path()).await;
        let wrapped = format!("SELECT {} FROM data_keys", peek.hex("wrapped"));
        let wrapped = hex::decode(&peek.texts(&wrapped).await[0]).unwrap();
        assert!(wrapped.len() > 60);
        let is_there = async || {
            assert!(peek.nobody_is_at_it().await, "the log is written back");
            peek.is_on_disk(&wrapped).await
        };
        assert!(is_there().await, "the search finds what is there");
        world.scoped(world.acme).rotate_data_key(NOW).await.unwrap();
        assert!(!is_there().await);
    }
}

#[tokio::test]
async fn without_its_data_key_nothing_of_an_organization_opens() {
    let world = World::new().await;
    put(&world.store, world.acme, "of acme").await;
    put(&world.store, world.globex, "of globex").await;
    let peek = Peek::new(world.directory.path()).await;
    let id = peek.id(world.acme.column());
    peek.lawless(&[&format!("DELETE FROM data_keys WHERE organization_id = {id}")]).await;
    let acme = world.scoped(world.acme);
    assert!(acme.reveal_config(&key()).await.is_err());
    assert_eq!(get(&world.store, world.globex).await, "\"of globex\"");
}

#[tokio::test]
async fn when_the_master_key_is_lost_the_secrets_can_be_discarded() {
    let world = World::new().await;
    put(&world.store, world.acme, "of acme").await;
    put(&world.store, Scope::Global, "of global").await;
    fs::remove_file(key_file(&world)).unwrap();
    let store = Store::open(&database_url(&world.directory)).await.unwrap();
    assert_eq!(store.discard_secrets(NOW).await.unwrap().secrets, 2);
    store.unlock(master_key(&world.directory), NOW).await.unwrap();
    let scoped = store.scoped(&Access::for_operator(world.acme));
    assert!(scoped.reveal_config(&key()).await.unwrap().is_none());
    put(&store, world.acme, "again").await;
    assert_eq!(get(&store, world.acme).await, "\"again\"");
}
