//! Keys for programs: made once, shown once, void at once.

use crate::common::{Api, canonical, problem, refusal};
use serde_json::{Value, json};
use store::{OrganizationChange, OrganizationStatus, Reason};
use testkit::{Client, eventually};

fn with(api: &Api, key: &Value) -> Client {
    Client::new(&api.url, key.as_str())
}

#[tokio::test]
async fn a_key_is_shown_once_and_me_says_which_it_is() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let made = admin.post("/api/api-keys", &json!({"name": "ci", "role": "ops"})).await;
    let key = made.body["key"].as_str().unwrap();
    assert!(key.len() == 75 && key.starts_with(made.body["prefix"].as_str().unwrap()));
    let mut shown = canonical(&made.body);
    shown["key"] = json!("<key>");
    shown["prefix"] = json!("<prefix>");
    let mut expected = json!({
        "id": "<id>", "key": "<key>", "name": "ci", "role": "ops", "prefix": "<prefix>",
        "created_at": "2023-11-14T22:13:20.000000Z", "created_by": "admin@acme.test",
        "expires_at": null, "last_used_at": null,
    });
    assert_eq!((made.status, shown), (201, expected.clone()));

    let me = with(&api, &made.body["key"]).get("/api/auth/me").await;
    let who = json!({
        "user": null, "api_key": {"id": "<id>", "name": "ci"}, "role": "ops",
        "organization": {"id": "<id>", "slug": "acme", "name": "Acme"}, "acting_from": null,
    });
    assert_eq!((me.status, canonical(&me.body)), (200, who));

    expected.as_object_mut().unwrap().remove("key");
    expected["last_used_at"] = expected["created_at"].clone();
    let listed = eventually("the use is written down", async || {
        let mut listed = admin.get("/api/api-keys").await.body["items"][0].clone();
        listed["prefix"] = json!("<prefix>");
        let listed = canonical(&listed);
        (listed["last_used_at"] != Value::Null).then_some(listed)
    });
    assert_eq!(listed.await, expected);
}

#[tokio::test]
async fn a_key_may_what_its_role_may_but_makes_neither_keys_nor_people() {
    let api = Api::new().await;
    let (ops, admin) = (api.with_key("acme", "ops").await, api.with_key("acme", "admin").await);
    assert_eq!(ops.put_file("a.py", "x = 1\n").await.status, 201);
    let written = ops.get("/api/files").await.body["items"][0]["updated_by"].clone();
    assert_eq!(written, "key ci");
    assert_eq!(refusal(&ops.get("/api/audit").await), (403, "forbidden"));
    let audit = admin.get("/api/audit?action=file.write").await.body["items"][0].clone();
    assert_eq!(audit["actor"]["kind"], "key", "{audit}");
    for path in ["/api/users", "/api/api-keys"] {
        assert_eq!(refusal(&admin.get(path).await), (403, "forbidden"), "{path}");
        assert_eq!(refusal(&admin.post(path, &json!({})).await), (403, "forbidden"), "{path}");
    }
    let act = admin.post("/api/auth/act", &json!({"organization": null, "reason": "x"})).await;
    assert_eq!(refusal(&act), (403, "forbidden"));
    let global = admin.get("/api/organizations").await;
    assert_eq!(refusal(&global), (403, "forbidden"));
    let provider = api.with_key("provider", "admin").await;
    let act = provider.post("/api/auth/act", &json!({"organization": null, "reason": "x"})).await;
    assert_eq!(refusal(&act), (403, "forbidden"));
}

#[tokio::test]
async fn a_key_ends_with_its_removal_its_day_or_its_organization() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let make = async |body: Value| admin.post("/api/api-keys", &body).await.body;
    let removed = make(json!({"name": "a", "role": "ops"})).await;
    let short = make(json!({"name": "b", "role": "ops", "expires_in_days": 1})).await;
    let long = make(json!({"name": "c", "role": "ops", "expires_in_days": 30})).await;
    let status = async |made: &Value| with(&api, &made["key"]).get("/api/files").await.status;
    for made in [&removed, &short, &long] {
        assert_eq!(status(made).await, 200);
    }
    let path = format!("/api/api-keys/{}", removed["id"].as_str().unwrap());
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(status(&removed).await, 401);
    assert_eq!(admin.delete(&path).await.status, 404);
    api.clock.push(24 * 60 * 60);
    assert_eq!((status(&short).await, status(&long).await), (401, 200));
    let system = api.world.store.system(Reason::Organizations);
    let status_change = Some(OrganizationStatus::Suspended);
    let change = OrganizationChange { name: None, status: status_change };
    let by = domain::Access::for_operator(domain::Scope::Global);
    let id = api.world.acme.organization().unwrap();
    system.update_organization(id, change, &by, testkit::world::NOW).await.unwrap();
    api.forget_sessions().await;
    assert_eq!(status(&long).await, 401);
}

#[tokio::test]
async fn keys_that_are_none_of_ours_all_look_alike() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let made = admin.post("/api/api-keys", &json!({"name": "ci", "role": "ops"})).await;
    let key = made.body["key"].as_str().unwrap();
    let gone = api::api_key::ApiKeyText::new(api.world.acme.organization().unwrap()).unwrap();
    let nowhere = domain::OrganizationId(uuid::Uuid::now_v7());
    let nowhere = api::api_key::ApiKeyText::new(nowhere).unwrap();
    let detail = "sign in and send the access token as `Authorization: Bearer …`";
    let expected = problem(401, "Unauthorized", "not_signed_in", detail);
    for bad in [&key[..74], "bfk_", &gone.into_text(), &nowhere.into_text()] {
        let reply = Client::new(&api.url, Some(bad)).get("/api/auth/me").await;
        assert_eq!((reply.status, canonical(&reply.body)), (401, expected.clone()), "{bad}");
    }
}

#[tokio::test]
async fn wrong_keys_are_not_made() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    for (body, pointer) in [
        (json!({"name": "", "role": "ops"}), "/name"),
        (json!({"name": "x", "role": "root"}), "/role"),
        (json!({"name": "x", "role": "ops", "expires_in_days": 0}), "/expires_in_days"),
        (json!({"name": "x", "role": "ops", "expires_in_days": 3651}), "/expires_in_days"),
        (json!({"name": "x", "role": "ops", "expires_at": "2020-01-01T00:00:00Z"}), "/expires_at"),
        (
            json!({"name": "x", "role": "ops", "expires_at": "2030-01-01T00:00:00Z",
            "expires_in_days": 1}),
            "/expires_at",
        ),
        (json!({"name": "x", "role": "ops", "organization": "globex"}), "/organization"),
    ] {
        let reply = admin.post("/api/api-keys", &body).await;
        assert_eq!((reply.status, &reply.body["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
    let global = api.acting(None).await;
    let reply = global.post("/api/api-keys", &json!({"name": "x", "role": "ops"})).await;
    assert_eq!(refusal(&reply), (409, "no_keys_in_global"));
    assert_eq!(admin.get("/api/api-keys").await.body["items"], json!([]));
}
