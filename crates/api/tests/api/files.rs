//! Files: lists, contents, writes, deletions.

use crate::common::{Api, canonical, problem, refusal};
use reqwest::{Method, header};
use serde_json::{Value, json};
use testkit::{Client, Reply};

const PATH: &str = "/api/files/content/shared/halopsa.py";

async fn put(client: &Client, path: &str, if_match: Option<&str>, body: Value) -> Reply {
    let mut request = client.request(Method::PUT, path).json(&body);
    if let Some(tag) = if_match {
        request = request.header(header::IF_MATCH, tag);
    }
    client.send(request).await
}

async fn delete(client: &Client, path: &str, if_match: Option<&str>) -> Reply {
    let mut request = client.request(Method::DELETE, path);
    if let Some(tag) = if_match {
        request = request.header(header::IF_MATCH, tag);
    }
    client.send(request).await
}

#[tokio::test]
async fn an_override_is_written_read_and_falls_through_when_deleted() {
    let api = Api::new().await;
    api.world.write(domain::Scope::Global, "shared/halopsa.py", "x = 'global'\n").await;
    let ops = api.sign_in("acme", "ops").await;
    let inherited = ops.get(PATH).await;
    let expected = json!({
        "path": "shared/halopsa.py", "scope": "global", "version": 1, "hash": "<hash>",
        "encoding": "utf-8", "content": "x = 'global'\n", "overrides": null, "pinned": false,
        "source": "operator",
    });
    assert_eq!((inherited.status, canonical(&inherited.body)), (200, expected));
    assert_eq!(inherited.etag.as_deref(), Some("\"global-1\""));

    let written = put(&ops, PATH, None, json!({"content": "x = 'acme'\n"})).await;
    let expected = json!({
        "path": "shared/halopsa.py", "scope": "org", "version": 1, "hash": "<hash>", "size": 11,
        "overrides": {"version": 1, "hash": "<hash>"}, "pinned": false, "source": "api",
        "updated_at": "2023-11-14T22:13:20.000000Z", "updated_by": "ops@acme.test",
        "diagnostics": [],
    });
    assert_eq!((written.status, canonical(&written.body)), (201, expected));
    assert_eq!(written.etag.as_deref(), Some("\"1\""));

    let own = ops.get(PATH).await;
    assert_eq!((&own.body["scope"], &own.body["content"]), (&json!("org"), &json!("x = 'acme'\n")));
    assert_eq!(own.body["overrides"], written.body["overrides"]);
    let hidden = ops.get(&format!("{PATH}?scope=global")).await;
    assert_eq!(hidden.body, inherited.body);

    assert_eq!(delete(&ops, PATH, Some("\"1\"")).await.status, 204);
    assert_eq!(ops.get(PATH).await, inherited);
    assert_eq!(refusal(&ops.get(&format!("{PATH}?scope=own")).await), (404, "not_found"));
    assert_eq!(refusal(&delete(&ops, PATH, Some("*")).await), (404, "not_found"), "not Global's");
}

#[tokio::test]
async fn nobody_overwrites_what_they_have_not_seen() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    let body = |n: u32| json!({"content": format!("n = {n}\n")});
    assert_eq!(put(&ops, PATH, None, body(1)).await.status, 201);
    assert_eq!(refusal(&put(&ops, PATH, None, body(2)).await), (428, "if_match_required"));
    assert_eq!(refusal(&put(&ops, PATH, Some("\"7\""), body(2)).await), (412, "stale"));
    assert_eq!(refusal(&put(&ops, PATH, Some("\"global-1\""), body(2)).await), (412, "stale"));
    assert_eq!(refusal(&put(&ops, PATH, Some("W/\"1\""), body(2)).await), (412, "stale"));
    let second = put(&ops, PATH, Some("\"1\""), body(2)).await;
    assert_eq!((second.status, second.etag.as_deref()), (200, Some("\"2\"")));
    let forced = put(&ops, PATH, Some("*"), body(3)).await;
    assert_eq!((forced.status, &forced.body["version"]), (200, &json!(3)));
    let same = put(&ops, PATH, Some("\"3\""), body(3)).await;
    assert_eq!((same.status, &same.body["version"]), (200, &json!(3)), "no new version");
    assert_eq!(refusal(&delete(&ops, PATH, None).await), (428, "if_match_required"));
    assert_eq!(refusal(&delete(&ops, PATH, Some("\"1\"")).await), (412, "stale"));
    let gone = put(&ops, "/api/files/content/new.py", Some("\"1\""), body(1)).await;
    assert_eq!(refusal(&gone), (412, "stale"));
}

#[tokio::test]
async fn an_override_may_start_from_the_inherited_tag() {
    let api = Api::new().await;
    api.world.write(domain::Scope::Global, "shared/halopsa.py", "x = 1\n").await;
    let ops = api.sign_in("acme", "ops").await;
    let body = json!({"content": "x = 2\n"});
    assert_eq!(put(&ops, PATH, Some("\"global-1\""), body).await.status, 201);
}

#[tokio::test]
async fn if_none_match_saves_the_content() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    put(&ops, PATH, None, json!({"content": "x = 1\n"})).await;
    let ask = async |tag: &str| {
        let request = ops.request(Method::GET, PATH).header(header::IF_NONE_MATCH, tag);
        ops.send(request).await
    };
    let known = ask("\"1\"").await;
    assert_eq!(
        (known.status, known.body, known.etag.as_deref()),
        (304, Value::Null, Some("\"1\""))
    );
    assert_eq!(ask("\"global-1\"").await.status, 200);
}

