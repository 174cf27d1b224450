//! Executions: asked for, waited for, looked at, cancelled. The test plays the worker.

use crate::common::{Api, canonical, problem, refusal};
use domain::{
    Timestamp,
    execution::{Failure, LogLevel, LogLine, Outcome, Status},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use store::{Claim, Finished, Reason};
use testkit::{Client, world::NOW};
use uuid::Uuid;

pub const WORKFLOW: &str = r#"# workflow greet {"type": "object", "additionalProperties": false, "properties": {"name": {"type": "string"}}, "required": ["name"]}
"#;
const START: &str = "/api/workflows/greet/executions";

/// Claims the one execution that waits.
pub async fn claim(api: &Api) -> Claim {
    let system = api.world.store.system(Reason::Claim);
    let lease = Duration::from_secs(60);
    let mut claims = system.claim(Uuid::now_v7(), 1, lease, NOW).await.unwrap();
    claims.claims.pop().expect("an execution waits")
}

/// Ends a claimed execution and rings.
pub async fn finish(api: &Api, claim: &Claim, outcome: Outcome) {
    let finished = Finished { outcome, modules: Vec::new(), logs: Vec::new(), now: NOW };
    let scoped = api.world.store.scoped(&claim.access);
    assert!(scoped.finish(claim, finished).await.unwrap().is_some());
    api.bells.ring_execution(claim.execution);
}

pub fn succeeded(result: &Value) -> Outcome {
    Outcome {
        status: Status::Succeeded,
        result: Some(result.to_string()),
        result_type: None,
        failure: None,
    }
}

pub fn line(message: &str) -> LogLine {
    LogLine { time: Timestamp(NOW.0 + 1), level: LogLevel::Info, message: message.to_owned() }
}

/// Acme's ops with the workflow `greet`.
pub async fn ready(api: &Api) -> Client {
    let ops = api.sign_in("acme", "ops").await;
    assert_eq!(ops.put_file("flows.py", WORKFLOW).await.status, 201);
    ops
}

fn pending() -> Value {
    json!({
        "id": "<id>", "organization_id": "<id>", "workflow": "greet", "status": "pending",
        "inputs": {"name": "Ada"}, "result": null, "error": null,
        "created_at": "2023-11-14T22:13:20.000000Z", "started_at": null, "finished_at": null,
        "attempt": 0, "requested_by": "ops@acme.test", "modules": [],
        "priority": 0, "start_at": null, "parent_id": null, "depth": 0, "kind": "run",
        "progress": null, "result_type": null,
    })
}

#[tokio::test]
async fn an_execution_is_accepted_runs_and_can_be_read() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let request = ops.request(Method::POST, START).json(&json!({"inputs": {"name": "Ada"}}));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 202);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(canonical(&body), pending());
    assert_eq!(location, format!("/api/executions/{}", body["id"].as_str().unwrap()));
    assert_eq!(ops.get(&location).await.body, body);

    let claim = claim(&api).await;
    finish(&api, &claim, succeeded(&json!({"hello": ["Ada"]}))).await;
    let mut expected = pending();
    expected["status"] = json!("succeeded");
    expected["result"] = json!({"hello": ["Ada"]});
    expected["result_type"] = json!("application/json");
    expected["attempt"] = json!(1);
    expected["started_at"] = expected["created_at"].clone();
    expected["finished_at"] = expected["created_at"].clone();
    assert_eq!(canonical(&ops.get(&location).await.body), expected);
}

#[tokio::test]
async fn waiting_ends_with_the_bell() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let worker = async {
        api.bells.work().await;
        let claim = claim(&api).await;
        let failure = Failure {
            kind: "ValueError".to_owned(),
            message: "no".to_owned(),
            traceback: "Traceback …".to_owned(),
            details: None,
        };
        let failed = Outcome {
            status: Status::Failed,
            result: None,
            result_type: None,
            failure: Some(failure),
        };
        finish(&api, &claim, failed).await;
    };
    let started = Instant::now();
    let body = json!({"inputs": {"name": "Ada"}});
    let path = format!("{START}?wait=30");
    let (reply, ()) = tokio::join!(ops.post(&path, &body), worker);
    assert_eq!((reply.status, &reply.body["status"]), (200, &json!("failed")));
    let error = json!({"type": "ValueError", "message": "no", "traceback": "Traceback …"});
    assert_eq!(reply.body["error"], error);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(api.bells.watched(), 0);
}

#[tokio::test]
async fn waiting_in_vain_ends_with_the_time() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let reply = ops.post(&format!("{START}?wait=0.2"), &json!({"inputs": {"name": "Ada"}})).await;
    assert_eq!((reply.status, canonical(&reply.body)), (202, pending()));
    for wait in ["60.1", "-1", "NaN", "inf"] {
        let reply = ops.post(&format!("{START}?wait={wait}"), &json!({})).await;
        assert_eq!(reply.body["errors"][0]["pointer"], "/wait", "{wait}");
    }
}

