//! Moving instances and organizations: from engine to engine, through damage and interruption.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod filling;
mod moved;

use domain::{Access, ConfigKey, Scope, Slug};
use filling::{CANARY, fill, finish_one};
use moved::{Place, dump, export, export_file, import_of, marked, without_imports};
use secrecy::ExposeSecret;
use std::{fs, time::Duration};
use store::{Content, Export, MasterKey, MoveError, Reason, Revealed, StoreError, examine};
use testkit::{World, marks::Search, world::NOW};

async fn full() -> World {
    let world = World::new().await;
    // The second one finishes what the first one has waiting; then its own turn comes.
    for scope in [world.globex, world.acme] {
        fill(&world, scope).await;
    }
    finish_one(&world).await;
    for scope in [Scope::Global, Scope::Organization(domain::OrganizationId::PROVIDER)] {
        world.write(scope, "shared/everybody.py", "x = 1").await;
    }
    world
}

/// From the engine under test to SQLite, and from there to the engine under test.
#[tokio::test]
async fn an_instance_is_the_same_after_it_went_to_another_engine_and_back() {
    let world = full().await;
    let before = without_imports(&dump(&testkit::world::database_url(&world.directory)).await);
    let filled = before.split("\n# ").filter(|table| table.lines().count() > 1).count();
    assert!(filled >= 16 && before.contains(CANARY), "all but `setup_links`: {filled}");
    let mut file = export_file(&world.store, None).await;
    let middle = Place::sqlite();
    middle.take_master_key(&world.directory);
    let imported = middle.import(&mut file).await.unwrap();
    assert_eq!((imported.content, imported.resumed), (Content::Instance, false));
    assert_eq!(without_imports(&dump(&middle.url).await), before);
    let mut file = export_file(&middle.store().await, None).await;
    let back = Place::of_this_run();
    back.take_master_key(&world.directory);
    back.import(&mut file).await.unwrap();
    assert_eq!(without_imports(&dump(&back.url).await), before);
    opens_secrets(&back, world.acme).await;
}

async fn opens_secrets(place: &Place, owner: Scope) {
    let store = place.store().await;
    store.unlock(place.master_key(), NOW).await.unwrap();
    let access = Access::for_operator(owner);
    let key = ConfigKey::parse("canary_sealed").unwrap();
    let revealed = store.scoped(&access).reveal_config(&key).await.unwrap();
    let Some(Revealed::Secret(value)) = revealed else { panic!("it is not sealed") };
    assert_eq!(value.expose_secret(), format!("\"{CANARY}\""));
}

#[tokio::test]
async fn one_organization_comes_to_live_beside_others_with_its_secrets_under_another_key() {
    let (old, new) = (full().await, World::new().await);
    let id = old.acme.organization().unwrap().0;
    let mut file = export_file(&old.store, Some("acme")).await;
    let taken = import_of(&new.store, &new.directory, &mut file, |_| {}).await.unwrap_err();
    // `acme` is there already; and without the key of the old place nothing begins.
    assert!(matches!(taken, MoveError::AnotherKey(_)), "{taken}");
    let old_key = || Some(MasterKey::read(&old.directory.path().join("master.key")).unwrap());
    let taken =
        import_of(&new.store, &new.directory, &mut file, |it| it.old_master_key = old_key());
    let taken = taken.await.unwrap_err();
    assert!(matches!(taken, MoveError::SlugTaken(_)) && taken.is_conflict(), "{taken}");
    let before = without_imports(&dump(&testkit::world::database_url(&new.directory)).await);
    let wish = |it: &mut store::Import| {
        it.old_master_key = old_key();
        it.slug = Some(Slug::parse("acme-two").unwrap());
    };
    let imported = import_of(&new.store, &new.directory, &mut file, wish).await.unwrap();
    assert_eq!(imported.slug.as_deref(), Some("acme-two"));
    let system = new.store.system(Reason::Organizations);
    let here = system.organization_by_slug(&Slug::parse("acme-two").unwrap()).await.unwrap();
    let here = here.unwrap();
    assert_eq!((here.scope, here.status), (old.acme, store::OrganizationStatus::Active));
    let key = ConfigKey::parse("canary_sealed").unwrap();
    assert!(new.scoped(old.acme).reveal_config(&key).await.unwrap().is_some());
    let chain = new.store.system(Reason::Audit).verify_audit(old.acme, None).await.unwrap();
    assert_eq!(chain.fault, None);
    // The others are what they were, but for the entry in Global's audit.
    let url = testkit::world::database_url(&new.directory);
    let others = |text: &str| marked(text, &id.simple().to_string());
    assert_eq!(others(&without_imports(&dump(&url).await)), before);
    assert!(import_of(&new.store, &new.directory, &mut file, wish).await.unwrap().already);
    // Another export is of another moment: its audit tells of the first one.
    let mut later = export_file(&old.store, Some("acme")).await;
    let again = import_of(&new.store, &new.directory, &mut later, wish).await.unwrap_err();
    assert!(matches!(again, MoveError::IdTaken(_)), "{again}");
    // Sessions stay behind.
    let after = dump(&url).await;
    for table in ["refresh_tokens", "console_sessions"] {
        let rows = after.split("\n# ").find(|part| part.starts_with(table)).unwrap();
        assert!(!rows.contains(&id.simple().to_string()), "{rows}");
    }
    assert!(after.split("\n# ").any(|part| part.starts_with("api_keys") && part.contains(CANARY)));
}

