//! Inputs that do not fit a workflow's parameters.

use crate::stage::{Stage, TOO_LARGE, pointers, refused};
use axum::http::Method;
use serde_json::{Value, json};

const TYPED: &str = "
from datetime import date
from typing import Literal
from bifrost import workflow

@workflow
def typed(count: int, name: str, tags: list[str], kind: Literal['a', 'b'] = 'a', due: date = None):
    return count
";

const PATH: &str = "/api/workflows/typed/executions";

#[tokio::test]
async fn inputs_that_do_not_fit_are_pointed_at() {
    let stage = Stage::new().await;
    assert_eq!(stage.acme.put_file("typed.py", TYPED).await.status, 201);
    let cases: [(Value, &[&str]); 8] = [
        (json!({}), &["/inputs/count", "/inputs/name", "/inputs/tags"]),
        (json!({ "count": "3", "name": 4, "tags": [] }), &["/inputs/count", "/inputs/name"]),
        (json!({ "count": true, "name": "", "tags": {} }), &["/inputs/count", "/inputs/tags"]),
        (json!({ "count": 1.5, "name": null, "tags": [] }), &["/inputs/count", "/inputs/name"]),
        (
            json!({ "count": 1, "name": "", "tags": ["x", 1, []] }),
            &["/inputs/tags/1", "/inputs/tags/2"],
        ),
        (json!({ "count": 1, "name": "", "tags": [], "kind": "c" }), &["/inputs/kind"]),
        (json!({ "count": 1, "name": "", "tags": [], "due": "soon" }), &["/inputs/due"]),
        (
            json!({ "count": 1, "name": "", "tags": [], "a/b": 1, "~": 2 }),
            &["/inputs/a~1b", "/inputs/~0"],
        ),
    ];
    for (inputs, expected) in cases {
        let reply = stage.acme.post(PATH, &json!({ "inputs": inputs })).await;
        refused(&reply, 422, "invalid_inputs");
        assert_eq!(pointers(&reply), expected, "{inputs}: {reply:?}");
    }
    let reply = stage.acme.get("/api/executions").await;
    assert_eq!(reply.body["items"], json!([]), "refused inputs leave no execution");
    let good = json!({ "count": 3, "name": "", "tags": ["x"], "due": "2026-01-31" });
    assert_eq!(stage.acme.run("typed", good).await["result"], 3);
}

#[tokio::test]
async fn requests_to_run_that_make_no_sense_are_refused() {
    let stage = Stage::new().await;
    assert_eq!(stage.acme.put_file("typed.py", TYPED).await.status, 201);
    let deep = "[".repeat(100_000);
    for body in ["{", "[]", "{\"inputs\": []}", "{\"inputs\": {}, \"x\": 1}", "\u{0}", &deep] {
        let request = stage.acme.request(Method::POST, PATH);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let reply = stage.acme.send(request).await;
        assert!(matches!(reply.status, 400 | 422), "{body:.20}: {reply:?}");
        assert!(reply.body["code"].is_string(), "{body:.20}: {reply:?}");
    }
    let large = json!({ "inputs": { "name": "x".repeat(TOO_LARGE) } });
    refused(&stage.acme.post(PATH, &large).await, 413, "too_large");
    let nothing = "/api/workflows/nothing/executions";
    refused(&stage.acme.post(nothing, &json!({ "inputs": {} })).await, 404, "not_found");
    for wait in ["-1", "soon", "1e9", "NaN"] {
        let path = format!("{PATH}?wait={wait}");
        let reply = stage.acme.post(&path, &json!({ "inputs": {} })).await;
        assert!(matches!(reply.status, 400 | 422), "{wait}: {reply:?}");
    }
    assert_eq!(stage.acme.get("/api/executions").await.body["items"], json!([]));
    stage.still_works().await;
}
