//! The ticket system of the demo: a small HTTP service on loopback.

use axum::{Json, Router, extract::Query, routing::get};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Asked {
    customer: String,
}

/// Starts the service; its address as `127.0.0.1:PORT`. It ends with the process.
pub async fn start() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let routes = Router::new().route("/tickets", get(tickets)).route("/devices", get(devices));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(address.to_string())
}

async fn tickets(Query(asked): Query<Asked>) -> Json<Value> {
    Json(json!([
        { "id": 4711, "subject": format!("Printer of {} is offline", asked.customer), "urgency": 1 },
        { "id": 4712, "subject": "Mailbox is full", "urgency": 2 },
        { "id": 4713, "subject": "Backup failed twice", "urgency": 5 },
    ]))
}

async fn devices(Query(asked): Query<Asked>) -> Json<Value> {
    let names = (1..=3).map(|number| format!("{}-laptop-{number}", asked.customer));
    Json(names.collect())
}
