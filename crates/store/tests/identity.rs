//! Organizations, users and refresh tokens, on a real database.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{Access, OrganizationId, Role, Scope, Slug, UserId};
use store::{
    CreateOrganizationError, CreateUserError, DeleteOrganizationError, NewOrganization,
    NewRefreshToken, NewUser, OrganizationChange, OrganizationStatus, Reason, RotateError, User,
    UserChange,
};
use testkit::{World, world::NOW};
use uuid::Uuid;

fn operator() -> Access {
    Access::for_operator(Scope::Global)
}

async fn user(world: &World, scope: Scope, email: &str) -> Result<User, CreateUserError> {
    let id = UserId(Uuid::now_v7());
    let new = NewUser {
        id,
        email: email.to_owned(),
        name: "Ada".to_owned(),
        role: Role::Ops,
        password_hash: Some("hash".to_owned()),
        now: NOW,
    };
    world.scoped(scope).create_user(new).await
}

#[tokio::test]
async fn organizations_are_created_changed_and_deleted_when_empty() {
    let world = World::new().await;
    let system = world.store.system(Reason::Organizations);
    let new = |slug: &str| NewOrganization {
        id: OrganizationId(Uuid::now_v7()),
        slug: Slug::parse(slug).unwrap(),
        name: slug.to_owned(),
        now: NOW,
    };
    let taken = system.create_organization(new("acme"), &operator()).await;
    assert!(matches!(taken, Err(CreateOrganizationError::SlugTaken(_))), "{taken:?}");
    let reserved = system.create_organization(new("global"), &operator()).await;
    assert!(matches!(reserved, Err(CreateOrganizationError::Reserved(_))), "{reserved:?}");
    let all = system.organizations(None, 10).await.unwrap();
    let slugs: Vec<_> = all.iter().map(|found| found.slug.as_str()).collect();
    assert_eq!(slugs, ["provider", "acme", "globex"]);

    let id = world.acme.organization().unwrap();
    let status = Some(OrganizationStatus::Suspended);
    let change = OrganizationChange { name: None, status };
    let changed = system.update_organization(id, change, &operator(), NOW).await.unwrap().unwrap();
    assert_eq!((changed.status, changed.name.as_str()), (OrganizationStatus::Suspended, "Acme"));

    user(&world, world.acme, "a@acme.test").await.unwrap();
    let full = system.delete_organization(id, &operator(), NOW).await;
    assert!(matches!(full, Err(DeleteOrganizationError::NotEmpty)), "{full:?}");
    let globex = world.globex.organization().unwrap();
    assert!(system.delete_organization(globex, &operator(), NOW).await.unwrap());
    assert!(system.organization(world.globex).await.unwrap().is_none());
    let provider = system.delete_organization(OrganizationId::PROVIDER, &operator(), NOW).await;
    assert!(matches!(provider, Err(DeleteOrganizationError::Provider)), "{provider:?}");
}

#[tokio::test]
async fn users_live_in_one_organization_and_a_new_role_voids_their_tokens() {
    let world = World::new().await;
    let ada = user(&world, world.acme, "Ada@Acme.test").await.unwrap();
    assert_eq!(ada.email, "ada@acme.test");
    let taken = user(&world, world.acme, "ada@acme.test").await;
    assert!(matches!(taken, Err(CreateUserError::EmailTaken(_))), "{taken:?}");
    user(&world, world.globex, "ada@acme.test").await.unwrap();
    assert!(world.scoped(world.globex).user(ada.id).await.unwrap().is_none());

    let acme = world.scoped(world.acme);
    let named = UserChange { name: Some("Lovelace".to_owned()), ..UserChange::default() };
    let named = acme.update_user(ada.id, named, NOW).await.unwrap().unwrap();
    assert_eq!((named.epoch, named.name.as_str()), (1, "Lovelace"));
    let demoted = UserChange { role: Some(Role::Viewer), ..UserChange::default() };
    let demoted = acme.update_user(ada.id, demoted, NOW).await.unwrap().unwrap();
    assert_eq!((demoted.epoch, demoted.role), (2, Role::Viewer));
    assert_eq!(acme.users(None, 10).await.unwrap().len(), 1);

    let system = world.store.system(Reason::SignIn);
    let found = system.credentials(world.acme, "ADA@acme.test").await.unwrap().unwrap();
    assert_eq!(found.password_hash.as_deref(), Some("hash"));
    let session = system.session(world.globex, world.acme, ada.id).await.unwrap().unwrap();
    assert_eq!((session.organization.scope, session.home.scope), (world.globex, world.acme));
    assert!(system.session(world.acme, world.globex, ada.id).await.unwrap().is_none());
    assert!(acme.delete_user(ada.id, NOW).await.unwrap());
    assert!(!acme.delete_user(ada.id, NOW).await.unwrap());
}

#[tokio::test]
async fn a_refresh_token_used_twice_voids_its_family() {
    let world = World::new().await;
    let ada = user(&world, world.acme, "ada@acme.test").await.unwrap();
    let system = world.store.system(Reason::SignIn);
    let later = NOW.after(std::time::Duration::from_secs(60));
    let new = NewRefreshToken {
        hash: [1; 32],
        family: Uuid::now_v7(),
        user: ada.id,
        expires_at: later,
        now: NOW,
    };
    system.create_refresh_token(world.acme, new, &ada.actor()).await.unwrap();
    let rotate = async |scope, from: u8, to: u8, now| {
        system.rotate_refresh_token(scope, [from; 32], [to; 32], later, now).await
    };
    assert!(matches!(rotate(world.globex, 1, 2, NOW).await, Err(RotateError::Unknown)));
    assert!(matches!(rotate(world.acme, 1, 2, later).await, Err(RotateError::Expired)));
    assert_eq!(rotate(world.acme, 1, 2, NOW).await.unwrap().user.id, ada.id);
    assert!(matches!(rotate(world.acme, 1, 3, NOW).await, Err(RotateError::Reused)));
    assert!(matches!(rotate(world.acme, 2, 3, NOW).await, Err(RotateError::Unknown)));
    assert!(system.revoke_refresh_family(world.acme, [2; 32], NOW).await.unwrap());
    assert!(!system.revoke_refresh_family(world.acme, [9; 32], NOW).await.unwrap());
}