#[tokio::test]
async fn an_organizations_export_has_nothing_of_others_and_no_secret() {
    const MINE: &str = "qxmine7vk31j5w";
    const THEIRS: [&str; 2] = ["qxtheirs4t8zzpw", "qxglobal9r2mmv"];
    let world = full().await;
    for (scope, mark) in [(world.acme, MINE), (world.globex, THEIRS[0]), (Scope::Global, THEIRS[1])]
    {
        world.write(scope, &format!("{mark}.py"), mark).await;
        let user = store::NewUser {
            id: domain::UserId(uuid::Uuid::now_v7()),
            email: format!("{mark}@people.test"),
            name: mark.to_owned(),
            role: domain::Role::Ops,
            password_hash: None,
            now: NOW,
        };
        world.scoped(scope).create_user(user).await.unwrap();
    }
    let bytes = export(&world.store, Some("acme")).await;
    let inner = moved::unpacked(&bytes);
    for part in [&bytes, &inner] {
        assert!(Search::new([MINE]).find(part).is_some(), "the search sees nothing");
        assert_eq!(Search::new(THEIRS).find(part), None);
    }
    let globex = world.globex.organization().unwrap().to_string();
    assert!(!String::from_utf8_lossy(&bytes).contains(&globex));
    for (scope, told) in [(Scope::Global, 1), (world.acme, 1), (world.globex, 0)] {
        let action = Some("organization.export".to_owned());
        let list = store::ListAudit { action, limit: 10, before: None };
        assert_eq!(world.scoped(scope).audit_entries(list).await.unwrap().len(), told);
    }
    for fixed in ["provider", "global"] {
        let slug = Some(Slug::parse(fixed).unwrap());
        let wish = Export { organization: slug, without_secrets: false, now: NOW };
        let refused = world.store.export(wish, &mut Vec::new(), &mut |_| {}).await.unwrap_err();
        assert!(matches!(refused, MoveError::Fixed(_)), "{refused}");
    }
}

#[tokio::test]
async fn without_secrets_the_export_says_which_are_missing_and_needs_no_key() {
    let world = full().await;
    let slug = Some(Slug::parse("acme").unwrap());
    let wish = Export { organization: slug, without_secrets: true, now: NOW };
    let mut bytes = Vec::new();
    let exported = world.store.export(wish, &mut bytes, &mut |_| {}).await.unwrap();
    let left_out: Vec<_> =
        exported.footer.secrets_left_out.iter().map(|secret| secret.key.as_str()).collect();
    assert_eq!((left_out.as_slice(), exported.waiting), (["canary_sealed"].as_slice(), 1));
    assert_eq!(exported.footer.rows["data_keys"], 0);
    let new = World::new().await;
    let mut file = moved::file_of(&bytes);
    let wish = |it: &mut store::Import| it.slug = Some(Slug::parse("newcomer").unwrap());
    import_of(&new.store, &new.directory, &mut file, wish).await.unwrap();
    let scoped = new.scoped(world.acme);
    let there = async |name: &str| scoped.reveal_config(&ConfigKey::parse(name).unwrap()).await;
    assert!(there("canary_plain").await.unwrap().is_some());
    assert!(there("canary_sealed").await.unwrap().is_none());
}

