//! Workflows through the cascade.

use crate::common::{Api, refusal};
use serde_json::json;

#[tokio::test]
async fn workflows_cascade_by_name() {
    let api = Api::new().await;
    let global = api.acting(None).await;
    let written = global.put_file("flows.py", "# workflow greet {}\n# workflow sum {}\n").await;
    assert_eq!(written.body["scope"], "global");
    let ops = api.sign_in("acme", "ops").await;
    ops.put_file("mine.py", "# workflow greet {\"type\": \"object\"}\n").await;
    let greet = json!({
        "name": "greet", "scope": "org", "path": "mine.py", "function": "greet",
        "description": "Does greet.", "parameters": {"type": "object"}, "overrides": true,
        "pinned": false,
    });
    let sum = json!({
        "name": "sum", "scope": "global", "path": "flows.py", "function": "sum",
        "description": "Does sum.", "parameters": {}, "overrides": false,
        "pinned": false,
    });
    let list = ops.get("/api/workflows").await;
    let expected = json!({"items": [greet, sum], "next_cursor": null});
    assert_eq!((list.status, list.body), (200, expected));
    assert_eq!(ops.get("/api/workflows/greet").await.body, greet);
    let first = ops.get("/api/workflows?limit=1").await.body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = ops.get(&format!("/api/workflows?cursor={cursor}")).await.body;
    assert_eq!(rest["items"], json!([sum]));
    let other = api.sign_in("globex", "viewer").await;
    assert_eq!(other.get("/api/workflows/greet").await.body["scope"], "global");
    assert_eq!(refusal(&other.get("/api/workflows/nothing").await), (404, "not_found"));
}
