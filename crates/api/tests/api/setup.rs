//! The one-time link that makes the provider's first admin.

use crate::common::{Api, PASSWORD, refusal};
use api::setup_token::{LIFETIME, SetupToken};
use serde_json::{Value, json};
use store::Reason;
use testkit::{Reply, world::NOW};

/// A link as `serve` makes it: its word.
async fn link(api: &Api) -> String {
    let token = SetupToken::new().unwrap();
    let system = api.world.store.system(Reason::SignIn);
    assert!(system.renew_setup_link(token.hash(), NOW.after(LIFETIME)).await.unwrap());
    token.link("").split_once("/setup#token=").unwrap().1.to_owned()
}

async fn use_link(api: &Api, token: &str, email: &str) -> Reply {
    let body = json!({"token": token, "email": email, "password": PASSWORD});
    api.anonymous().post("/api/auth/setup", &body).await
}

#[tokio::test]
async fn the_link_makes_one_admin_once() {
    let api = Api::new().await;
    let token = link(&api).await;
    let made = use_link(&api, &token, "Boss@provider.test").await;
    assert_eq!(made.status, 201, "{made:?}");
    let client = testkit::Client::new(&api.url, made.body["access_token"].as_str());
    let me = client.get("/api/auth/me").await.body;
    assert_eq!(
        (&me["user"]["email"], &me["role"]),
        (&json!("boss@provider.test"), &json!("admin"))
    );
    assert_eq!(me["organization"]["slug"], "provider");
    assert_eq!(api.login("provider", "boss@provider.test", PASSWORD).await.status, 200);
    let again = use_link(&api, &token, "other@provider.test").await;
    assert_eq!(refusal(&again), (401, "bad_setup_token"));
    let system = api.world.store.system(Reason::SignIn);
    let useless = system.renew_setup_link([1; 32], NOW.after(LIFETIME)).await.unwrap();
    assert!(!useless, "nobody needs one any more");
}

#[tokio::test]
async fn a_link_is_void_after_a_day_a_newer_one_or_any_user() {
    let api = Api::new().await;
    let older = link(&api).await;
    let newer = link(&api).await;
    assert_eq!(refusal(&use_link(&api, &older, "a@b.test").await), (401, "bad_setup_token"));
    for wrong in ["", "x", &newer[1..]] {
        assert_eq!(refusal(&use_link(&api, wrong, "a@b.test").await), (401, "bad_setup_token"));
    }
    api.clock.push(24 * 60 * 60);
    assert_eq!(refusal(&use_link(&api, &newer, "a@b.test").await), (401, "bad_setup_token"));
    api.clock.push(-1);
    api.person("provider", "viewer").await;
    assert_eq!(refusal(&use_link(&api, &newer, "a@b.test").await), (401, "bad_setup_token"));
}

#[tokio::test]
async fn what_is_wrong_with_the_admin_leaves_the_link_good() {
    let api = Api::new().await;
    let token = link(&api).await;
    for (email, password, pointer) in
        [("nobody", PASSWORD, "/email"), ("a@b.test", "short", "/password")]
    {
        let body = json!({"token": token, "email": email, "password": password});
        let reply = api.anonymous().post("/api/auth/setup", &body).await;
        assert_eq!((reply.status, &reply.body["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
    let (one, two) = tokio::join!(
        use_link(&api, &token, "one@provider.test"),
        use_link(&api, &token, "two@provider.test")
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401], "two at once make one");
}

#[tokio::test]
async fn guessing_is_slow() {
    let api = Api::new().await;
    let mut refused = None;
    for _ in 0..61 {
        refused = Some(use_link(&api, "guess", "a@b.test").await);
    }
    assert_eq!(refusal(&refused.unwrap()), (429, "too_many_attempts"));
}

#[tokio::test]
async fn the_page_runs_its_own_script_and_nothing_else() {
    let api = Api::new().await;
    let get = async |path: &str| reqwest::get(format!("{}{path}", api.url)).await.unwrap();
    let page = get("/setup").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let expected = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
                    form-action 'none'; frame-ancestors 'none'";
    assert_eq!(policy, expected);
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    let text = page.text().await.unwrap();
    assert!(text.contains("<script src=\"/setup.js\" defer></script>"));
    assert!(!text.contains("style=") && !text.contains("onclick"), "{text}");
    let script = get("/setup.js").await;
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    let missing: Value = get("/setup.css").await.json().await.unwrap();
    assert_eq!(missing["code"], "not_found");
}
