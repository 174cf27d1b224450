//! The organization's settings over HTTP, whole replies.

use crate::common::{Api, canonical, problem, refusal};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, Reply};

const PATH: &str = "/api/org/settings";

async fn patch(client: &Client, if_match: Option<&str>, body: &Value) -> Reply {
    let request = client.request(Method::PATCH, PATH).json(body);
    client.send(if_match.into_iter().fold(request, |it, tag| it.header("if-match", tag))).await
}

fn defaults() -> Value {
    json!({
        "regional": {"timezone": "UTC", "currency": "USD", "locale": "en-US"},
        "executions": {
            "timeout_seconds": 300, "max_concurrent": 10, "max_queued": 10_000, "memory_mb": 512,
            "weight": 1, "retention_days": 30,
        },
        "network": {"allowed_hosts": ["*"]},
        "modules": {"max_file_kb": 1024},
    })
}

#[tokio::test]
async fn settings_are_read_by_all_and_changed_by_admins() {
    let api = Api::new().await;
    let viewer = api.sign_in("acme", "viewer").await;
    let admin = api.sign_in("acme", "admin").await;
    let read = viewer.get(PATH).await;
    assert_eq!((read.status, read.etag.as_deref(), read.body), (200, Some("\"1\""), defaults()));

    let body = json!({"regional": {"timezone": "Europe/Vienna"}, "executions": {"memory_mb": 64}});
    let changed = patch(&admin, Some("\"1\""), &body).await;
    let mut expected = defaults();
    expected["regional"]["timezone"] = json!("Europe/Vienna");
    expected["executions"]["memory_mb"] = json!(64);
    assert_eq!((changed.status, changed.etag.as_deref()), (200, Some("\"2\"")));
    assert_eq!(changed.body, expected);
    let read = viewer.get(PATH).await;
    assert_eq!((read.etag.as_deref(), read.body), (Some("\"2\""), expected));

    let same = patch(&admin, Some("\"2\""), &body).await;
    assert_eq!((same.status, same.etag.as_deref()), (200, Some("\"2\"")), "nothing to change");
    let reset = json!({"regional": null, "executions": {"memory_mb": null}});
    let reset = patch(&admin, Some("*"), &reset).await;
    assert_eq!((reset.etag.as_deref(), reset.body), (Some("\"3\""), defaults()));
    let globex = api.sign_in("globex", "viewer").await;
    assert_eq!(globex.get(PATH).await.etag.as_deref(), Some("\"1\""));
}

#[tokio::test]
async fn both_names_of_a_merge_patch_are_taken_and_no_other() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let send = async |media: &str, body: &str| {
        let request = admin.request(Method::PATCH, PATH).header("if-match", "*");
        admin.send(request.header("content-type", media).body(body.to_owned())).await
    };
    for media in ["application/merge-patch+json", "application/json; charset=utf-8"] {
        assert_eq!(send(media, "{}").await.status, 200, "{media}");
    }
    let other = send("application/json-patch+json", "[]").await;
    assert_eq!(refusal(&other), (415, "unsupported_media_type"));
    let broken = send("application/json", "{").await;
    assert_eq!(refusal(&broken), (400, "malformed_json"));
    for body in ["[]", "null", "7", "\"x\""] {
        let reply = send("application/merge-patch+json", body).await;
        assert_eq!(
            (reply.status, &reply.body["errors"][0]["pointer"]),
            (422, &json!("")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_version_must_be_named_and_be_the_present_one() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let body = json!({"modules": {"max_file_kb": 7}});
    assert_eq!(refusal(&patch(&admin, None, &body).await), (428, "if_match_required"));
    for tag in ["\"2\"", "W/\"1\"", "\"global-1\"", "nonsense"] {
        assert_eq!(refusal(&patch(&admin, Some(tag), &body).await), (412, "stale"), "{tag}");
    }
    assert_eq!(admin.get(PATH).await.body, defaults());
}

#[tokio::test]
async fn every_fault_is_told_and_nothing_saved() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let body = json!({
        "regional": {"timezone": "Mars/Olympus", "currency": "eur"},
        "executions": {"timeout_seconds": 0, "memory_mb": "512", "cores": null},
        "modules": {"max_file_kb": 9},
        "colour": "blue",
    });
    let reply = patch(&admin, Some("\"1\""), &body).await;
    let mut expected =
        problem(422, "Unprocessable Entity", "invalid_input", "the input is not valid");
    expected["errors"] = json!([
        {"pointer": "/colour", "detail": "is no setting"},
        {"pointer": "/executions/cores", "detail": "is no setting"},
        {"pointer": "/executions/memory_mb",
            "detail": "must be a whole number from 64 to 16384"},
        {"pointer": "/executions/timeout_seconds",
            "detail": "must be a whole number from 1 to 86400"},
        {"pointer": "/regional/currency",
            "detail": "must be an ISO 4217 code in capitals, such as `EUR`"},
        {"pointer": "/regional/timezone",
            "detail": "must be an IANA time zone name, such as `Europe/Vienna`"},
    ]);
    assert_eq!((reply.status, canonical(&reply.body)), (422, expected));
    let read = admin.get(PATH).await;
    assert_eq!((read.etag.as_deref(), read.body), (Some("\"1\""), defaults()));
}

#[tokio::test]
async fn a_share_is_changed_by_the_provider_only() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let weight = json!({"executions": {"weight": 5}});
    let text = "`executions.weight` is changed by an admin of the provider who acts here";
    let mut expected = problem(403, "Forbidden", "provider_only", text);
    expected["errors"] = json!([{"pointer": "/executions/weight", "detail": text}]);
    let refused = patch(&admin, Some("*"), &weight).await;
    assert_eq!((refused.status, canonical(&refused.body)), (403, expected));
    let same = json!({"executions": {"weight": 1, "max_queued": 3}});
    assert_eq!(patch(&admin, Some("*"), &same).await.status, 200, "it stays as it is");

    let acting = api.acting(Some("acme")).await;
    let changed = patch(&acting, Some("*"), &weight).await;
    assert_eq!((changed.status, &changed.body["executions"]["weight"]), (200, &json!(5)));
    let reset = json!({"executions": null});
    assert_eq!(refusal(&patch(&admin, Some("*"), &reset).await), (403, "provider_only"));
    // A share is the platform's business, the provider's own included; Global has settings, too.
    let provider = api.sign_in("provider", "admin").await;
    assert_eq!(patch(&provider, Some("*"), &weight).await.status, 200);
    let global = api.acting(None).await;
    assert_eq!(patch(&global, Some("*"), &weight).await.etag.as_deref(), Some("\"2\""));
}

