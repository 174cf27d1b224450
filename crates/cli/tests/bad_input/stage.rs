//! A server with an organization that has one workflow which works.

use axum::http::Method;
use serde_json::{Value, json};
use testkit::{Client, Reply, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The server and its people.
pub struct Stage {
    pub server: Server,
    pub global: Client,
    pub acme: Client,
}

/// Just over what the server reads of any body: the client has sent it all when it is refused.
pub const TOO_LARGE: usize = (16 << 20) + (64 << 10);

const FINE: &str = "
from bifrost import workflow

@workflow
def fine() -> str:
    return 'fine'
";

impl Stage {
    /// A fresh one.
    pub async fn new() -> Self {
        Self::of(Server::start(env!("CARGO_BIN_EXE_bifrost"))).await
    }

    /// One of a server that was started in a way of its own.
    pub async fn of(server: Server) -> Self {
        server.create_organization("acme");
        let provider = server.sign_in("provider", "admin").await;
        let global = server.act(&provider, None).await;
        let acme = server.sign_in("acme", "admin").await;
        let reply = global.put_file("workflows/fine.py", FINE).await;
        assert_eq!(reply.status, 201, "{reply:?} {}", server.talk());
        Self { server, global, acme }
    }

    /// The server answers and runs what is in order.
    pub async fn still_works(&self) {
        still_works(&self.acme).await;
    }

    /// Writes `main.py` of Acme with a workflow of this body, and runs it to its end.
    pub async fn run(&self, body: &str) -> Value {
        self.run_source(&workflow(body)).await
    }

    /// Writes `main.py` of Acme and runs its workflow `main`.
    pub async fn run_source(&self, source: &str) -> Value {
        let reply = self.acme.put_file("main.py", source).await;
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        self.acme.run("main", json!({})).await
    }

    /// How many files Acme has.
    pub async fn count(&self) -> usize {
        self.acme.get("/api/files?scope=own&limit=200").await.body["items"]
            .as_array()
            .unwrap()
            .len()
    }
}

/// The server answers and runs what is in order.
pub async fn still_works(acme: &Client) {
    assert_eq!(acme.get("/healthz").await.status, 200);
    let execution = acme.run("fine", json!({})).await;
    assert_eq!(execution["result"], "fine", "{execution:#}");
}

/// A module with the workflow `main`.
pub fn workflow(body: &str) -> String {
    let body = body.trim().replace('\n', "\n    ");
    format!(
        "import os, signal, sys, threading, time\n\
         from bifrost import context, files, workflow\n\n\
         @workflow(retries=0, timeout=20)\n\
         def main():\n    {body}\n"
    )
}

/// The status and `error` of an execution, which must hold this in its message.
#[track_caller]
pub fn failed(execution: &Value, status: &str, kind: &str, message: &str) {
    let error = &execution["error"];
    assert_eq!((&execution["status"], &error["type"]), (&json!(status), &json!(kind)), "{error:#}");
    assert!(error["message"].as_str().unwrap().contains(message), "`{message}` not in {error:#}");
    assert_eq!(execution["result"], Value::Null);
}

/// A refusal of this status and code, in the form of RFC 9457.
#[track_caller]
pub fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, &reply.body["code"]), (status, &json!(code)), "{reply:?}");
    assert_eq!(reply.body["type"], format!("urn:bifrost:problem:{code}"));
    assert_eq!(reply.body["status"], status);
    assert!(reply.body["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{reply:?}");
}

/// The pointers of a refusal, in order.
pub fn pointers(reply: &Reply) -> Vec<&str> {
    let errors = reply.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found: Vec<_> = errors.iter().map(|it| it["pointer"].as_str().unwrap()).collect();
    found.sort_unstable();
    found
}

/// Sends a request past any HTTP client: `METHOD TARGET` as it is, a body as it is. Reads until the server closes the connection.
pub async fn raw_request(who: &Client, line: &str, body: &str) -> Reply {
    let like = who.request(Method::GET, "/").build().unwrap();
    let authorization = like.headers()["authorization"].to_str().unwrap();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: x\r\nauthorization: {authorization}\r\nif-match: *\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    let address = ("127.0.0.1", like.url().port().unwrap());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, etag: None, body: serde_json::from_str(body).unwrap_or_default() }
}
