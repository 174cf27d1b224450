//! People of an organization.

use crate::common::{Api, PASSWORD, canonical, refusal};
use domain::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Reply, world::NOW};

async fn patch(client: &Client, path: &str, body: Value) -> Reply {
    client.send(client.request(Method::PATCH, path).json(&body)).await
}

async fn delete(client: &Client, path: &str) -> Reply {
    client.send(client.request(Method::DELETE, path)).await
}

#[tokio::test]
async fn somebody_is_added_signs_in_changes_and_goes() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let body = json!({
        "email": "Zoe@Acme.test", "name": "Zoë", "role": "viewer", "password": PASSWORD,
    });
    let created = admin.post("/api/users", &body).await;
    let expected = json!({
        "id": "<id>", "email": "zoe@acme.test", "name": "Zoë", "role": "viewer", "active": true,
        "created_at": "2023-11-14T22:13:20.000000Z",
    });
    assert_eq!((created.status, canonical(&created.body)), (201, expected));
    assert_eq!(refusal(&admin.post("/api/users", &body).await), (409, "email_taken"));
    let zoe = api.with_token(&api.login("acme", "zoe@acme.test", PASSWORD).await);
    assert_eq!(zoe.get("/api/auth/me").await.body["role"], "viewer");

    let path = format!("/api/users/{}", created.body["id"].as_str().unwrap());
    let renamed = patch(&admin, &path, json!({"name": "Zoe"})).await;
    assert_eq!((renamed.status, &renamed.body["name"]), (200, &json!("Zoe")));
    assert_eq!(zoe.get("/api/auth/me").await.body["user"]["name"], "Zoe");
    let promoted = patch(&admin, &path, json!({"role": "ops"})).await;
    assert_eq!(promoted.body["role"], "ops");
    assert_eq!(zoe.get("/api/auth/me").await.status, 401, "a new role needs a new token");

    assert_eq!(delete(&admin, &path).await.status, 204);
    assert_eq!(refusal(&delete(&admin, &path).await), (404, "not_found"));
    assert_eq!(api.login("acme", "zoe@acme.test", PASSWORD).await.status, 401);
}

#[tokio::test]
async fn the_list_has_the_organizations_people_only() {
    let api = Api::new().await;
    api.person("globex", "viewer").await;
    let admin = api.sign_in("acme", "admin").await;
    api.person("acme", "ops").await;
    let page = admin.get("/api/users?limit=1").await.body;
    assert_eq!(page["items"][0]["email"], "admin@acme.test");
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = admin.get(&format!("/api/users?limit=1&cursor={cursor}")).await.body;
    assert_eq!(rest["items"][0]["email"], "ops@acme.test");
    assert_eq!(rest["next_cursor"], Value::Null);

    let globex = api.sign_in("globex", "admin").await;
    let foreign = globex.get(&format!("/api/users?cursor={cursor}")).await;
    assert_eq!(refusal(&foreign), (400, "bad_cursor"));
}

#[tokio::test]
async fn nobody_locks_themselves_out_and_global_has_no_people() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let own = format!("/api/users/{}", api.person("acme", "admin").await);
    assert_eq!(refusal(&delete(&admin, &own).await), (409, "own_account"));
    for body in [json!({"active": false}), json!({"role": "ops"})] {
        assert_eq!(refusal(&patch(&admin, &own, body).await), (409, "own_account"));
    }
    let global = api.acting(None).await;
    let body = json!({"email": "a@b.test", "name": "A", "role": "admin"});
    assert_eq!(refusal(&global.post("/api/users", &body).await), (409, "no_users_in_global"));
}

#[tokio::test]
async fn bad_input_has_pointers() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    for (body, pointer) in [
        (json!({"email": "x", "name": "A", "role": "ops"}), "/email"),
        (json!({"email": "a@b.test", "name": " ", "role": "ops"}), "/name"),
        (json!({"email": "a@b.test", "name": "A", "role": "root"}), "/role"),
        (json!({"email": "a@b.test", "name": "A", "role": "ops", "password": "x"}), "/password"),
        (json!({"email": "a@b.test", "name": "A", "role": "ops", "org": "x"}), "/org"),
        (json!({"email": 7, "name": "A", "role": "ops"}), "/email"),
    ] {
        let reply = admin.post("/api/users", &body).await;
        assert_eq!(refusal(&reply), (422, "invalid_input"), "{body}");
        assert_eq!(reply.body["errors"][0]["pointer"], pointer, "{body}");
    }
}

#[tokio::test]
async fn the_provider_keeps_an_active_admin() {
    let api = Api::new().await;
    let viewer = api.person("provider", "viewer").await;
    let name = store::UserChange { name: Some("V".to_owned()), ..store::UserChange::default() };
    let early = api.world.scoped(Scope::Organization(domain::OrganizationId::PROVIDER));
    assert!(early.update_user(viewer, name, NOW).await.unwrap().is_some(), "without any admin");
    let first = api.sign_in("provider", "admin").await;
    let second = json!({"email": "b@provider.test", "name": "B", "role": "admin"});
    let second = first.post("/api/users", &second).await.body["id"].clone();
    let own = api.person("provider", "admin").await;
    let scoped = api.world.scoped(Scope::Organization(domain::OrganizationId::PROVIDER));
    let away = store::UserChange { active: Some(false), ..store::UserChange::default() };
    let second = second.as_str().unwrap().parse().unwrap();
    scoped.update_user(second, away.clone(), NOW).await.unwrap();
    let refused = scoped.update_user(own, away, NOW).await;
    assert!(matches!(refused, Err(store::ChangeUserError::LastAdmin)), "{refused:?}");
    let refused = scoped.delete_user(own, NOW).await;
    assert!(matches!(refused, Err(store::ChangeUserError::LastAdmin)), "{refused:?}");
    assert_eq!(first.get("/api/auth/me").await.status, 200, "nothing happened");
}