#[tokio::test]
async fn a_priority_and_a_time_are_kept_or_refused() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let body = |priority: Value, start_at: Value| json!({"inputs": {"name": "Ada"}, "priority": priority, "start_at": start_at});
    let reply = ops.post(START, &body(json!(-10), json!("2023-11-14T23:13:20+01:00"))).await;
    assert_eq!(reply.status, 202);
    assert_eq!(reply.body["priority"], -10);
    assert_eq!(reply.body["start_at"], "2023-11-14T22:13:20.000000Z");
    for (priority, start_at, pointer) in [
        (json!(11), Value::Null, "/priority"),
        (Value::Null, json!("tomorrow"), "/start_at"),
        (Value::Null, json!("2023-11-14T22:13:20"), "/start_at"),
        (Value::Null, json!("2030-11-14T22:13:20Z"), "/start_at"),
    ] {
        let reply = ops.post(START, &body(priority, start_at)).await;
        assert_eq!((reply.status, &reply.body["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
}

#[tokio::test]
async fn inputs_that_do_not_fit_are_told_one_by_one() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let reply = ops.post(START, &json!({"inputs": {"naem": "Ada"}})).await;
    let mut expected = problem(
        422,
        "Unprocessable Entity",
        "invalid_inputs",
        "the inputs do not fit the workflow's parameters",
    );
    expected["errors"] = reply.body["errors"].clone();
    assert_eq!(canonical(&reply.body), expected);
    let errors = reply.body["errors"].as_array().unwrap();
    let mut pointers: Vec<_> = errors.iter().map(|error| error["pointer"].clone()).collect();
    pointers.sort_by_key(Value::to_string);
    assert_eq!(pointers, ["/inputs/naem", "/inputs/name"]);
    let empty = ops.send(ops.request(Method::POST, START)).await;
    assert_eq!(empty.body["errors"], json!([{"pointer": "/inputs/name", "detail": "is required"}]));
    let wrong = ops.post(START, &json!({"inputs": [1]})).await;
    assert_eq!(refusal(&wrong), (422, "invalid_input"));
    assert_eq!(wrong.body["errors"][0]["pointer"], "/inputs");
    assert_eq!(ops.get("/api/executions").await.body["items"], json!([]), "nothing was started");
    let missing = ops.post("/api/workflows/nothing/executions", &json!({})).await;
    assert_eq!(refusal(&missing), (404, "not_found"));
}

#[tokio::test]
async fn the_same_key_gives_the_same_execution() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let start = async |key: &str, name: &str| {
        let body = json!({"inputs": {"name": name}});
        let request = ops.request(Method::POST, START).header("idempotency-key", key).json(&body);
        ops.send(request).await
    };
    let first = start("k1", "Ada").await;
    let again = start("k1", "Ada").await;
    assert_eq!((again.status, &again.body), (202, &first.body));
    assert_ne!(start("k2", "Ada").await.body["id"], first.body["id"]);
    assert_eq!(refusal(&start("k1", "Bob").await), (409, "idempotency_key_reused"));
    assert_eq!(refusal(&start("a b", "Ada").await), (400, "bad_idempotency_key"));
}

#[tokio::test]
async fn the_list_is_newest_first_and_filtered() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let mut ids = Vec::new();
    for name in ["A", "B", "C"] {
        ids.push(ops.post(START, &json!({"inputs": {"name": name}})).await.body["id"].clone());
    }
    ids.reverse();
    let listed = async |query: &str| {
        let page = ops.get(&format!("/api/executions{query}")).await.body;
        let items = page["items"].as_array().unwrap();
        (items.iter().map(|item| item["id"].clone()).collect::<Vec<_>>(), page)
    };
    let (all, page) = listed("").await;
    assert_eq!(all, ids);
    let expected = json!({
        "id": "<id>", "workflow": "greet", "status": "pending",
        "created_at": "2023-11-14T22:13:20.000000Z", "started_at": null, "finished_at": null,
        "attempt": 0, "requested_by": "ops@acme.test",
    });
    assert_eq!(canonical(&page["items"][0]), expected);
    let (first, page) = listed("?limit=2").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let (rest, _) = listed(&format!("?limit=2&cursor={cursor}")).await;
    assert_eq!([first, rest].concat(), ids);
    assert_eq!(listed("?status=running").await.0, Vec::<Value>::new());
    assert_eq!(listed("?status=pending&workflow=greet").await.0, ids);
    assert_eq!(listed("?workflow=other").await.0, Vec::<Value>::new());
    let bad = ops.get("/api/executions?status=asleep").await;
    assert_eq!(bad.body["errors"][0]["pointer"], "/status");
}

#[tokio::test]
async fn one_that_waits_is_cancelled_at_once_and_one_that_ended_stays() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let started = ops.post(START, &json!({"inputs": {"name": "Ada"}})).await.body;
    let path = format!("/api/executions/{}/cancel", started["id"].as_str().unwrap());
    let cancelled = ops.post(&path, &json!({})).await;
    assert_eq!((cancelled.status, &cancelled.body["status"]), (200, &json!("cancelled")));
    assert_eq!(ops.post(&path, &json!({})).await.body, cancelled.body);
}
