//! `/metrics`: what is counted, and that no figure is of somebody.

use crate::common::Api;

async fn text(api: &Api) -> String {
    let response = reqwest::get(format!("{}/metrics", api.url)).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    response.text().await.unwrap()
}

#[tokio::test]
async fn requests_are_counted_by_template_and_nothing_names_anybody() {
    let api = Api::new().await;
    api.world.write(api.world.acme, "secret/canary.py", "x = 1\n").await;
    let viewer = api.sign_in("acme", "viewer").await;
    viewer.get("/api/files/content/secret/canary.py").await;
    viewer.get("/api/no/such/canary").await;
    api.login("acme", "canary@acme.test", "wrong").await;
    let method = reqwest::Method::from_bytes(b"CANARY").unwrap();
    viewer.send(viewer.request(method, "/api/files")).await;
    let text = text(&api).await;
    for line in [
        "bifrost_http_requests_total{route=\"/api/files/content/{*path}\",method=\"GET\",status=\"200\"}",
        "bifrost_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"}",
        "bifrost_http_request_duration_seconds_bucket{route=\"/api/auth/login\",method=\"POST\",le=\"0.1\"}",
        "bifrost_sign_in_failures_total{how=\"wrong_credentials\"}",
        "bifrost_session_lookups_total{from=\"database\"}",
        "bifrost_guard_statements_checked_total",
        "bifrost_guard_statements_refused_total 0",
        "bifrost_build_info{version=",
    ] {
        assert!(text.contains(line), "`{line}` is not in\n{text}");
    }
    let acme = api.world.acme.column().to_string();
    for secret in ["canary", "CANARY", "acme", "127.0.0.1", acme.as_str()] {
        assert!(!text.contains(secret), "`{secret}` is in\n{text}");
    }
}
