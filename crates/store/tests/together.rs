//! Many writers at once: of those who would undo each other one goes through, and nothing is lost.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{
    Access, ConfigKey, FilePath, OrganizationId, Role, Scope, Slug, UserId, audit::Event,
};
use futures_util::future::join_all;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use store::{
    CreateOrganizationError, CreateUserError, NewOrganization, NewRefreshToken, NewUser,
    Precondition, PutConfig, Reason, RotateError, Scoped, User, UserChange, View, WriteFile,
};
use testkit::{World, world::NOW};
use uuid::Uuid;

const WRITERS: u8 = 10;
const PROVIDER: Scope = Scope::Organization(OrganizationId::PROVIDER);

/// Runs something so often at once; what each came to.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    world: &Arc<World>,
    one: impl Fn(Arc<World>, u8) -> F,
) -> Vec<T> {
    let all: Vec<_> = (0..WRITERS).map(|n| tokio::spawn(one(world.clone(), n))).collect();
    join_all(all).await.into_iter().map(Result::unwrap).collect()
}

fn new_user(email: &str) -> NewUser {
    NewUser {
        id: UserId(Uuid::now_v7()),
        email: email.to_owned(),
        name: "Ada".to_owned(),
        role: Role::Admin,
        password_hash: None,
        now: NOW,
    }
}

async fn write(scoped: Scoped, path: &str, text: String, precondition: Precondition) -> bool {
    let write = WriteFile {
        path: FilePath::parse(path).unwrap(),
        content: text.as_bytes(),
        message: None,
        source: "api",
        precondition,
        workflows: Vec::new(),
        now: NOW,
    };
    scoped.write_file(write).await.is_ok()
}

