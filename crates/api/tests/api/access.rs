//! The access table, held against the document, a golden file, and every route itself.

use crate::{
    common::{Api, canonical, refusal},
    executions::ready,
    openapi::assert_golden,
};
use api::access_table::{TABLE, Who};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};
use testkit::Client;

#[test]
fn the_table_is_the_document() {
    let document: Value = serde_json::from_str(&api::openapi::text().unwrap()).unwrap();
    let mut documented = BTreeSet::from(["GET /api/openapi.json".to_owned()]);
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        documented.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let table: Vec<_> =
        TABLE.iter().map(|row| format!("{} {}", row.method, row.documented_path())).collect();
    let unique: BTreeSet<_> = table.iter().cloned().collect();
    assert_eq!(unique.len(), table.len(), "a route comes twice");
    assert_eq!(unique, documented);
}

#[test]
fn the_table_is_kept_for_reviewers() {
    let mut text =
        format!("{:6} {:44} {}\n", "method", "path", "nobody  viewer  ops  admin  in Global  key");
    for row in TABLE {
        text += &format!("{row}\n");
    }
    assert_golden(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/access_table.txt"), &text);
}

/// A path of the row with the given id, file or name in it.
fn filled(path: &str, id: &str) -> String {
    let filled = path.replace("{id}", id).replace("{*path}", "nothing.py");
    let filled = filled.replace("{name}", "nothing").replace("{key}", "nothing");
    if path.ends_with("/explain") { filled + "?name=nothing" } else { filled }
}

async fn call(client: &Client, method: &str, path: &str) -> testkit::Reply {
    let mut request = client.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
    if matches!(method, "POST" | "PUT" | "PATCH") {
        request = request.json(&json!({}));
    }
    client.send(request.header("if-match", "*")).await
}

const MISSING: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn each_route_opens_for_whom_the_table_says() {
    let api = Api::new().await;
    let people = [
        ("viewer", api.sign_in("acme", "viewer").await),
        ("ops", api.sign_in("acme", "ops").await),
        ("admin", api.sign_in("acme", "admin").await),
        ("provider", api.sign_in("provider", "admin").await),
        ("acting", api.acting(Some("acme")).await),
        ("global", api.acting(None).await),
        ("key", api.with_key("acme", "admin").await),
        ("ops key", api.with_key("acme", "ops").await),
    ];
    for row in TABLE {
        let path = filled(row.path, MISSING);
        let nobody = call(&api.anonymous(), row.method, &path).await;
        assert_eq!(nobody.status == 401, row.who != Who::Public, "{row} {nobody:?}");
        for (who, client) in &people {
            let admitted = match row.who {
                Who::Public | Who::AnyRole => true,
                Who::Ops => *who != "viewer",
                Who::Admin => !matches!(*who, "viewer" | "ops" | "ops key"),
                Who::AdminInPerson => !matches!(*who, "viewer" | "ops" | "ops key" | "key"),
                Who::GlobalAdmin => *who == "global",
            };
            let reply = call(client, row.method, &path).await;
            assert_eq!(refusal(&reply) == (403, "forbidden"), !admitted, "{who} {row} {reply:?}");
            assert!(reply.status < 500 && reply.status != 401, "{who} {row} {reply:?}");
        }
    }
}

/// Status, headers and body, without what names the request or the moment.
async fn whole(client: &Client, method: &str, path: &str, body: &Value) -> (u16, String, Value) {
    let request = client.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
    let response = request.header("if-match", "*").json(body).send().await.unwrap();
    let mut headers: Vec<_> = response.headers().iter().collect();
    headers.retain(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"));
    let headers = format!("{headers:?}");
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, headers, canonical(&serde_json::from_str(&text).unwrap_or_default()))
}

#[tokio::test]
async fn what_is_anothers_looks_like_what_is_not_there() {
    let api = Api::new().await;
    let (acme, acme_admin) = (ready(&api).await, api.sign_in("acme", "admin").await);
    acme.put_file("secret.py", "x = 1\n").await;
    let config = acme_admin.request(Method::PUT, "/api/config/secret");
    let config = config.json(&json!({"value": "a secret", "secret": true}));
    assert_eq!(acme_admin.send(config).await.status, 201);
    let start = json!({"inputs": {"name": "Ada"}});
    let started = acme.post("/api/workflows/greet/executions", &start).await.body;
    let execution = started["id"].as_str().unwrap();
    let person = api.person("acme", "ops").await.to_string();
    let admin = api.sign_in("globex", "admin").await;
    let key = json!({"name": "ci", "role": "ops"});
    let key = api.sign_in("acme", "admin").await.post("/api/api-keys", &key).await.body;
    let key = key["id"].as_str().unwrap();
    let pairs = [
        ("DELETE", "/api/api-keys/{}", key, MISSING, json!({})),
        ("PATCH", "/api/users/{}", person.as_str(), MISSING, json!({"name": "x"})),
        ("DELETE", "/api/users/{}", person.as_str(), MISSING, json!({})),
        ("GET", "/api/files/content/{}", "secret.py", "absent.py", json!({})),
        ("GET", "/api/files/content/{}?scope=own&version=1", "secret.py", "absent.py", json!({})),
        ("DELETE", "/api/files/content/{}", "secret.py", "absent.py", json!({})),
        ("GET", "/api/files/versions/{}", "secret.py", "absent.py", json!({})),
        ("POST", "/api/files/restore/{}", "secret.py", "absent.py", json!({"version": 1})),
        ("GET", "/api/config/{}", "secret", "absent", json!({})),
        ("DELETE", "/api/config/{}", "secret", "absent", json!({})),
        ("GET", "/api/workflows/{}", "greet", "g0000", json!({})),
        ("POST", "/api/workflows/{}/executions", "greet", "g0000", start.clone()),
        ("GET", "/api/executions/{}", execution, MISSING, json!({})),
        ("GET", "/api/executions/{}/logs", execution, MISSING, json!({})),
        ("POST", "/api/executions/{}/cancel", execution, MISSING, json!({})),
    ];
    for (method, path, foreign, missing, body) in pairs {
        let foreign = whole(&admin, method, &path.replace("{}", foreign), &body).await;
        let missing = whole(&admin, method, &path.replace("{}", missing), &body).await;
        assert_eq!(foreign, missing, "{method} {path}");
        assert_eq!(foreign.0, 404, "{method} {path}");
    }
    assert_eq!(acme.get("/api/auth/me").await.status, 200, "nothing happened to it");
    assert_eq!(acme.get("/api/files/content/secret.py").await.status, 200);
    assert_eq!(acme.get("/api/config/secret").await.status, 200);
}
