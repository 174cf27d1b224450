//! `GET /api/system/isolation`: the walls around runs, for the provider acting in Global.

use crate::common::Api;
use serde_json::json;

#[tokio::test]
async fn the_provider_sees_each_wall_and_nobody_else_does() {
    let api = Api::new().await;
    let shown = api.acting(None).await.get("/api/system/isolation").await;
    let wanted = json!({
        "whole": true,
        "walls": [
            { "name": "system_calls", "required": true, "holds": true, "how": "a filter" },
            {
                "name": "machine", "required": false, "holds": false,
                "how": "no device; load the module"
            },
        ],
    });
    assert_eq!((shown.status, shown.body), (200, wanted));
    for client in [api.acting(Some("acme")).await, api.sign_in("acme", "admin").await] {
        assert_eq!(client.get("/api/system/isolation").await.status, 403);
    }
    api::metrics::walls(&crate::common::isolation());
    let text = reqwest::get(format!("{}/metrics", api.url)).await.unwrap().text().await.unwrap();
    for line in [
        "bifrost_isolation_wall{wall=\"system_calls\",required=\"yes\"} 1",
        "bifrost_isolation_wall{wall=\"machine\",required=\"no\"} 0",
    ] {
        assert!(text.contains(line), "`{line}` is not in\n{text}");
    }
}
