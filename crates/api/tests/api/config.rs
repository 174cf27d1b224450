//! Configuration values: cascade, versions, and secrets that never come back.

use crate::common::{Api, canonical, problem, refusal};
use reqwest::{Method, header};
use serde_json::{Value, json};
use testkit::{Client, Reply};

const SECRET: &str = "TOP-SECRET-VALUE-4711";

async fn put(client: &Client, key: &str, if_match: Option<&str>, body: Value) -> Reply {
    let mut request = client.request(Method::PUT, &format!("/api/config/{key}")).json(&body);
    if let Some(tag) = if_match {
        request = request.header(header::IF_MATCH, tag);
    }
    client.send(request).await
}

async fn delete(client: &Client, key: &str, if_match: Option<&str>) -> Reply {
    let mut request = client.request(Method::DELETE, &format!("/api/config/{key}"));
    if let Some(tag) = if_match {
        request = request.header(header::IF_MATCH, tag);
    }
    client.send(request).await
}

fn entry(key: &str, scope: &str, version: u32, secret: bool, value: Value) -> Value {
    let by = if scope == "org" { "admin@acme.test" } else { "admin@provider.test" };
    json!({
        "key": key, "scope": scope, "secret": secret, "value": value, "overrides": false,
        "version": version, "updated_at": "2023-11-14T22:13:20.000000Z", "updated_by": by,
    })
}

#[tokio::test]
async fn values_are_inherited_overridden_and_fall_through_when_deleted() {
    let api = Api::new().await;
    let (global, acme) = (api.acting(None).await, api.sign_in("acme", "admin").await);
    assert_eq!(put(&global, "url", None, json!({"value": "https://g"})).await.status, 201);
    let inherited = acme.get("/api/config/url").await;
    let expected = entry("url", "global", 1, false, json!("https://g"));
    assert_eq!((inherited.status, &inherited.body), (200, &expected));
    assert_eq!(inherited.etag.as_deref(), Some("\"global-1\""));

    let body = json!({"value": {"a": [1, null]}});
    let written = put(&acme, "url", Some("\"global-1\""), body.clone()).await;
    let mut expected = entry("url", "org", 1, false, json!({"a": [1, null]}));
    expected["overrides"] = json!(true);
    assert_eq!((written.status, &written.body), (201, &expected));
    assert_eq!(written.etag.as_deref(), Some("\"1\""));
    let stale = put(&acme, "url", Some("\"global-1\""), body).await;
    assert_eq!(refusal(&stale), (412, "stale"), "there is one of its own by now");
    assert_eq!(acme.get("/api/config/url").await.body, expected);
    assert_eq!(acme.get("/api/config/url?scope=global").await.body, inherited.body);

    assert_eq!(refusal(&delete(&acme, "url", Some("\"global-1\"")).await), (412, "stale"));
    assert_eq!(delete(&acme, "url", Some("\"1\"")).await.status, 204);
    assert_eq!(acme.get("/api/config/url").await, inherited);
    assert_eq!(refusal(&acme.get("/api/config/url?scope=own").await), (404, "not_found"));
    assert_eq!(refusal(&delete(&acme, "url", Some("*")).await), (404, "not_found"));
}

