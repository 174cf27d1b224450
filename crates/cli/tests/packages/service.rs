//! A small HTTP service on loopback: it echoes, redirects and compresses.

use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, Method, Uri, header},
    response::{IntoResponse, Redirect},
    routing::{any, get},
};
use serde_json::{Value, json};

const PACKED: &[u8] = include_bytes!("reports/packed.json.gz");

/// Starts it; its address, as `http://127.0.0.1:PORT`.
pub async fn start() -> String {
    let routes = Router::new()
        .route("/echo/{*rest}", any(echo))
        .route("/moved", get(|| async { Redirect::to("/echo/moved") }))
        .route("/packed", get(packed));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    format!("http://{address}")
}

async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Json<Value> {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Json(json!({
        "method": method.as_str(),
        "target": uri.to_string(),
        "user_agent": header("user-agent"),
        "content_type": header("content-type"),
        "asked_by": header("x-asked-by"),
        "body": String::from_utf8_lossy(&body),
    }))
}

async fn packed() -> impl IntoResponse {
    let headers = [(header::CONTENT_ENCODING, "gzip"), (header::CONTENT_TYPE, "application/json")];
    (headers, PACKED)
}
