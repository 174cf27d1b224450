//! The history of files, and going back in it.

use crate::common::{Api, canonical, refusal};
use serde_json::{Value, json};

#[tokio::test]
async fn every_write_and_deletion_is_remembered_and_can_be_restored() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    ops.put_file("a.py", "n = 1\n").await;
    ops.put_file("a.py", "n = 2\n").await;
    ops.delete_file("a.py").await;
    let restored = ops.post("/api/files/restore/a.py", &json!({"version": 1})).await;
    assert_eq!((restored.status, &restored.body["version"]), (201, &json!(4)));
    assert_eq!(ops.get("/api/files/content/a.py").await.body["content"], "n = 1\n");
    assert_eq!(ops.get("/api/files/content/a.py?version=2").await.body["content"], "n = 2\n");

    let version = |version: u32, hash: Value, size: u32, message: Value| {
        json!({
            "version": version, "hash": hash, "size": size, "message": message, "source": "api",
            "author": "ops@acme.test", "created_at": "2023-11-14T22:13:20.000000Z",
        })
    };
    let history = ops.get("/api/files/versions/a.py").await.body;
    let hash = || json!("<hash>");
    let mut deleted = version(3, Value::Null, 0, Value::Null);
    deleted["source"] = history["items"][1]["source"].clone();
    let expected = json!({
        "items": [
            version(4, hash(), 6, json!("restore version 1")), deleted,
            version(2, hash(), 6, Value::Null), version(1, hash(), 6, Value::Null),
        ],
        "next_cursor": null,
    });
    assert_eq!(canonical(&history), expected);
    let page = ops.get("/api/files/versions/a.py?limit=3").await.body;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = ops.get(&format!("/api/files/versions/a.py?limit=3&cursor={cursor}")).await.body;
    assert_eq!(rest["items"], json!([history["items"][3]]));
}

#[tokio::test]
async fn a_restore_of_what_is_not_ones_own_is_not_there() {
    let api = Api::new().await;
    api.world.write(domain::Scope::Global, "a.py", "n = 1\n").await;
    api.world.write(api.world.globex, "b.py", "n = 1\n").await;
    let ops = api.sign_in("acme", "ops").await;
    for path in ["a.py", "b.py", "nothing.py"] {
        let reply = ops.post(&format!("/api/files/restore/{path}"), &json!({"version": 1})).await;
        assert_eq!(refusal(&reply), (404, "not_found"), "{path}");
    }
    assert_eq!(ops.get("/api/files/versions/a.py").await.status, 200, "Global's may be read");
    assert_eq!(refusal(&ops.get("/api/files/versions/b.py").await), (404, "not_found"));
    let reply = ops.post("/api/files/restore/a.py", &json!({"version": "1"})).await;
    assert_eq!(reply.body["errors"][0]["pointer"], "/version");
}