#[tokio::test]
async fn every_flipped_bit_and_every_cut_is_refused_before_anything_is_written() {
    let world = World::new().await;
    world.write(world.acme, "a.py", "1").await;
    let bytes = export(&world.store, Some("acme")).await;
    examine(&mut moved::file_of(&bytes), &mut |_| {}).unwrap();
    let mut file = moved::file_of(&bytes);
    for at in 0..bytes.len() {
        let flipped = bytes[at] ^ (1 << (at % 8));
        moved::poke(&mut file, at, flipped);
        let refused = examine(&mut file, &mut |_| {});
        assert!(refused.is_err(), "byte {at} of {}", bytes.len());
        moved::poke(&mut file, at, bytes[at]);
    }
    for length in 0..bytes.len() {
        if length % 7 != 0 && length + 200 < bytes.len() {
            continue;
        }
        let refused = examine(&mut moved::file_of(&bytes[..length]), &mut |_| {});
        assert!(refused.is_err(), "{length} of {}", bytes.len());
    }
    let longer = [bytes.as_slice(), b"\n"].concat();
    assert!(examine(&mut moved::file_of(&longer), &mut |_| {}).is_err());
    // The import itself looks first.
    let place = Place::of_this_run();
    place.take_master_key(&world.directory);
    let fresh = dump(&place.url_of_migrated().await).await;
    let mut broken = bytes.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    let refused = place.import(&mut moved::file_of(&broken)).await.unwrap_err();
    assert!(matches!(refused, MoveError::Damaged(_)), "{refused}");
    assert_eq!(dump(&place.url).await, fresh);
}

#[tokio::test]
async fn an_import_dropped_at_any_moment_goes_on_to_the_same_end() {
    let world = full().await;
    let before = without_imports(&dump(&testkit::world::database_url(&world.directory)).await);
    let mut file = export_file(&world.store, None).await;
    let place = Place::of_this_run();
    place.take_master_key(&world.directory);
    place.store().await;
    let mut cuts = 0;
    let mut time = Duration::from_millis(20);
    loop {
        match tokio::time::timeout(time, place.import(&mut file)).await {
            Ok(imported) => {
                assert!(imported.unwrap().resumed || cuts == 0);
                break;
            }
            Err(_) => cuts += 1,
        }
        // Not every attempt reaches its first batch on a busy machine.
        time = time.mul_f64(1.15);
    }
    println!("cut off {cuts} times");
    assert!(cuts >= 3, "{cuts}");
    assert_eq!(without_imports(&dump(&place.url).await), before);
}

#[tokio::test]
async fn a_half_imported_instance_is_not_served_exported_or_mixed_with_another_file() {
    let world = full().await;
    let mut file = export_file(&world.store, None).await;
    let place = Place::of_this_run();
    place.take_master_key(&world.directory);
    let wish = |it: &mut store::Import| it.resume = true;
    let store = place.store().await;
    let nothing = import_of(&store, &place.directory, &mut file, wish).await.unwrap_err();
    assert!(matches!(nothing, MoveError::NothingToResume), "{nothing}");
    moved::stop_after_first_batch(&place, &mut file).await;
    let refused = store.require_imported().await.unwrap_err();
    assert!(matches!(refused, StoreError::HalfImported), "{refused}");
    let wish = Export { organization: None, without_secrets: false, now: NOW };
    assert!(store.export(wish, &mut Vec::new(), &mut |_| {}).await.is_err());
    world.write(world.acme, "later.py", "2").await;
    let mut other = export_file(&world.store, None).await;
    let mixed = place.import(&mut other).await.unwrap_err();
    assert!(matches!(mixed, MoveError::AnotherImport(_)), "{mixed}");
    place.import(&mut file).await.unwrap();
    store.require_imported().await.unwrap();
    assert!(place.import(&mut file).await.unwrap().already);
    let full = place.import(&mut other).await.unwrap_err();
    assert!(matches!(full, MoveError::NotEmpty(_)) && full.is_conflict(), "{full}");
}

