//! Overrides brought up to what Global has, and given up.

use crate::common::{Api, canonical, refusal};
use domain::Scope;
use reqwest::{Method, header};
use serde_json::{Value, json};
use testkit::{Client, Reply};

const PATH: &str = "shared/halopsa.py";
const REBASE: &str = "/api/files/rebase/shared/halopsa.py";
const BASE: &str = "A = 1\n\nB = 1\n\nC = 1\n";

async fn overridden(own: &str, global: &str) -> (Api, Client) {
    let api = Api::new().await;
    api.world.write(Scope::Global, PATH, BASE).await;
    api.world.write(api.world.acme, PATH, own).await;
    api.world.write(Scope::Global, PATH, global).await;
    let ops = api.sign_in("acme", "ops").await;
    (api, ops)
}

async fn revert(client: &Client, path: &str, if_match: Option<&str>) -> Reply {
    let mut request = client.request(Method::POST, &format!("/api/files/revert/{path}"));
    if let Some(tag) = if_match {
        request = request.header(header::IF_MATCH, tag);
    }
    client.send(request).await
}

#[tokio::test]
async fn what_both_changed_in_different_places_comes_together() {
    let own = BASE.replace("A = 1", "A = 2");
    let global = BASE.replace("C = 1", "C = 3");
    let (_api, ops) = overridden(&own, &global).await;
    let proposal = ops.get(REBASE).await;
    let side = |scope: &str, version: u32| json!({"scope": scope, "version": version, "hash": "<hash>", "size": BASE.len()});
    let together = own.replace("C = 1", "C = 3");
    let expected = json!({
        "path": PATH, "base": side("global", 1), "own": side("org", 1), "global": side("global", 2),
        "content": together, "conflicts": 0,
    });
    assert_eq!((proposal.status, canonical(&proposal.body)), (200, expected));
    let unchanged = ops.get(&format!("/api/files/content/{PATH}")).await.body;
    assert_eq!(unchanged["content"], json!(own), "asking changes nothing");

    let stale = ops.post(REBASE, &json!({"own": 2, "global": 2})).await;
    assert_eq!(refusal(&stale), (404, "not_found"), "there is no such version");
    let applied = ops.post(REBASE, &json!({"own": 1, "global": 2})).await;
    assert_eq!((applied.status, &applied.body["version"]), (200, &json!(2)), "{applied:?}");
    let now = ops.get(&format!("/api/files/content/{PATH}")).await.body;
    assert_eq!(now["content"], json!(together));
    let item = ops.get("/api/overrides").await.body["items"][0].clone();
    assert_eq!((&item["base"]["version"], &item["drift"]), (&json!(2), &json!(false)));
    let stale = ops.post(REBASE, &json!({"own": 1, "global": 2})).await;
    assert_eq!(refusal(&stale), (412, "stale"));
}

#[tokio::test]
async fn where_both_changed_the_same_somebody_chooses() {
    let (_api, ops) =
        overridden(&BASE.replace("B = 1", "B = 2"), &BASE.replace("B = 1", "B = 3")).await;
    let proposal = ops.get(REBASE).await.body;
    let content = "A = 1\n\n<<<<<<< own@1\nB = 2\n||||||| global@1\nB = 1\n=======\nB = 3\n\
        >>>>>>> global@2\n\nC = 1\n";
    assert_eq!((&proposal["conflicts"], &proposal["content"]), (&json!(1), &json!(content)));
    let body = json!({"own": 1, "global": 2});
    assert_eq!(refusal(&ops.post(REBASE, &body).await), (409, "merge_conflicts"));
    let broken = json!({"own": 1, "global": 2, "content": "syntax error"});
    assert_eq!(refusal(&ops.post(REBASE, &broken).await), (422, "syntax_error"));
    let chosen = json!({"own": 1, "global": 2, "content": BASE.replace("B = 1", "B = 4")});
    assert_eq!(ops.post(REBASE, &chosen).await.status, 200);
    let drift = ops.get("/api/overrides").await.body["items"][0]["drift"].clone();
    assert_eq!(drift, json!(false));
}

#[tokio::test]
async fn to_keep_what_one_has_is_a_rebase_too() {
    let own = BASE.replace("B = 1", "B = 2");
    let (_api, ops) = overridden(&own, &BASE.replace("B = 1", "B = 3")).await;
    let kept = ops.post(REBASE, &json!({"own": 1, "global": 2, "content": own})).await;
    assert_eq!((kept.status, &kept.body["version"]), (200, &json!(1)), "no new version");
    let item = ops.get("/api/overrides").await.body["items"][0].clone();
    assert_eq!((&item["base"]["version"], &item["drift"]), (&json!(2), &json!(false)));
}

#[tokio::test]
async fn an_override_is_given_up_and_nothing_else_is() {
    let (api, ops) = overridden("x = 1\n", "x = 2\n").await;
    assert_eq!(refusal(&revert(&ops, PATH, None).await), (428, "if_match_required"));
    assert_eq!(refusal(&revert(&ops, PATH, Some("\"7\"")).await), (412, "stale"));
    assert_eq!(revert(&ops, PATH, Some("\"1\"")).await.status, 204);
    let now = ops.get(&format!("/api/files/content/{PATH}")).await.body;
    assert_eq!((&now["scope"], &now["content"]), (&json!("global"), &json!("x = 2\n")));
    assert_eq!(refusal(&revert(&ops, PATH, Some("*")).await), (404, "not_found"));
    ops.put_file("own.py", "x = 1\n").await;
    assert_eq!(refusal(&revert(&ops, "own.py", Some("*")).await), (409, "no_override"));
    assert_eq!(refusal(&ops.get("/api/files/rebase/own.py").await), (404, "not_found"));
    let other = api.sign_in("globex", "ops").await;
    assert_eq!(refusal(&revert(&other, "own.py", Some("*")).await), (404, "not_found"));
    let empty: Value = ops.get("/api/overrides").await.body["items"].clone();
    assert_eq!(empty, json!([]));
}
