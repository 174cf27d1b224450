//! Paths and contents that no workspace takes.

use crate::stage::{Stage, TOO_LARGE, pointers, raw_request, refused};
use axum::http::Method;
use serde_json::{Value, json};
use testkit::{Client, Reply};

const CONTENT: &str = "/api/files/content/";

/// A request whose target goes out as it is: an HTTP client would tidy `..` away.
async fn raw(who: &Client, method: Method, path: &str, body: &Value) -> Reply {
    let body = body.to_string();
    raw_request(who, &format!("{method} {CONTENT}{path}"), &body).await
}

const ESCAPES: [&str; 20] = [
    "../../etc/passwd",
    "a/../../b.py",
    "%2e%2e/%2e%2e/etc/passwd",
    "a/%2E%2e/b.py",
    "..%2f..%2fetc%2fpasswd",
    "%2fetc/passwd",
    "/etc/passwd",
    "a//b.py",
    "a/",
    "a/./b.py",
    "a%00.py",
    "a%0a.py",
    "a%7f.py",
    "..%5c..%5cwindows",
    "%20a.py",
    "a/b%20",
    "e%CC%81.py",
    "%ff.py",
    "%c0%ae%c0%ae/passwd",
    "%252e%252e/%00",
];

#[tokio::test]
async fn paths_cannot_escape() {
    let stage = Stage::new().await;
    for path in ESCAPES {
        for method in [Method::PUT, Method::GET, Method::DELETE] {
            let reply = raw(&stage.acme, method.clone(), path, &json!({ "content": "" })).await;
            refused(&reply, 422, "invalid_input");
            assert_eq!(pointers(&reply), ["/path"], "{method} {path}");
        }
    }
    let long = ["a".repeat(256), "a/".repeat(512) + "a"];
    for path in long {
        refused(&stage.acme.put_file(&path, "").await, 422, "invalid_input");
    }
    assert_eq!(stage.count().await, 0);
    // Encoded twice is a plain name: nobody decodes it again.
    let reply = raw(&stage.acme, Method::PUT, "%252e%252e", &json!({ "content": "" })).await;
    assert_eq!((reply.status, &reply.body["path"]), (201, &json!("%2e%2e")));
    stage.still_works().await;
}

#[tokio::test]
async fn names_that_belong_to_others_are_refused() {
    let stage = Stage::new().await;
    for path in ["os.py", "json/__init__.py", "json/tool.py", "bifrost/x.py", "bifrost_runtime.py"]
    {
        let reply = stage.acme.put_file(path, "").await;
        refused(&reply, 422, "reserved_module_name");
        assert_eq!(pointers(&reply), ["/path"], "{path}");
    }
    assert_eq!(stage.count().await, 0);
    assert_eq!(stage.acme.put_file("Shared/Tool.py", "").await.status, 201);
    for (path, code) in [
        ("shared/tool.py", "case_collision"),
        ("Shared/TOOL.py", "case_collision"),
        ("Shared/Tool.py/inner.txt", "path_in_use"),
        ("Shared", "path_in_use"),
    ] {
        refused(&stage.acme.put_file(path, "").await, 409, code);
    }
    assert_eq!(stage.count().await, 1);
    stage.still_works().await;
}

#[tokio::test]
async fn contents_that_no_workspace_takes() {
    let stage = Stage::new().await;
    let acme = &stage.acme;
    let kib = |count: usize| "x".repeat(count * 1024);
    assert_eq!(acme.put_file("full.txt", &kib(1024)).await.status, 201);
    refused(&acme.put_file("over.txt", &(kib(1024) + "x")).await, 413, "too_large");
    let body = json!({ "content": "x".repeat(TOO_LARGE) });
    let request = acme.request(Method::PUT, &format!("{CONTENT}far_over.txt")).json(&body);
    let reply = request.send().await.unwrap();
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["connection"]),
        (413, &"close".parse().unwrap())
    );
    let bytes = |content: &str| json!({ "content": content, "encoding": "base64" });
    for (path, body, pointer, words) in [
        ("latin.py", bytes("eCA9ICfkJw=="), "/content", "utf-8"),
        ("nul.py", json!({ "content": "x = 1\0" }), "/content", "null bytes"),
        ("coding.py", json!({ "content": "# coding: nonsense\n" }), "/content", "nonsense"),
        ("data.bin", bytes("not base64!"), "/content", "is not base64"),
        ("said.txt", json!({ "content": "", "message": kib(1) }), "/message", "500"),
    ] {
        let reply =
            acme.send(acme.request(Method::PUT, &format!("{CONTENT}{path}")).json(&body)).await;
        assert_eq!((reply.status, pointers(&reply)), (422, vec![pointer]), "{path}: {reply:?}");
        let detail = reply.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{path}: {detail}");
    }
    for body in
        ["", "{", "[]", "{\"content\": 1}", "{\"contents\": \"\"}", "{\"content\": \"\\ud800\"}"]
    {
        let request = acme.request(Method::PUT, &format!("{CONTENT}a.txt"));
        let reply = acme.send(request.header("content-type", "application/json").body(body)).await;
        assert!(matches!(reply.status, 400 | 422), "{body}: {reply:?}");
        assert!(reply.body["code"].is_string(), "{body}: {reply:?}");
    }
    assert_eq!(stage.count().await, 1);
    stage.still_works().await;
}

#[tokio::test]
async fn a_source_that_does_not_parse_says_where() {
    let stage = Stage::new().await;
    let broken = "def f():\n    return (1 +\n\nx = 2 2\n";
    let reply = stage.acme.put_file("broken.py", broken).await;
    refused(&reply, 422, "syntax_error");
    let error = &reply.body["errors"][0];
    assert_eq!((&error["line"], &error["column"]), (&json!(2), &json!(12)), "{error}");
    assert_eq!(error["pointer"], "/content");
    assert!(error["detail"].as_str().unwrap().contains("was never closed"), "{error}");
    assert_eq!(stage.count().await, 0);
    stage.still_works().await;
}