async fn audit_is_sound(world: &World, scope: Scope) {
    let chain = world.store.system(Reason::Audit).verify_audit(scope, None).await.unwrap();
    assert_eq!(chain.fault, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_saw_the_same_version_of_a_file_one_writes_it() {
    let world = Arc::new(World::new().await);
    world.write(world.acme, "a.txt", "first").await;
    let written = at_once(&world, |world, n| async move {
        let scoped = world.scoped(world.acme);
        write(scoped, "a.txt", format!("by {n}"), Precondition::Version(1)).await
    });
    assert_eq!(written.await.iter().filter(|written| **written).count(), 1);
    let path = FilePath::parse("a.txt").unwrap();
    let file = world.scoped(world.acme).file(&path, View::Own, None).await.unwrap().unwrap();
    assert_eq!(file.entry.version, 2);
    audit_is_sound(&world, world.acme).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_write_one_file_make_a_version_each_and_all_new_files_are_there() {
    let world = Arc::new(World::new().await);
    let written = at_once(&world, |world, n| async move {
        let scoped = || world.scoped(world.acme);
        write(scoped(), "a.txt", format!("by {n}"), Precondition::Any).await
            && write(scoped(), &format!("{n}.txt"), format!("by {n}"), Precondition::Any).await
    });
    assert!(written.await.iter().all(|written| *written));
    let scoped = world.scoped(world.acme);
    let path = FilePath::parse("a.txt").unwrap();
    let mut texts = BTreeSet::new();
    for version in 1..=u32::from(WRITERS) {
        let file = scoped.file(&path, View::Own, Some(version)).await.unwrap().unwrap();
        texts.insert(String::from_utf8(file.content).unwrap());
    }
    assert_eq!(texts.len(), usize::from(WRITERS), "each is kept");
    let index = scoped.file_index(world.acme).await.unwrap();
    assert_eq!(index.files.len(), usize::from(WRITERS) + 1);
    assert_eq!(index.generation, 2 * i64::from(WRITERS));
    audit_is_sound(&world, world.acme).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_saw_the_same_version_of_a_value_one_sets_it_and_one_data_key_is_made() {
    let world = Arc::new(World::new().await);
    let set = |precondition: Precondition, name: &'static str| {
        move |world: Arc<World>, n: u8| async move {
            let key = ConfigKey::parse(name).unwrap();
            let value = serde_json::json!(format!("secret {n}"));
            let put = PutConfig { key, value, secret: true, precondition, now: NOW };
            world.scoped(world.acme).put_config(put).await.is_ok()
        }
    };
    let made = at_once(&world, set(Precondition::None, "a")).await;
    assert_eq!(made.iter().filter(|made| **made).count(), 1, "one makes it");
    let changed = at_once(&world, set(Precondition::Version(1), "a")).await;
    assert_eq!(changed.iter().filter(|changed| **changed).count(), 1, "one changes it");
    let peek = testkit::peek::Peek::new(world.directory.path()).await;
    assert_eq!(peek.rows_where("data_keys", "TRUE").await.len(), 1);
    audit_is_sound(&world, world.acme).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_and_a_short_name_are_given_once() {
    let world = Arc::new(World::new().await);
    let created = at_once(&world, |world, _| async move {
        world.scoped(world.acme).create_user(new_user("ada@acme.test")).await
    });
    let (made, taken): (Vec<_>, Vec<_>) = created.await.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    assert!(taken.iter().all(|it| matches!(it, Err(CreateUserError::EmailTaken(_)))), "{taken:?}");
    let created = at_once(&world, |world, _| async move {
        let id = OrganizationId(Uuid::now_v7());
        let slug = Slug::parse("initech").unwrap();
        let new = NewOrganization { id, slug, name: "Initech".to_owned(), now: NOW };
        let system = world.store.system(Reason::Organizations);
        system.create_organization(new, &Access::for_operator(Scope::Global)).await
    });
    let (made, taken): (Vec<_>, Vec<_>) = created.await.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    let told = |it: &Result<_, _>| matches!(it, Err(CreateOrganizationError::SlugTaken(_)));
    assert!(taken.iter().all(told), "{taken:?}");
    audit_is_sound(&world, Scope::Global).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_who_demote_each_other_leave_one() {
    let world = Arc::new(World::new().await);
    let provider = world.scoped(PROVIDER);
    let mut admins = Vec::new();
    for n in 0..WRITERS {
        let email = format!("a{n}@provider.test");
        admins.push(provider.create_user(new_user(&email)).await.unwrap().id);
    }
    let admins = Arc::new(admins);
    let demoted = at_once(&world, |world, n| {
        let id = admins[usize::from(n)];
        async move {
            let scoped = world.scoped(PROVIDER);
            match n % 2 {
                0 => scoped.delete_user(id, NOW).await.is_ok(),
                _ => {
                    let role = Some(Role::Viewer);
                    let change = UserChange { role, ..UserChange::default() };
                    scoped.update_user(id, change, NOW).await.is_ok()
                }
            }
        }
    });
    assert_eq!(demoted.await.iter().filter(|done| **done).count(), usize::from(WRITERS) - 1);
    let users = provider.users(None, 100).await.unwrap();
    let left = users.iter().filter(|user| user.active && user.role == Role::Admin).count();
    assert_eq!(left, 1);
    audit_is_sound(&world, PROVIDER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_that_many_use_at_once_ends_its_sign_in() {
    let world = Arc::new(World::new().await);
    let user: User = world.scoped(world.acme).create_user(new_user("a@acme.test")).await.unwrap();
    let (family, later) = (Uuid::now_v7(), NOW.after(Duration::from_secs(60)));
    let new = NewRefreshToken { hash: [1; 32], family, user: user.id, expires_at: later, now: NOW };
    let system = world.store.system(Reason::SignIn);
    system.create_refresh_token(world.acme, new, &user.actor()).await.unwrap();
    let rotated = at_once(&world, move |world, n| async move {
        let system = world.store.system(Reason::SignIn);
        system.rotate_refresh_token(world.acme, [1; 32], [100 + n; 32], later, NOW).await
    })
    .await;
    assert_eq!(rotated.iter().filter(|it| it.is_ok()).count(), 1);
    assert_eq!(rotated.iter().filter(|it| matches!(it, Err(RotateError::Reused))).count(), 1);
    assert!(!system.sign_in_lasts(world.acme, family).await.unwrap());
    for successor in 0..WRITERS {
        let from = [100 + successor; 32];
        let next = system.rotate_refresh_token(world.acme, from, [200; 32], later, NOW).await;
        assert!(next.is_err(), "{next:?}");
    }
    audit_is_sound(&world, world.acme).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_up_link_makes_one_admin() {
    let world = Arc::new(World::new().await);
    let later = NOW.after(Duration::from_secs(60));
    let system = world.store.system(Reason::SignIn);
    assert!(system.renew_setup_link([7; 32], later).await.unwrap());
    let used = at_once(&world, |world, n| async move {
        let system = world.store.system(Reason::SignIn);
        system.use_setup_link([7; 32], new_user(&format!("a{n}@provider.test"))).await.is_ok()
    });
    assert_eq!(used.await.iter().filter(|used| **used).count(), 1);
    assert_eq!(world.scoped(PROVIDER).users(None, 100).await.unwrap().len(), 1);
    audit_is_sound(&world, PROVIDER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn organizations_that_write_into_each_others_audits_do_not_wait_for_each_other_for_ever() {
    let world = Arc::new(World::new().await);
    let written = at_once(&world, |world, n| async move {
        let (one, two) = match n % 2 {
            0 => (world.acme, world.globex),
            _ => (world.globex, world.acme),
        };
        let actor = domain::Actor::Platform;
        let system = world.store.system(Reason::Audit);
        for scope in [one, two] {
            let event = Event::denied("test", n.to_string());
            system.append_audit(scope, &actor, event, NOW).await.unwrap();
        }
        let id = two.organization().unwrap();
        let change = store::OrganizationChange { name: Some(format!("by {n}")), status: None };
        let system = world.store.system(Reason::Organizations);
        system.update_organization(id, change, &Access::for_operator(one), NOW).await.unwrap();
    });
    assert_eq!(written.await.len(), usize::from(WRITERS));
    for scope in [world.acme, world.globex] {
        audit_is_sound(&world, scope).await;
    }
}