#[tokio::test]
async fn the_history_says_who_changed_what() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let viewer = api.sign_in("acme", "viewer").await;
    let path = "/api/org/settings/history";
    assert_eq!(viewer.get(path).await.body, json!({"items": [], "next_cursor": null}));
    patch(&admin, Some("\"1\""), &json!({"modules": {"max_file_kb": 7}})).await;
    let acting = api.acting(Some("acme")).await;
    api.clock.push(60);
    patch(&acting, Some("\"2\""), &json!({"executions": {"weight": 9}})).await;
    let mut first = defaults();
    first["modules"]["max_file_kb"] = json!(7);
    let mut second = first.clone();
    second["executions"]["weight"] = json!(9);
    let expected = [
        json!({"version": 3, "at": "2023-11-14T22:14:20.000000Z",
            "changed_by": "admin@provider.test", "before": first, "after": second}),
        json!({"version": 2, "at": "2023-11-14T22:13:20.000000Z",
            "changed_by": "admin@acme.test", "before": defaults(), "after": first}),
    ];
    let whole = viewer.get(path).await.body;
    assert_eq!(whole, json!({"items": expected, "next_cursor": null}));
    let page = viewer.get(&format!("{path}?limit=1")).await.body;
    assert_eq!(page["items"], json!([expected[0]]));
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = viewer.get(&format!("{path}?limit=1&cursor={cursor}")).await.body;
    assert_eq!(page, json!({"items": [expected[1]], "next_cursor": null}));
    let globex = api.sign_in("globex", "admin").await;
    assert_eq!(globex.get(path).await.body["items"], json!([]));
    let foreign = globex.get(&format!("{path}?cursor={cursor}")).await;
    assert_eq!(refusal(&foreign), (400, "bad_cursor"));

    let audit = admin.get("/api/audit?action=settings.").await.body;
    assert_eq!(audit["items"][0]["acting_from"], json!(domain::OrganizationId::PROVIDER));
    assert_eq!(
        audit["items"][0]["detail"],
        json!({"version": 3, "changes": {"executions.weight": {"from": 1, "to": 9}}})
    );
    assert_eq!(audit["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_schema_is_served_and_knows_what_is_refused() {
    let api = Api::new().await;
    let viewer = api.sign_in("acme", "viewer").await;
    let request = viewer.request(Method::GET, "/api/org/settings/schema");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/schema+json");
    let schema: Value = response.json().await.unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&viewer.get(PATH).await.body));
    assert!(!validator.is_valid(&json!({"modules": {"max_file_kb": 0}})));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_at_once_lose_nothing() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let keys = ["timeout_seconds", "max_queued", "memory_mb", "retention_days"];
    let tries = keys.map(|key| {
        let admin = admin.clone();
        tokio::spawn(async move {
            patch(&admin, Some("\"1\""), &json!({"executions": {key: 100}})).await.status
        })
    });
    let mut statuses = Vec::new();
    for attempt in tries {
        statuses.push(attempt.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412]);
    // Each reads again and tries again, until all of it is there.
    let tries = keys.map(|key| {
        let admin = admin.clone();
        tokio::spawn(async move {
            loop {
                let tag = admin.get(PATH).await.etag.unwrap();
                let body = json!({"executions": {key: 100}});
                match patch(&admin, Some(&tag), &body).await.status {
                    412 => continue,
                    status => return status,
                }
            }
        })
    });
    for attempt in tries {
        assert_eq!(attempt.await.unwrap(), 200);
    }
    let now = admin.get(PATH).await;
    assert_eq!(now.etag.as_deref(), Some("\"5\""), "four changes, whoever came first");
    assert!(keys.iter().all(|key| now.body["executions"][key] == 100), "{:?}", now.body);
}

#[tokio::test]
async fn a_change_counts_at_once_where_it_was_made() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let large = "x".repeat(2000);
    assert_eq!(admin.put_file("a.txt", &large).await.status, 201);
    patch(&admin, Some("*"), &json!({"modules": {"max_file_kb": 1}})).await;
    assert_eq!(admin.put_file("a.txt", &large).await.status, 413);
    patch(&admin, Some("*"), &json!({"modules": null})).await;
    assert_eq!(admin.put_file("a.txt", &large).await.status, 200);
}
