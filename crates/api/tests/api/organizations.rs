//! Organizations, as the provider keeps them in Global.

use crate::common::{Api, canonical, problem, refusal};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Reply};

async fn patch(client: &Client, path: &str, body: Value) -> Reply {
    client.send(client.request(Method::PATCH, path).json(&body)).await
}

async fn delete(client: &Client, path: &str) -> Reply {
    client.send(client.request(Method::DELETE, path)).await
}

#[tokio::test]
async fn an_organization_is_created_changed_and_deleted() {
    let api = Api::new().await;
    let global = api.acting(None).await;
    let body = json!({"slug": "initech", "name": "Initech"});
    let created = global.post("/api/organizations", &body).await;
    let expected = json!({
        "id": "<id>", "slug": "initech", "name": "Initech", "status": "active",
        "is_provider": false, "created_at": "2023-11-14T22:13:20.000000Z",
    });
    assert_eq!((created.status, canonical(&created.body)), (201, expected));
    let path = format!("/api/organizations/{}", created.body["id"].as_str().unwrap());
    assert_eq!(global.get(&path).await.body, created.body);

    let changed = patch(&global, &path, json!({"name": "Chotchkie's"})).await;
    assert_eq!((changed.status, &changed.body["name"]), (200, &json!("Chotchkie's")));
    let suspended = patch(&global, &path, json!({"status": "suspended"})).await;
    assert_eq!(suspended.body["status"], "suspended");
    assert_eq!(global.get(&path).await.body, suspended.body);

    let again = global.post("/api/organizations", &body).await;
    assert_eq!(refusal(&again), (409, "slug_taken"));
    assert_eq!(delete(&global, &path).await.status, 204);
    assert_eq!(refusal(&global.get(&path).await), (404, "not_found"));
    assert_eq!(refusal(&delete(&global, &path).await), (404, "not_found"));
}

#[tokio::test]
async fn the_list_has_pages_and_no_global() {
    let api = Api::new().await;
    let global = api.acting(None).await;
    let all = global.get("/api/organizations").await.body;
    let slugs: Vec<_> =
        all["items"].as_array().unwrap().iter().map(|item| item["slug"].clone()).collect();
    assert_eq!(slugs.len(), 3);
    assert!(slugs.contains(&json!("provider")) && !slugs.contains(&json!("global")));
    let mut seen = Vec::new();
    let mut path = "/api/organizations?limit=1".to_owned();
    loop {
        let page = global.get(&path).await.body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["slug"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/organizations?limit=1&cursor={cursor}");
    }
    assert_eq!(seen, slugs);
}

#[tokio::test]
async fn bad_input_is_told_all_at_once() {
    let api = Api::new().await;
    let global = api.acting(None).await;
    let reply = global.post("/api/organizations", &json!({"slug": "-", "name": ""})).await;
    let mut expected =
        problem(422, "Unprocessable Entity", "invalid_input", "the input is not valid");
    expected["errors"] = json!([
        {"pointer": "/slug", "detail": "`-` is not a slug: use 2 to 63 characters of a-z, 0-9 \
            and `-`, not starting with `-`"},
        {"pointer": "/name", "detail": "use 1 to 200 characters, without space around"},
    ]);
    assert_eq!((reply.status, canonical(&reply.body)), (422, expected));
    let reserved = global.post("/api/organizations", &json!({"slug": "global", "name": "x"})).await;
    assert_eq!(reserved.body["errors"][0]["pointer"], "/slug");
}

#[tokio::test]
async fn the_provider_and_global_stay() {
    let api = Api::new().await;
    let global = api.acting(None).await;
    let provider = api.scope("provider").await.column();
    let path = format!("/api/organizations/{provider}");
    let reply = patch(&global, &path, json!({"status": "suspended"})).await;
    assert_eq!(refusal(&reply), (409, "provider_organization"));
    assert_eq!(refusal(&delete(&global, &path).await), (409, "provider_organization"));
    let nil = "/api/organizations/00000000-0000-0000-0000-000000000000";
    assert_eq!(refusal(&global.get(nil).await), (404, "not_found"));
    assert_eq!(refusal(&delete(&global, nil).await), (404, "not_found"));
}

#[tokio::test]
async fn an_organization_with_people_is_not_deleted() {
    let api = Api::new().await;
    api.person("acme", "viewer").await;
    let global = api.acting(None).await;
    let path = format!("/api/organizations/{}", api.world.acme.column());
    assert_eq!(refusal(&delete(&global, &path).await), (409, "not_empty"));
}

#[tokio::test]
async fn a_purge_needs_the_slug_and_leaves_nothing_to_sign_in_to() {
    let api = Api::new().await;
    let global = api.acting(None).await;
    let ops = api.sign_in("acme", "ops").await;
    let key = api.with_key("acme", "ops").await;
    ops.put_file("a.py", "x = 1\n").await;
    let path = format!("/api/organizations/{}", api.world.acme.column());
    assert_eq!(refusal(&global.delete(&path).await), (409, "not_empty"));
    for confirm in ["", "&confirm=globex"] {
        let reply = global.delete(&format!("{path}?purge=true{confirm}")).await;
        assert_eq!((reply.status, &reply.body["errors"][0]["pointer"]), (422, &json!("/confirm")));
    }
    assert_eq!(ops.get("/api/files").await.status, 200, "nothing happened");
    let purged = global.delete(&format!("{path}?purge=true&confirm=acme")).await;
    assert_eq!(purged.status, 204, "{purged:?}");
    for client in [&ops, &key] {
        assert_eq!(refusal(&client.get("/api/files").await), (401, "not_signed_in"));
    }
    assert_eq!(api.login("acme", "ops@acme.test", crate::common::PASSWORD).await.status, 401);
    assert_eq!(global.get(&path).await.status, 404);
    let provider = api.sign_in("provider", "admin").await;
    let told = provider.get("/api/audit?action=organization.purge").await.body["items"].clone();
    assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
    assert_eq!(
        (&told[0]["object"], &told[0]["actor"]["name"]),
        (&json!("acme"), &json!("admin@provider.test"))
    );
    let id = domain::OrganizationId::PROVIDER;
    let provider = format!("/api/organizations/{id}?purge=true&confirm=provider");
    assert_eq!(refusal(&global.delete(&provider).await), (409, "provider_organization"));
}
