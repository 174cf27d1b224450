//! What runs leave for people: state, progress, files of results; and what a parameter can be.

use crate::{
    common::{Api, refusal},
    executions::{claim, finish, ready, succeeded},
};
use domain::execution::Progress;
use reqwest::Method;
use serde_json::{Value, json};
use store::{NewExecutionFile, SetState};
use testkit::world::NOW;

const PICKY: &str = r#"# workflow pick {"type": "object", "properties": {"tenant": {"type": "string", "x-options": "tenants"}, "plain": {}}}
"#;

#[tokio::test]
async fn the_state_of_a_workflow_is_listed_for_ops() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    let scoped = api.world.scoped(api.world.acme);
    for (key, value) in [("b", "[1, 2]"), ("a", "null"), ("c", "\"x\"")] {
        let set = SetState { workflow: "greet", key, value, expected: None, now: NOW };
        scoped.set_state(set).await.unwrap();
    }
    let page = ops.get("/api/workflows/greet/state?limit=2").await.body;
    let at = "2023-11-14T22:13:20.000000Z";
    let expected = json!([
        {"key": "a", "value": null, "version": 1, "updated_at": at},
        {"key": "b", "value": [1, 2], "version": 1, "updated_at": at},
    ]);
    assert_eq!(page["items"], expected);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = ops.get(&format!("/api/workflows/greet/state?limit=2&cursor={cursor}")).await.body;
    assert_eq!((&rest["items"][0]["key"], &rest["next_cursor"]), (&json!("c"), &Value::Null));
    assert_eq!(ops.get("/api/workflows/nothing/state").await.status, 404);
    let viewer = api.sign_in("acme", "viewer").await;
    assert_eq!(viewer.get("/api/workflows/greet/state").await.status, 403);
}

#[tokio::test]
async fn files_of_a_result_are_listed_and_all_but_pictures_are_attachments() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    ops.post("/api/workflows/greet/executions", &json!({"inputs": {"name": "Ada"}})).await;
    let claim = claim(&api).await;
    let scoped = api.world.scoped(api.world.acme);
    for (name, media_type) in [("page ü.html", "text/html"), ("dot.png", "image/png")] {
        let (content, max_bytes) = (b"<script>".to_vec(), 100);
        let file = NewExecutionFile { name, media_type, content, max_bytes, now: NOW };
        assert!(scoped.keep_execution_file(claim.execution, file).await.unwrap());
    }
    let mut outcome = succeeded(&json!({"file": "page ü.html"}));
    outcome.result_type = Some("text/html".to_owned());
    finish(&api, &claim, outcome).await;
    let at = format!("/api/executions/{}", claim.execution);
    assert_eq!(ops.get(&at).await.body["result_type"], "text/html");
    let names = ops.get(&format!("{at}/files")).await.body["items"].clone();
    assert_eq!(names[0]["name"], "dot.png");
    assert_eq!((&names[1]["type"], &names[1]["size"]), (&json!("text/html"), &json!(8)));
    for (name, kind, how) in [
        ("page%20%C3%BC.html", "text/html", "attachment; filename*=UTF-8''page%20%C3%BC%2Ehtml"),
        ("dot.png", "image/png", "inline; filename*=UTF-8''dot%2Epng"),
    ] {
        let request = ops.request(Method::GET, &format!("{at}/files/{name}"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(
            (header("content-type").as_str(), header("content-disposition")),
            (kind, how.to_owned())
        );
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(response.bytes().await.unwrap().as_ref(), b"<script>");
    }
    let other = api.sign_in("globex", "admin").await;
    for path in [format!("{at}/files"), format!("{at}/files/dot.png"), format!("{at}/files/none")] {
        assert_eq!(refusal(&other.get(&path).await), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn how_far_a_run_has_come_is_in_the_execution() {
    let api = Api::new().await;
    let ops = ready(&api).await;
    ops.post("/api/workflows/greet/executions", &json!({"inputs": {"name": "Ada"}})).await;
    let claim = claim(&api).await;
    let note = Some("tickets".to_owned());
    let progress = Progress { done: 3.0, total: None, note, at: NOW };
    let scoped = api.world.scoped(api.world.acme);
    scoped.note_progress(claim.execution, &progress).await.unwrap();
    let body = ops.get(&format!("/api/executions/{}", claim.execution)).await.body;
    let at = "2023-11-14T22:13:20.000000Z";
    let expected = json!({"done": 3.0, "total": null, "note": "tickets", "at": at});
    assert_eq!(body["progress"], expected);
}

#[tokio::test]
async fn asking_for_options_runs_the_provider_and_is_in_no_plain_list() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    assert_eq!(ops.put_file("flows.py", PICKY).await.status, 201);
    let ask = "/api/workflows/pick/options/tenant";
    let worker = async {
        api.bells.work().await;
        let claim = claim(&api).await;
        assert_eq!(claim.provider.as_deref(), Some("tenants"));
        assert_eq!(claim.inputs, r#"{"region":"eu"}"#);
        finish(&api, &claim, succeeded(&json!([{"value": 1, "label": "one"}]))).await;
    };
    let (path, body) = (format!("{ask}?wait=30"), json!({"inputs": {"region": "eu"}}));
    let (reply, ()) = tokio::join!(ops.post(&path, &body), worker);
    assert_eq!((reply.status, &reply.body["kind"]), (200, &json!("options")));
    assert_eq!(reply.body["result"], json!([{"value": 1, "label": "one"}]));
    assert_eq!(ops.get("/api/executions").await.body["items"], json!([]));
    for query in ["kind=options", "kind=options&workflow=pick", "kind=options&status=succeeded"] {
        let items = ops.get(&format!("/api/executions?{query}")).await.body["items"].clone();
        assert_eq!(items[0]["id"], reply.body["id"], "{query}");
    }
    for nothing in ["/api/workflows/pick/options/plain", "/api/workflows/none/options/tenant"] {
        assert_eq!(refusal(&ops.post(nothing, &json!({})).await), (404, "not_found"));
    }
    let viewer = api.sign_in("acme", "viewer").await;
    assert_eq!(viewer.post(ask, &json!({})).await.status, 403);
}