#[tokio::test]
async fn an_instance_needs_its_master_key_and_says_so_before_it_writes() {
    let world = full().await;
    let mut file = export_file(&world.store, None).await;
    let place = Place::of_this_run();
    let fresh = dump(&place.url_of_migrated().await).await;
    let none = place.import(&mut file).await.unwrap_err();
    assert!(matches!(none, MoveError::NoKey(_)), "{none}");
    assert!(!place.directory.path().join("master.key").exists());
    assert_eq!(dump(&place.url).await, fresh);
    // With the old key given, the new place makes its own and wraps with it.
    let old = MasterKey::read(&world.directory.path().join("master.key")).unwrap();
    let wrong = |it: &mut store::Import| it.old_master_key = Some(MasterKey::random().unwrap());
    let store = place.store().await;
    let wrong = import_of(&store, &place.directory, &mut file, wrong).await.unwrap_err();
    assert!(matches!(wrong, MoveError::WrongOldKey), "{wrong}");
    let given = |it: &mut store::Import| it.old_master_key = Some(old.clone());
    import_of(&store, &place.directory, &mut file, given).await.unwrap();
    let key = |directory: &tempfile::TempDir| fs::read(directory.path().join("master.key"));
    assert_ne!(key(&place.directory).unwrap(), key(&world.directory).unwrap());
    opens_secrets(&place, world.acme).await;
}

#[tokio::test]
async fn what_ran_waits_again_and_can_be_claimed_once() {
    let world = World::new().await;
    fill(&world, world.acme).await;
    let system = world.store.system(Reason::Claim);
    let held = system.claim(uuid::Uuid::now_v7(), 1, Duration::from_secs(10), NOW).await.unwrap();
    assert_eq!(held.claims.len(), 1);
    let wish = Export { organization: None, without_secrets: false, now: NOW };
    let mut bytes = Vec::new();
    let exported = world.store.export(wish, &mut bytes, &mut |_| {}).await.unwrap();
    assert_eq!((exported.waiting, exported.running), (0, 1));
    let place = Place::of_this_run();
    place.take_master_key(&world.directory);
    place.import(&mut moved::file_of(&bytes)).await.unwrap();
    let store = place.store().await;
    let system = store.system(Reason::Claim);
    let again = system.claim(uuid::Uuid::now_v7(), 5, Duration::from_secs(10), NOW).await.unwrap();
    assert_eq!(again.claims.len(), 1);
    assert_eq!(again.claims[0].execution, held.claims[0].execution);
    assert_eq!(again.claims[0].attempt, held.claims[0].attempt + 1);
}

#[tokio::test]
async fn what_somebody_else_writes_meanwhile_is_noticed_before_the_door_opens() {
    let (old, new) = (full().await, World::new().await);
    let mut file = export_file(&old.store, Some("globex")).await;
    let old_key = MasterKey::read(&old.directory.path().join("master.key")).unwrap();
    let wish = |it: &mut store::Import| {
        it.old_master_key = Some(old_key.clone());
        it.slug = Some(Slug::parse("newcomer").unwrap());
    };
    moved::stop_import_after_first_batch(&new, &mut file, wish).await;
    let arriving = new.store.system(Reason::Retention).arriving().await.unwrap();
    assert_eq!(arriving, Some(old.globex));
    let there = new.store.system(Reason::Organizations).organization(old.globex).await.unwrap();
    assert_eq!(there.unwrap().status, store::OrganizationStatus::Suspended);
    new.write(old.globex, "zz/foreign.py", "1").await;
    let differs = import_of(&new.store, &new.directory, &mut file, wish).await;
    assert!(differs.is_err());
    let system = new.store.system(Reason::Organizations);
    let there = system.organization(old.globex).await.unwrap().unwrap();
    assert_eq!(there.status, store::OrganizationStatus::Suspended);
    // Purged, it can come again.
    let id = old.globex.organization().unwrap();
    system.begin_purge(id, &Access::for_operator(Scope::Global), NOW).await.unwrap();
    system.purge(id).await.unwrap();
    let imported = import_of(&new.store, &new.directory, &mut file, wish).await.unwrap();
    assert!(!imported.resumed);
}
