//! Pins: held, listed, explained, let go.

use crate::common::{Api, canonical, refusal};
use domain::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Reply};

const PATH: &str = "shared/halopsa.py";
const PIN: &str = "/api/files/pin/shared/halopsa.py";

async fn pin(client: &Client, path: &str, body: Value) -> Reply {
    client.send(client.request(Method::PUT, path).json(&body)).await
}

async fn unpin(client: &Client, path: &str) -> Reply {
    client.send(client.request(Method::DELETE, path)).await
}

async fn two_versions() -> Api {
    let api = Api::new().await;
    api.world.write(Scope::Global, PATH, "x = 1\n").await;
    api.world.write(Scope::Global, PATH, "x = 22\n").await;
    api
}

#[tokio::test]
async fn a_file_is_held_shown_explained_and_let_go() {
    let api = two_versions().await;
    let ops = api.sign_in("acme", "ops").await;
    let held = pin(&ops, PIN, json!({"version": 1})).await;
    let state = |version: u32, size: u32| {
        let updated_at = "2023-11-14T22:13:20.000000Z";
        json!({"version": version, "hash": "<hash>", "size": size, "updated_at": updated_at})
    };
    let expected = json!({
        "path": PATH, "pinned": state(1, 6), "pinned_by": "ops@acme.test", "global": state(2, 7),
        "drift": true,
    });
    assert_eq!((held.status, canonical(&held.body)), (200, expected.clone()));
    let listed = ops.get("/api/pins").await.body;
    assert_eq!(canonical(&listed), json!({"items": [expected], "next_cursor": null}));
    let shown =
        |body: &Value| (body["scope"].clone(), body["version"].clone(), body["pinned"].clone());
    let global = (json!("global"), json!(1), json!(true));
    let file = ops.get(&format!("/api/files/content/{PATH}")).await;
    assert_eq!((shown(&file.body), &file.body["content"]), (global.clone(), &json!("x = 1\n")));
    assert_eq!(file.etag.as_deref(), Some("\"global-1\""));
    assert_eq!(shown(&ops.get("/api/files").await.body["items"][0]), global);
    let explained = ops.get("/api/modules/explain?name=shared.halopsa").await.body;
    assert_eq!(shown(&explained["winner"]), global);
    let reasons: Vec<_> =
        explained["candidates"].as_array().unwrap().iter().map(|it| it["reason"].clone()).collect();
    let holds = ["the organization holds this version", "the organization holds another version"];
    assert_eq!(reasons, holds);
    let change = ops.get(&format!("/api/files/diff/{PATH}?from=global@1&to=global")).await.body;
    assert_eq!((&change["added"], &change["removed"]), (&json!(1), &json!(1)), "of an unpin");

    let other = api.sign_in("globex", "ops").await;
    assert_eq!(other.get("/api/pins").await.body["items"], json!([]));
    let theirs = other.get(&format!("/api/files/content/{PATH}")).await.body;
    assert_eq!(shown(&theirs), (json!("global"), json!(2), json!(false)), "Acme's alone");
    assert_eq!(refusal(&unpin(&other, PIN).await), (404, "not_found"));
    assert_eq!(unpin(&ops, PIN).await.status, 204);
    assert_eq!(refusal(&unpin(&ops, PIN).await), (404, "not_found"));
    let file = ops.get(&format!("/api/files/content/{PATH}")).await.body;
    assert_eq!(shown(&file), (json!("global"), json!(2), json!(false)));
}

#[tokio::test]
async fn what_cannot_be_held_is_refused() {
    let api = two_versions().await;
    api.world.write(Scope::Global, "requirements.txt", "").await;
    let ops = api.sign_in("acme", "ops").await;
    let missing = pin(&ops, PIN, json!({"version": 3})).await;
    assert_eq!(refusal(&missing), (404, "not_found"));
    assert_eq!(pin(&ops, PIN, json!({"version": 0})).await.status, 422);
    let requirements = pin(&ops, "/api/files/pin/requirements.txt", json!({"version": 1})).await;
    assert_eq!(refusal(&requirements), (409, "not_pinnable"));
    let global = pin(&api.acting(None).await, PIN, json!({"version": 1})).await;
    assert_eq!(refusal(&global), (409, "of_global"));
    let viewer = api.sign_in("acme", "viewer").await;
    assert_eq!(pin(&viewer, PIN, json!({"version": 1})).await.status, 403);
    ops.put_file(PATH, "x = 3\n").await;
    assert_eq!(refusal(&pin(&ops, PIN, json!({"version": 1})).await), (409, "overridden"));
}

#[tokio::test]
async fn a_workflow_is_that_of_the_version_that_is_held() {
    let api = Api::new().await;
    let global = api.acting(None).await;
    let schema = |name: &str| format!("{{\"properties\": {{\"{name}\": {{}}}}}}");
    for name in ["first", "second"] {
        let content = format!("# workflow report {}\n", schema(name));
        global.put_file("workflows/report.py", &content).await;
    }
    let ops = api.sign_in("acme", "ops").await;
    let held = pin(&ops, "/api/files/pin/workflows/report.py", json!({"version": 1})).await;
    assert_eq!(held.status, 200, "{held:?}");
    let workflow = ops.get("/api/workflows/report").await.body;
    assert_eq!((&workflow["pinned"], &workflow["scope"]), (&json!(true), &json!("global")));
    assert!(workflow["parameters"]["properties"]["first"].is_object(), "{workflow}");
    let other = api.sign_in("globex", "ops").await;
    let workflow = other.get("/api/workflows/report").await.body;
    assert!(workflow["parameters"]["properties"]["second"].is_object(), "{workflow}");
}
