//! What a module name means.

use crate::common::{Api, canonical};
use serde_json::{Value, json};

#[tokio::test]
async fn explain_names_the_winner_and_the_reason() {
    let api = Api::new().await;
    api.world.write(domain::Scope::Global, "shared/halopsa.py", "x = 1\n").await;
    api.world.write(api.world.acme, "shared/halopsa.py", "x = 2\n").await;
    let viewer = api.sign_in("acme", "viewer").await;
    let own = json!({
        "scope": "org", "pinned": false, "path": "shared/halopsa.py", "form": "module", "version": 1,
        "hash": "<hash>", "chosen": true, "reason": "the organization's own file wins",
    });
    let mut global = own.clone();
    global["scope"] = json!("global");
    global["chosen"] = json!(false);
    let reply = viewer.get("/api/modules/explain?name=shared.halopsa").await;
    let expected = json!({"name": "shared.halopsa", "winner": own, "candidates": [own, global]});
    assert_eq!((reply.status, canonical(&reply.body)), (200, expected));

    let reply = viewer.get("/api/modules/explain?name=nothing.here").await;
    let expected = json!({"name": "nothing.here", "winner": null, "candidates": []});
    assert_eq!((reply.status, reply.body), (200, expected));
    let space = viewer.get("/api/modules/explain?name=shared").await.body;
    assert_eq!(space["winner"]["form"], "namespace");
    assert_eq!(space["winner"]["version"], Value::Null);
    let other = api.sign_in("globex", "viewer").await;
    let reply = other.get("/api/modules/explain?name=shared.halopsa").await.body;
    assert_eq!(reply["candidates"].as_array().unwrap().len(), 1, "Acme's is not seen");
}

#[tokio::test]
async fn what_is_no_name_is_said() {
    let api = Api::new().await;
    let viewer = api.sign_in("acme", "viewer").await;
    let reply = viewer.get("/api/modules/explain?name=a-b").await;
    assert_eq!((reply.status, &reply.body["errors"][0]["pointer"]), (422, &json!("/name")));
    assert_eq!(viewer.get("/api/modules/explain").await.status, 400);
}