#[tokio::test]
async fn nobody_overwrites_what_they_have_not_seen() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let body = |n: u32| json!({ "value": n });
    assert_eq!(put(&admin, "a", None, body(1)).await.status, 201);
    assert_eq!(refusal(&put(&admin, "a", None, body(2)).await), (428, "if_match_required"));
    assert_eq!(refusal(&put(&admin, "a", Some("\"7\""), body(2)).await), (412, "stale"));
    assert_eq!(refusal(&put(&admin, "a", Some("W/\"1\""), body(2)).await), (412, "stale"));
    let second = put(&admin, "a", Some("\"1\""), body(2)).await;
    assert_eq!((second.status, second.etag.as_deref()), (200, Some("\"2\"")));
    let forced = put(&admin, "a", Some("*"), body(3)).await;
    assert_eq!((forced.status, &forced.body["version"]), (200, &json!(3)));
    assert_eq!(refusal(&delete(&admin, "a", None).await), (428, "if_match_required"));
    assert_eq!(refusal(&delete(&admin, "a", Some("\"1\"")).await), (412, "stale"));
    let known = admin.request(Method::GET, "/api/config/a").header("if-none-match", "\"3\"");
    assert_eq!(admin.send(known).await.status, 304);
    assert_eq!(delete(&admin, "a", Some("*")).await.status, 204);
    let anew = put(&admin, "a", None, body(4)).await;
    assert_eq!((anew.status, &anew.body["version"]), (201, &json!(5)), "no old tag fits it");
}

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    let api = Api::new().await;
    let (admin, viewer) = (api.sign_in("acme", "admin").await, api.sign_in("acme", "viewer").await);
    let global = api.acting(None).await;
    let secret = json!({"value": SECRET, "secret": true});
    let mut replies = vec![
        put(&admin, "api_key", None, secret.clone()).await,
        put(&global, "shared_key", None, secret.clone()).await,
        put(&admin, "api_key", Some("*"), secret.clone()).await,
        put(&admin, "api_key", None, secret.clone()).await,
        put(&admin, "api_key", Some("\"9\""), secret.clone()).await,
        put(&viewer, "api_key", Some("*"), secret.clone()).await,
        put(&admin, &format!("{SECRET}!"), None, secret).await,
        put(&admin, "a", None, json!({"value": "x", "secret": SECRET})).await,
        put(&admin, "a", None, json!({"value": "x", "secret": [SECRET]})).await,
        put(&admin, "a", None, json!({ SECRET: "x" })).await,
        put(&admin, "a", None, json!(SECRET)).await,
        put(&admin, "a", None, json!([SECRET])).await,
        put(&admin, "a", None, json!({"value": {SECRET: 1}, "secret": true})).await,
    ];
    let malformed = admin.request(Method::PUT, "/api/config/a");
    let malformed = malformed.header(header::CONTENT_TYPE, "application/json");
    let malformed = malformed.body(format!("{{\"value\": \"{SECRET}\", \"secret\": tr"));
    replies.push(admin.send(malformed).await);
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(
        statuses,
        [201, 201, 200, 428, 412, 403, 422, 422, 422, 422, 422, 422, 422, 400],
        "{replies:?}"
    );
    assert_eq!(replies[0].body, entry("api_key", "org", 1, true, Value::Null));
    assert_eq!(replies[2].body, entry("api_key", "org", 2, true, Value::Null));
    for path in ["/api/config", "/api/config/api_key", "/api/config/shared_key"] {
        replies.push(viewer.get(path).await);
        replies.push(admin.get(path).await);
    }
    replies.push(global.get("/api/config?scope=own").await);
    replies.push(admin.get("/api/audit").await);
    let shared = entry("shared_key", "global", 1, true, Value::Null);
    assert_eq!(replies[replies.len() - 4].body, shared, "that it is there can be seen");
    for reply in &replies {
        assert!(!format!("{reply:?}").contains(SECRET), "{reply:?}");
    }
    let audit = replies.last().unwrap().body["items"].as_array().unwrap();
    let writes = audit.iter().filter(|entry| entry["action"] == "config.write");
    let details: Vec<_> = writes.map(|entry| &entry["detail"]).collect();
    let detail = |version: u32| json!({"secret": true, "version": version});
    assert_eq!(details, [&detail(2), &detail(1)]);

    let open = put(&admin, "api_key", Some("*"), json!({"value": "in the open"})).await;
    assert_eq!(open.body, entry("api_key", "org", 3, false, json!("in the open")));
}

#[tokio::test]
async fn what_cannot_be_kept_is_told_where() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let told = async |key: &str, body: Value| {
        let reply = put(&admin, key, None, body).await;
        assert_eq!(reply.status, 422, "{reply:?}");
        let errors = reply.body["errors"].as_array().unwrap().clone();
        errors
            .into_iter()
            .map(|one| one["pointer"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(told("a", json!({})).await, ["/value"]);
    assert_eq!(told("a", json!({"secret": 1})).await, ["/value", "/secret"]);
    assert_eq!(told("a", json!({"value": 1, "more": 2})).await, [""]);
    assert_eq!(told("a", json!({"value": "abc", "secret": true})).await, ["/value"]);
    assert_eq!(told("a", json!({"value": "x".repeat(70_000)})).await, ["/value"]);
    assert_eq!(told("-a", json!({"value": 1})).await, ["/key"]);
    assert_eq!(told("a%2Fb", json!({"value": 1})).await, ["/key"]);
    let whole = put(&admin, "a", None, json!({"value": "abc", "secret": true})).await;
    let mut expected =
        problem(422, "Unprocessable Entity", "invalid_input", "the input is not valid");
    expected["errors"] = json!([{"pointer": "/value", "detail":
        "a secret is a text of at least 4 characters, or an object or array that holds one"}]);
    assert_eq!(canonical(&whole.body), expected);
    let large = "\u{1}".repeat(10_000);
    let escaped = put(&admin, "a", None, json!({ "value": large })).await;
    assert_eq!(escaped.status, 201, "60000 bytes as JSON");
}

#[tokio::test]
async fn the_list_merges_and_pages() {
    let api = Api::new().await;
    let (global, acme) = (api.acting(None).await, api.sign_in("acme", "admin").await);
    for key in ["a", "b"] {
        put(&global, key, None, json!({"value": "global", "secret": key == "a"})).await;
    }
    put(&acme, "b", None, json!({"value": "acme"})).await;
    put(&acme, "c", None, json!({"value": 1})).await;
    let globex = api.sign_in("globex", "admin").await;
    put(&globex, "foreign", None, json!({"value": 1})).await;
    let a = entry("a", "global", 1, true, Value::Null);
    let mut b = entry("b", "org", 1, false, json!("acme"));
    b["overrides"] = json!(true);
    let c = entry("c", "org", 1, false, json!(1));
    let list = async |query: &str| acme.get(&format!("/api/config{query}")).await.body;
    assert_eq!(list("").await["items"], json!([a, b, c]));
    assert_eq!(list("?scope=own").await["items"], json!([b, c]));
    let of_global = json!([a, entry("b", "global", 1, false, json!("global"))]);
    assert_eq!(list("?scope=global").await["items"], of_global);
    let first = list("?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = list(&format!("?limit=2&cursor={cursor}")).await;
    assert_eq!(rest, json!({"items": [c], "next_cursor": null}));
}
