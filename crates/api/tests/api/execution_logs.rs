//! Logs: listed, and followed as they happen.

use crate::{
    common::{Api, refusal},
    executions::{claim, finish, line, ready, succeeded},
};
use reqwest::{Method, header};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::Client;

async fn start(ops: &Client) -> String {
    let body = json!({"inputs": {"name": "Ada"}});
    let started = ops.post("/api/workflows/greet/executions", &body).await.body;
    format!("/api/executions/{}/logs", started["id"].as_str().unwrap())
}

fn logged(seq: u32, message: &str) -> Value {
    json!({
        "seq": seq, "time": "2023-11-14T22:13:20.000001Z", "level": "info", "message": message,
    })
}

async fn append(api: &Api, claim: &store::Claim, messages: &[&str]) {
    let lines: Vec<_> = messages.iter().map(|message| line(message)).collect();
    let scoped = api.world.store.scoped(&claim.access);
    scoped.append_logs(claim.execution, &lines).await.unwrap();
    api.bells.ring_execution(claim.execution);
}

#[tokio::test]
async fn lines_are_listed_in_order_with_pages() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let path = start(&ops).await;
    assert_eq!(ops.get(&path).await.body, json!({"items": [], "next_cursor": null}));
    let claim = claim(&api).await;
    append(&api, &claim, &["one", "two", "three"]).await;
    let page = ops.get(&format!("{path}?limit=2")).await.body;
    assert_eq!(page["items"], json!([logged(1, "one"), logged(2, "two")]));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = ops.get(&format!("{path}?cursor={cursor}")).await.body;
    assert_eq!(rest, json!({"items": [logged(3, "three")], "next_cursor": null}));
}

#[tokio::test]
async fn a_stream_follows_until_the_end_and_resumes() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let path = start(&ops).await;
    let claim = claim(&api).await;
    append(&api, &claim, &["one"]).await;
    let events = |after: &'static str| {
        let request = ops.request(Method::GET, &path).header(header::ACCEPT, "text/event-stream");
        let request =
            if after.is_empty() { request } else { request.header("last-event-id", after) };
        async move {
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["content-type"], "text/event-stream");
            response.text().await.unwrap()
        }
    };
    let worker = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        append(&api, &claim, &["two"]).await;
        finish(&api, &claim, succeeded(&json!(1))).await;
    };
    let event = |seq: u32, message: &str| {
        let data = format!(
            "{{\"seq\":{seq},\"time\":\"2023-11-14T22:13:20.000001Z\",\"level\":\"info\",\
             \"message\":\"{message}\"}}"
        );
        format!("id: {seq}\nevent: log\ndata: {data}\n\n")
    };
    let end = "event: end\ndata: {\"status\":\"succeeded\"}\n\n";
    let (all, ()) = tokio::join!(events(""), worker);
    assert_eq!(all, format!("{}{}{end}", event(1, "one"), event(2, "two")));
    assert_eq!(events("1").await, format!("{}{end}", event(2, "two")));
    assert_eq!(events("2").await, end);
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_read_it() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let path = start(&ops).await;
    let request = ops.request(Method::GET, &path).header(header::ACCEPT, "text/event-stream");
    let response = request.send().await.unwrap();
    api.clock.push(901);
    let rest = tokio::time::timeout(Duration::from_secs(10), response.text()).await;
    assert_eq!(rest.expect("the stream ends").unwrap(), "");
}

#[tokio::test]
async fn foreign_and_malformed_streams_are_refused() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let path = start(&ops).await;
    let stream = async |client: &Client, id: &str| {
        let request =
            client.request(Method::GET, &path).header(header::ACCEPT, "text/event-stream");
        client.send(request.header("last-event-id", id)).await
    };
    assert_eq!(refusal(&stream(&ops, "x").await), (400, "bad_last_event_id"));
    assert_eq!(refusal(&stream(&ops, "-1").await), (400, "bad_last_event_id"));
    let other = api.sign_in("globex", "viewer").await;
    assert_eq!(refusal(&stream(&other, "0").await), (404, "not_found"));
}
