//! The audit over HTTP: who sees what of it, and that refusals are in it.

use crate::common::{Api, refusal};
use serde_json::{Value, json};
use testkit::Client;
use uuid::Uuid;

/// `ACTOR ACTION OBJECT VERDICT` of each entry, oldest first.
fn told(page: &Value) -> Vec<String> {
    let word = |it: &Value| it.as_str().unwrap().to_owned();
    let line = |it: &Value| {
        [&it["actor"]["name"], &it["action"], &it["object"], &it["verdict"]].map(word).join(" ")
    };
    page["items"].as_array().unwrap().iter().rev().map(line).collect()
}

/// Waits until `count` entries of `action` are there.
async fn denials(admin: &Client, action: &str, count: usize) -> Value {
    testkit::eventually("denials in the audit", async || {
        let page = admin.get(&format!("/api/audit?action={action}")).await.body;
        (page["items"].as_array().unwrap().len() >= count).then_some(page)
    })
    .await
}

#[tokio::test]
async fn an_admin_reads_what_people_and_staff_did_and_nobody_elses() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    ops.put_file("a.py", "1").await;
    let staff = api.acting(Some("acme")).await;
    staff.put_file("a.py", "2").await;
    let admin = api.sign_in("acme", "admin").await;
    let page = admin.get("/api/audit").await;
    assert_eq!(page.status, 200, "{page:?}");
    let expected = [
        "operator organization.create acme done",
        "operator user.create ops@acme.test done",
        "ops@acme.test auth.sign_in ops@acme.test done",
        "ops@acme.test file.write a.py done",
        "admin@provider.test auth.act acme done",
        "admin@provider.test file.write a.py done",
        "operator user.create admin@acme.test done",
        "admin@acme.test auth.sign_in admin@acme.test done",
    ];
    assert_eq!(told(&page.body), expected);
    let by_staff = &page.body["items"][2];
    assert_eq!(by_staff["reason"], "a test");
    assert!(by_staff["acting_from"].is_string(), "{by_staff}");
    assert_eq!(by_staff["detail"]["version"], 2);
    let globex = api.sign_in("globex", "admin").await;
    let theirs = told(&globex.get("/api/audit").await.body).join("\n");
    assert!(!theirs.contains("acme"), "{theirs}");
    assert_eq!(refusal(&ops.get("/api/audit").await), (403, "forbidden"));
}

#[tokio::test]
async fn pages_go_back_in_time_without_gaps() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    for n in 0..5 {
        admin.put_file(&format!("f{n}.py"), "1").await;
    }
    let (mut cursor, mut seqs) = (String::new(), Vec::new());
    loop {
        let page = admin.get(&format!("/api/audit?limit=2&action=file.{cursor}")).await.body;
        seqs.extend(page["items"].as_array().unwrap().iter().map(|it| it["seq"].as_i64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seqs, [8, 7, 6, 5, 4]);
}

#[tokio::test]
async fn refusals_are_in_the_audit_of_whoever_was_refused_and_foreign_looks_like_missing() {
    let api = Api::new().await;
    let admin = api.sign_in("acme", "admin").await;
    let theirs = api.person("globex", "viewer").await;
    let missing = Uuid::now_v7();
    for id in [theirs.0, missing, missing] {
        let change = json!({ "name": "x" });
        let path = format!("/api/users/{id}");
        let reply = admin.send(admin.request(reqwest::Method::PATCH, &path).json(&change)).await;
        assert_eq!(refusal(&reply), (404, "not_found"));
    }
    let page = denials(&admin, "access", 2).await;
    let line = |id: Uuid| format!("admin@acme.test access PATCH /api/users/{id} denied");
    assert_eq!(told(&page), [line(theirs.0), line(missing)]);
    let because: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|it| &it["detail"]).collect();
    assert_eq!(because[0], because[1]);

    let act = admin.post("/api/auth/act", &json!({"organization": "globex", "reason": "x"})).await;
    assert_eq!(refusal(&act), (403, "may_not_act"));
    let page = denials(&admin, "auth.act", 1).await;
    assert_eq!(told(&page), ["admin@acme.test auth.act globex denied"]);

    let viewer = api.sign_in("acme", "viewer").await;
    assert_eq!(viewer.put_file("a.py", "1").await.status, 403);
    let page = denials(&admin, "access", 3).await;
    assert_eq!(page["items"][0]["detail"], json!({ "because": "role" }));
    let globex = api.sign_in("globex", "admin").await;
    assert!(told(&globex.get("/api/audit").await.body).iter().all(|line| !line.contains("denied")));
}
