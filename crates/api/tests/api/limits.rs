//! Clients that cost more than they bring, on raw sockets: heads and bodies without end.

use crate::common::Api;
use api::ServerLimits;
use serde_json::Value;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

const PATIENCE: Duration = Duration::from_secs(30);

async fn connect(api: &Api) -> TcpStream {
    TcpStream::connect(api.url.strip_prefix("http://").unwrap()).await.unwrap()
}

/// All that the server says until it hangs up.
async fn rest(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut reply)).await.expect("it hangs up");
    read.expect("without a reset");
    String::from_utf8(reply).unwrap()
}

async fn ask(api: &Api, request: &str) -> String {
    let mut stream = connect(api).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

fn problem(reply: &str) -> (u16, String) {
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    let body: Value = body.split("\r\n").find_map(|it| serde_json::from_str(it).ok()).unwrap();
    let status = head[9..12].parse().unwrap();
    assert_eq!(body["status"], status);
    (status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut() {
    let limits = ServerLimits { head: Duration::from_millis(300), ..ServerLimits::default() };
    let api = Api::with_limits(limits).await;
    let started = Instant::now();
    for begun in ["", "GET /healthz HTTP/1.1\r\nhost: x\r\nx-drip: "] {
        assert_eq!(ask(&api, begun).await, "", "{begun}");
    }
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(api.anonymous().get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_huge_head_is_refused() {
    let api = Api::new().await;
    let long = format!("GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(100));
    for request in [long, many] {
        let mut stream = connect(&api).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 431");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_cut_and_told() {
    let limits = ServerLimits { body: Duration::from_millis(300), ..ServerLimits::default() };
    let api = Api::with_limits(limits).await;
    let head = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let announced = format!("{head}content-length: 100\r\n\r\n{{");
    assert_eq!(problem(&ask(&api, &announced).await), (408, "too_slow".to_owned()));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n1\r\n{{\r\n");
    assert_eq!(problem(&ask(&api, &chunked).await), (408, "too_slow".to_owned()));
}

#[tokio::test]
async fn a_body_far_over_the_limit_gets_its_reply() {
    let api = Api::new().await;
    let size = 40 * 1024 * 1024;
    for (path, code) in [("/api/auth/login", (413, "too_large")), ("/x", (404, "not_found"))] {
        let mut stream = connect(&api).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {size}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b' '; size]).await.expect("taken to its end");
        let reply = rest(&mut stream).await;
        assert_eq!(problem(&reply), (code.0, code.1.to_owned()));
    }
}

#[tokio::test]
async fn who_waits_for_leave_to_send_is_answered_at_once() {
    let api = Api::new().await;
    let head = "PUT /api/files/content/a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
                connection: close\r\ncontent-length: 1000000\r\n\r\n";
    assert_eq!(problem(&ask(&api, head).await), (401, "not_signed_in".to_owned()));
}

#[tokio::test]
async fn other_sites_get_no_leave_and_wrong_methods_are_told_the_right_ones() {
    let api = Api::new().await;
    let preflight = "OPTIONS /api/auth/login HTTP/1.1\r\nhost: x\r\norigin: https://evil.test\r\n\
        access-control-request-method: POST\r\nconnection: close\r\n\r\n";
    let reply = ask(&api, preflight).await;
    assert_eq!(problem(&reply), (405, "method_not_allowed".to_owned()));
    assert!(reply.contains("\r\nallow: POST\r\n"), "{reply}");
    let get = "GET /healthz HTTP/1.1\r\nhost: x\r\norigin: https://evil.test\r\n\
               connection: close\r\n\r\n";
    for reply in [reply, ask(&api, get).await] {
        assert!(!reply.to_lowercase().contains("access-control"), "{reply}");
    }
    let put = "DELETE /api/files HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let reply = ask(&api, put).await;
    assert!(reply.contains("\r\nallow: GET,HEAD\r\n"), "{reply}");
}

#[tokio::test]
async fn more_connections_than_places_wait_for_one() {
    let limits = ServerLimits { connections: 1, ..ServerLimits::default() };
    let api = Api::with_limits(limits).await;
    let first = connect(&api).await;
    let mut second = connect(&api).await;
    let get = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    second.write_all(get.as_bytes()).await.unwrap();
    let mut byte = [0; 1];
    let waits = timeout(Duration::from_millis(200), second.peek(&mut byte)).await;
    assert!(waits.is_err(), "nobody answers yet");
    drop(first);
    assert!(rest(&mut second).await.starts_with("HTTP/1.1 200"));
}
