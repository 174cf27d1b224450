//! What holds for every request: problems everywhere, headers, limits, no escapes.

use crate::common::{Api, canonical, problem, refusal};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn refusals_are_problems_with_the_request_id_and_headers() {
    let api = Api::new().await;
    let url = format!("{}/api/nothing", api.url);
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let headers = response.headers().clone();
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(text("content-type"), "application/problem+json");
    assert_eq!(text("x-content-type-options"), "nosniff");
    assert_eq!(text("cache-control"), "no-store");
    assert_eq!(text("referrer-policy"), "no-referrer");
    assert_eq!(text("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["request_id"], text("x-request-id"));
    let detail = "there is nothing of that name here";
    assert_eq!(canonical(&body), problem(404, "Not Found", "not_found", detail));
}

#[tokio::test]
async fn nobody_is_asked_to_sign_in() {
    let api = Api::new().await;
    let response = reqwest::get(format!("{}/api/files", api.url)).await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"bifrost\"");
    let body: Value = response.json().await.unwrap();
    let detail = "sign in and send the access token as `Authorization: Bearer …`";
    assert_eq!(canonical(&body), problem(401, "Unauthorized", "not_signed_in", detail));
}

#[tokio::test]
async fn wrong_methods_types_and_bodies_are_problems() {
    let api = Api::new().await;
    let nobody = api.anonymous();
    let login = |body: &'static str, kind: &'static str| {
        let request = nobody.request(Method::POST, "/api/auth/login");
        request.header(header::CONTENT_TYPE, kind).body(body)
    };
    let json = "application/json";
    let reply = nobody.send(nobody.request(Method::PUT, "/api/auth/login")).await;
    assert_eq!(refusal(&reply), (405, "method_not_allowed"));
    let reply = nobody.send(login("{}", "text/plain")).await;
    assert_eq!(refusal(&reply), (415, "unsupported_media_type"));
    for body in ["{", "", "\u{feff}{}", "nul"] {
        assert_eq!(refusal(&nobody.send(login(body, json)).await), (400, "malformed_json"));
    }
    for array in ["[]", r#" ["acme", "admin@acme.test", "some password"]"#] {
        let reply = nobody.send(login(array, json)).await;
        assert_eq!(refusal(&reply), (422, "invalid_input"), "fields by their order");
    }
    let deep = "[".repeat(100_000);
    let request = nobody.request(Method::POST, "/api/auth/login");
    let reply = nobody.send(request.header(header::CONTENT_TYPE, json).body(deep)).await;
    assert_eq!(reply.status, 413, "small bodies only");
    let reply =
        nobody.send(login("{\"organization\": \"a\", \"organization\": \"b\"}", json)).await;
    assert_eq!(refusal(&reply), (422, "invalid_input"), "twice");
}

#[tokio::test]
async fn lists_have_limits_and_sealed_cursors() {
    let api = Api::new().await;
    let viewer = api.sign_in("acme", "viewer").await;
    for limit in ["0", "201"] {
        let reply = viewer.get(&format!("/api/files?limit={limit}")).await;
        assert_eq!(reply.body["errors"], json!([{"pointer": "/limit", "detail": "use 1 to 200"}]));
    }
    for limit in ["x", "-1", "99999999999"] {
        let reply = viewer.get(&format!("/api/files?limit={limit}")).await;
        assert_eq!(refusal(&reply), (400, "malformed_query"), "{limit}");
    }
    let reply = viewer.get("/api/files?cursor=AAAA").await;
    assert_eq!(refusal(&reply), (400, "bad_cursor"));
}

/// Clients tidy paths before they send them, so these are written by hand.
async fn raw(api: &Api, token: &str, path: &str) -> (String, Value) {
    let address = api.url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    let reply = String::from_utf8(reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    let body = body.split("\r\n").find_map(|line| serde_json::from_str(line).ok());
    (head.lines().next().unwrap().to_owned(), body.unwrap_or(Value::Null))
}

#[tokio::test]
async fn escapes_in_paths_reach_no_file() {
    let api = Api::new().await;
    api.world.write(api.world.acme, "a/b.py", "x = 1\n").await;
    api.person("acme", "viewer").await;
    let login = api.login("acme", "viewer@acme.test", crate::common::PASSWORD).await;
    let token = login.body["access_token"].as_str().unwrap();
    let (status, body) = raw(&api, token, "/api/files/content/a/b.py").await;
    assert_eq!((status.as_str(), &body["path"]), ("HTTP/1.1 200 OK", &json!("a/b.py")));
    for path in [
        "c/../a/b.py",
        "c/%2e%2e/a/b.py",
        "c/%2E%2E/a/b.py",
        "a%2Fb.py",
        "a%2fb.py",
        "./a/b.py",
        "/a/b.py",
        "a//b.py",
        "a/b.py/",
        "a%5Cb.py",
        "a/b.py%00",
        "%00",
        "a/b.py%0a",
        "%ff",
        "a/%20b.py",
    ] {
        let (status, body) = raw(&api, token, &format!("/api/files/content/{path}")).await;
        assert_eq!(status, "HTTP/1.1 422 Unprocessable Entity", "{path}");
        assert_eq!(body["errors"][0]["pointer"], "/path", "{path}");
    }
    for path in ["A/B.py", "a%252Fb.py", "a/b.py%3Fx"] {
        let (status, _) = raw(&api, token, &format!("/api/files/content/{path}")).await;
        assert_eq!(status, "HTTP/1.1 404 Not Found", "{path}");
    }
    for path in ["/api/files/content/../../auth/me", "/api/./auth/me", "//api/auth/me"] {
        assert_ne!(raw(&api, token, path).await.0, "HTTP/1.1 200 OK", "{path}");
    }
}

#[tokio::test]
async fn two_tokens_are_no_token() {
    let api = Api::new().await;
    let viewer = api.sign_in("acme", "viewer").await;
    let request = viewer.request(Method::GET, "/api/auth/me");
    let reply = viewer.send(request.header(header::AUTHORIZATION, "Bearer x")).await;
    assert_eq!(refusal(&reply), (401, "not_signed_in"));
    for value in ["Basic eDp5", "Bearer", "Bearer ", "bearer x.y.z"] {
        let nobody = api.anonymous();
        let request = nobody.request(Method::GET, "/api/auth/me");
        let reply = nobody.send(request.header(header::AUTHORIZATION, value)).await;
        assert_eq!(refusal(&reply), (401, "not_signed_in"), "{value}");
    }
}

#[tokio::test]
async fn faults_of_a_body_have_pointers_and_do_not_repeat_what_was_sent() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let fault = async |path: &str, body: &str| {
        let request = admin.request(Method::POST, path).header("content-type", "application/json");
        let reply = admin.send(request.body(body.to_owned())).await;
        assert_eq!(refusal(&reply), (422, "invalid_input"), "{body}");
        let error = &reply.body["errors"][0];
        format!("{} {}", error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap())
    };
    let users = "/api/users";
    assert_eq!(fault(users, r#"{"email":"a@b.c","role":"ops"}"#).await, "/name is missing");
    let twice = r#"{"email":"a@b.c","role":"ops","name":"A","name":"B"}"#;
    assert_eq!(fault(users, twice).await, "/name comes twice");
    let unknown = r#"{"email":"a@b.c","role":"ops","name":"A","nick":"B"}"#;
    assert_eq!(fault(users, unknown).await, "/nick there is no such field");
    let wrong = r#"{"organization":"acme","email":"a@b.c","password":12345678}"#;
    let told = fault("/api/auth/login", wrong).await;
    assert_eq!(told, "/password use a string");
    let put = admin.request(Method::PUT, "/api/config/web");
    let put = put.header("content-type", "application/json");
    let body = r#"{"value":"abcdefgh","secret":true,"secret":false}"#;
    let reply = admin.send(put.body(body)).await;
    assert_eq!(refusal(&reply), (422, "invalid_input"), "one of two contradicting fields won");
    assert_eq!(admin.get("/api/config/web").await.status, 404);
}
