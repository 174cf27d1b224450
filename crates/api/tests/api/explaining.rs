//! Why a path or a workflow means what it means, and what an execution used.

use crate::common::{Api, canonical, refusal};
use domain::{
    Scope,
    execution::{LoadedModule, Outcome, Status},
    scope::Side,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use store::{Finished, Reason};
use testkit::world::NOW;
use uuid::Uuid;

const PATH: &str = "shared/halopsa.py";

#[tokio::test]
async fn a_path_is_explained() {
    let api = Api::new().await;
    for text in ["x = 1\n", "x = 2\n"] {
        api.world.write(Scope::Global, PATH, text).await;
    }
    let ops = api.sign_in("acme", "ops").await;
    let explained = async || ops.get(&format!("/api/files/explain/{PATH}")).await.body;
    let file = |scope: &str, pinned: bool, version: u32, chosen: bool, reason: &str| {
        json!({
            "scope": scope, "pinned": pinned, "version": version, "hash": "<hash>",
            "chosen": chosen, "reason": reason,
        })
    };
    let none = "the organization has no file of this name";
    let inherited = file("global", false, 2, true, none);
    let expected = json!({"path": PATH, "winner": inherited, "candidates": [inherited]});
    assert_eq!(canonical(&explained().await), expected);

    let pin = ops.request(Method::PUT, &format!("/api/files/pin/{PATH}"));
    assert_eq!(ops.send(pin.json(&json!({"version": 1}))).await.status, 200);
    let held = file("global", true, 1, true, "the organization holds this version");
    let other = file("global", false, 2, false, "the organization holds another version");
    let expected = json!({"path": PATH, "winner": held, "candidates": [held, other]});
    assert_eq!(canonical(&explained().await), expected);

    ops.put_file(PATH, "x = 3\n").await;
    let wins = "the organization's own file wins";
    let (own, hidden) = (file("org", false, 1, true, wins), file("global", false, 2, false, wins));
    let expected = json!({"path": PATH, "winner": own, "candidates": [own, hidden]});
    assert_eq!(canonical(&explained().await), expected);
    let other = api.sign_in("globex", "viewer").await;
    let theirs = other.get(&format!("/api/files/explain/{PATH}")).await.body;
    assert_eq!(canonical(&theirs["candidates"]), json!([inherited]), "Acme's is not seen");
    let nothing = json!({"path": "none.py", "winner": null, "candidates": []});
    assert_eq!(ops.get("/api/files/explain/none.py").await.body, nothing);
}

#[tokio::test]
async fn a_workflow_is_explained() {
    let api = Api::new().await;
    let (global, ops) = (api.acting(None).await, api.sign_in("acme", "ops").await);
    global.put_file("workflows/report.py", "# workflow report {}\n").await;
    let explained = async || {
        let body = ops.get("/api/workflows/report/explain").await.body;
        let told = |it: &Value| {
            json!([it["scope"], it["path"], it["function"], it["pinned"], it["chosen"]])
        };
        let all: Vec<_> = body["candidates"].as_array().unwrap().iter().map(told).collect();
        (body["winner"]["reason"].clone(), json!(all))
    };
    let theirs = |chosen: bool| json!(["global", "workflows/report.py", "report", false, chosen]);
    let none = json!("the organization has no workflow of this name");
    assert_eq!(explained().await, (none, json!([theirs(true)])));
    ops.put_file("own/report.py", "# workflow report {}\n").await;
    let own = json!(["org", "own/report.py", "report", false, true]);
    let wins = json!("the organization's own workflow wins");
    assert_eq!(explained().await, (wins, json!([own, theirs(false)])));
    ops.delete_file("own/report.py").await;
    ops.put_file("workflows/report.py", "x = 1\n").await;
    assert_eq!(explained().await, (Value::Null, json!([theirs(false)])), "its file is hidden");
    let nothing = json!({"name": "none", "winner": null, "candidates": []});
    assert_eq!(ops.get("/api/workflows/none/explain").await.body, nothing);
}

#[tokio::test]
async fn an_execution_tells_what_it_used_and_what_it_would_use_today() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    ops.put_file("flow.py", "# workflow flow {}\n").await;
    ops.put_file(PATH, "x = 1\n").await;
    api.world.write(Scope::Global, "gone.py", "x = 1\n").await;
    api.world.write(Scope::Global, "mine.py", "x = 1\n").await;
    let id = ops.post("/api/workflows/flow/executions", &json!({"inputs": {}})).await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let loaded = |name: &str, scope, path: &str, content: &str| LoadedModule {
        name: name.to_owned(),
        scope,
        path: path.to_owned(),
        version: 1,
        hash: domain::content_hash(content.as_bytes()),
    };
    let system = api.world.store.system(Reason::Claim);
    let lease = Duration::from_secs(60);
    let claim = system.claim(Uuid::now_v7(), 1, lease, NOW).await.unwrap().claims.remove(0);
    let modules = vec![
        loaded("flow", Side::Own, "flow.py", "# workflow flow {}\n"),
        loaded("shared.halopsa", Side::Own, PATH, "x = 1\n"),
        loaded("gone", Side::Global, "gone.py", "x = 1\n"),
        loaded("mine", Side::Global, "mine.py", "x = 1\n"),
    ];
    let outcome = Outcome {
        status: Status::Succeeded,
        result: Some("1".to_owned()),
        result_type: None,
        failure: None,
    };
    let finished = Finished { outcome, modules, logs: Vec::new(), now: NOW };
    api.world.store.scoped(&claim.access).finish(&claim, finished).await.unwrap();

    ops.put_file(PATH, "x = 2\n").await;
    ops.put_file("mine.py", "x = 2\n").await;
    api.acting(None).await.delete_file("gone.py").await;
    let body = ops.get(&format!("/api/executions/{id}/explain")).await.body;
    let told: Vec<_> = body["modules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["said"].as_str().unwrap(), it["changed"].as_bool().unwrap()))
        .collect();
    let expected = [
        ("used the organization's `flow.py`, version 1, as today", false),
        ("used the organization's `shared/halopsa.py`, version 1, which today is version 2", true),
        ("used Global's `gone.py`, version 1, which is gone today", true),
        (
            "used Global's `mine.py`, version 1; today it is the organization's `mine.py`, version 1",
            true,
        ),
    ];
    assert_eq!(told, expected);
    let other = api.sign_in("globex", "admin").await;
    let foreign = other.get(&format!("/api/executions/{id}/explain")).await;
    assert_eq!(refusal(&foreign), (404, "not_found"));
}