#[tokio::test]
async fn the_list_merges_and_pages() {
    let api = Api::new().await;
    for path in ["shared/a.py", "shared/b.py"] {
        api.world.write(domain::Scope::Global, path, "x = 1\n").await;
    }
    api.world.write(api.world.acme, "shared/b.py", "x = 2\n").await;
    api.world.write(api.world.acme, "own.txt", "text").await;
    api.world.write(api.world.globex, "shared/secret.py", "x = 3\n").await;
    let viewer = api.sign_in("acme", "viewer").await;
    let entry = |path: &str, scope: &str, size: u32, overrides: bool| {
        json!({
            "path": path, "scope": scope, "version": 1, "hash": "<hash>", "size": size,
            "overrides": overrides, "pinned": false, "source": "operator",
            "updated_at": "2023-11-14T22:13:20.000000Z", "updated_by": "operator",
        })
    };
    let own = entry("own.txt", "org", 4, false);
    let a = entry("shared/a.py", "global", 6, false);
    let b = entry("shared/b.py", "org", 6, true);
    let list = async |query: String| viewer.get(&format!("/api/files{query}")).await.body;
    let items = async |query: &str| canonical(&list(query.to_owned()).await["items"]);
    assert_eq!(items("").await, json!([own, a, b]));
    assert_eq!(items("?prefix=shared/").await, json!([a, b]));
    assert_eq!(items("?scope=own").await, json!([own, b]));
    assert_eq!(items("?scope=global&prefix=shared/a").await, json!([a]));
    let first = list("?limit=2".to_owned()).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = list(format!("?limit=2&cursor={cursor}")).await;
    assert_eq!(canonical(&rest), json!({"items": [b], "next_cursor": null}));
}

#[tokio::test]
async fn bytes_travel_as_base64() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    let path = "/api/files/content/logo.png";
    let body = json!({"content": "iVBORw0KAP8=", "encoding": "base64"});
    assert_eq!(put(&ops, path, None, body).await.status, 201);
    let read = ops.get(path).await.body;
    assert_eq!((&read["encoding"], &read["content"]), (&json!("base64"), &json!("iVBORw0KAP8=")));
    let bad = put(&ops, path, None, json!({"content": "???", "encoding": "base64"})).await;
    assert_eq!(bad.body["errors"][0]["pointer"], "/content");
}

#[tokio::test]
async fn python_that_does_not_parse_is_told_where() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    let body = json!({"content": "x = 1\nsyntax error\n"});
    let refused = put(&ops, PATH, None, body.clone()).await;
    let mut expected = problem(
        422,
        "Unprocessable Entity",
        "syntax_error",
        "the file does not parse; send `allow_invalid=true` to write it all the same",
    );
    expected["errors"] = json!([
        {"pointer": "/content", "detail": "invalid syntax", "line": 2, "column": 8},
    ]);
    assert_eq!((refused.status, canonical(&refused.body)), (422, expected));
    assert_eq!(ops.get(PATH).await.status, 404, "nothing was written");
    let allowed = put(&ops, &format!("{PATH}?allow_invalid=true"), None, body).await;
    assert_eq!(allowed.status, 201);
    let nul = put(&ops, PATH, Some("*"), json!({"content": "x = 1\u{0}"})).await;
    assert_eq!(refusal(&nul), (422, "syntax_error"));
    let text = put(&ops, "/api/files/content/a.txt", None, json!({"content": "a\u{0}"})).await;
    assert_eq!(text.status, 201, "only Python is read");
}

#[tokio::test]
async fn remarks_come_with_the_reply() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    let written = put(&ops, PATH, None, json!({"content": "if x:\n\ty = 1\n"})).await;
    let expected = json!([
        {"severity": "warning", "line": 2, "column": 0, "code": "tab", "message": "a tab"},
    ]);
    assert_eq!(written.body["diagnostics"], expected);
}

#[tokio::test]
async fn names_of_python_and_the_platform_are_taken() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    for path in ["json.py", "bifrost/x.py", "xml/__init__.py"] {
        let full = format!("/api/files/content/{path}");
        let reply = put(&ops, &full, None, json!({"content": ""})).await;
        assert_eq!(refusal(&reply), (422, "reserved_module_name"), "{path}");
    }
    let fine = put(&ops, "/api/files/content/shared/json.py", None, json!({"content": ""})).await;
    assert_eq!(fine.status, 201);
}

#[tokio::test]
async fn paths_in_each_others_way_conflict() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    let body = || json!({"content": "x"});
    put(&ops, "/api/files/content/a/b.txt", None, body()).await;
    for (path, code) in
        [("A/b.txt", "case_collision"), ("a", "path_in_use"), ("a/b.txt/c", "path_in_use")]
    {
        let reply = put(&ops, &format!("/api/files/content/{path}"), None, body()).await;
        assert_eq!(refusal(&reply), (409, code), "{path}");
    }
    let source = json!({"content": "# workflow greet {}\n"});
    put(&ops, "/api/files/content/one.py", None, source.clone()).await;
    let reply = put(&ops, "/api/files/content/two.py", None, source).await;
    assert_eq!(refusal(&reply), (409, "workflow_taken"));
}

#[tokio::test]
async fn files_have_a_size() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    let path = "/api/files/content/big.txt";
    let fits = put(&ops, path, None, json!({"content": "x".repeat(1024 * 1024)})).await;
    assert_eq!(fits.status, 201);
    let large = put(&ops, path, Some("*"), json!({"content": "x".repeat(1024 * 1024 + 1)})).await;
    assert_eq!(refusal(&large), (413, "too_large"));
    let huge = put(&ops, path, Some("*"), json!({"content": "x".repeat(17 * 1024 * 1024)})).await;
    assert_eq!(refusal(&huge), (413, "too_large"));
}
