//! Health and public keys.

use crate::common::Api;
use serde_json::json;

#[tokio::test]
async fn the_server_lives_and_can_serve() {
    let api = Api::new().await;
    for path in ["/healthz", "/readyz"] {
        let reply = api.anonymous().get(path).await;
        assert_eq!((reply.status, reply.body), (200, json!({"status": "ok"})), "{path}");
    }
}

#[tokio::test]
async fn the_public_keys_are_public_and_only_those() {
    let api = Api::new().await;
    let keys = api.anonymous().get("/.well-known/jwks.json").await.body;
    let key = keys["keys"][0].as_object().unwrap();
    let names: Vec<_> = key.keys().map(String::as_str).collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}
