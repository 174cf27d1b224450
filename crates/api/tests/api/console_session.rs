//! The console's cookie: kept from scripts and other sites, revoked like tokens, acts like tokens.

use crate::common::{Api, PASSWORD, canonical, refusal};
use api::scoped_secret::ScopedSecret;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use store::Reason;
use testkit::{Client, Reply, world::NOW};

/// A browser that signed in.
struct Browser {
    client: Client,
    cookie: String,
    csrf: String,
}

struct Answer {
    reply: Reply,
    set_cookie: Option<String>,
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let set_cookie = response.headers().get("set-cookie");
    let set_cookie = set_cookie.map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    let body = serde_json::from_str(&body).unwrap_or(Value::Null);
    Answer { reply: Reply { status, etag: None, body }, set_cookie }
}

impl Browser {
    async fn sign_in(api: &Api, organization: &str, role: &str) -> Self {
        api.person(organization, role).await;
        let email = format!("{role}@{organization}.test");
        let login = json!({"organization": organization, "email": email, "password": PASSWORD});
        let client = api.anonymous();
        let request = client.request(Method::POST, "/api/auth/session").json(&login);
        let answer = answer(request).await;
        assert_eq!(answer.reply.status, 200, "{:?}", answer.reply);
        let mut browser = Self { client, cookie: String::new(), csrf: String::new() };
        browser.keep(&answer);
        browser
    }

    fn keep(&mut self, answer: &Answer) {
        let set = answer.set_cookie.as_ref().expect("a cookie");
        assert!(
            set.contains("; Path=/; ") && set.ends_with("; HttpOnly; SameSite=Strict"),
            "{set}"
        );
        self.cookie = set.split(';').next().unwrap().to_owned();
        self.csrf = answer.reply.body["csrf_token"].as_str().unwrap().to_owned();
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, path).header("cookie", &self.cookie)
    }

    /// What the server knows the session by.
    fn secret(&self) -> ScopedSecret {
        let text = self.cookie.split_once('=').unwrap().1;
        ScopedSecret::parse("bfc_", text).unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        answer(self.request(Method::GET, path)).await.reply
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header("x-csrf-token", &self.csrf);
        answer(request.json(body)).await
    }
}

#[tokio::test]
async fn a_cookie_opens_what_a_token_opens_and_says_who() {
    let api = Api::new().await;
    let browser = Browser::sign_in(&api, "acme", "ops").await;
    let me = json!({
        "user": {"id": "<id>", "email": "ops@acme.test", "name": "The ops"},
        "organization": {"id": "<id>", "slug": "acme", "name": "Acme"},
        "role": "ops", "acting_from": null,
    });
    assert_eq!(canonical(&browser.get("/api/auth/me").await.body), me);
    let session = browser.get("/api/auth/session").await;
    assert_eq!(session.body["csrf_token"], browser.csrf);
    assert_eq!(session.body["organization"]["slug"], "acme");
    let token = api.sign_in("acme", "ops").await;
    let reply = token.get("/api/auth/session").await;
    assert_eq!(refusal(&reply), (409, "no_cookie_session"));
}

#[tokio::test]
async fn what_changes_something_needs_the_word_of_this_very_session() {
    let api = Api::new().await;
    let browser = Browser::sign_in(&api, "acme", "ops").await;
    let other = Browser::sign_in(&api, "acme", "ops").await;
    let put = |csrf: Option<&str>| {
        let request = browser.request(Method::PUT, "/api/files/content/a.py");
        let request = request.json(&json!({"content": "x = 1\n"})).header("if-match", "*");
        csrf.map_or_else(
            || request.try_clone().unwrap(),
            |word| request.try_clone().unwrap().header("x-csrf-token", word),
        )
    };
    for word in [None, Some(""), Some("x"), Some(other.csrf.as_str())] {
        assert_eq!(refusal(&answer(put(word)).await.reply), (403, "csrf"), "{word:?}");
    }
    assert_eq!(browser.get("/api/files").await.body["items"], json!([]), "nothing was written");
    assert_eq!(answer(put(Some(&browser.csrf))).await.reply.status, 201);
}

#[tokio::test]
async fn two_credentials_at_once_are_refused() {
    let api = Api::new().await;
    let browser = Browser::sign_in(&api, "acme", "ops").await;
    let token = api.sign_in("globex", "ops").await;
    let request = token.request(Method::GET, "/api/auth/me").header("cookie", &browser.cookie);
    assert_eq!(refusal(&answer(request).await.reply), (400, "two_credentials"));
    let request = browser.request(Method::GET, "/api/auth/me").header("cookie", &browser.cookie);
    assert_eq!(answer(request).await.reply.status, 401, "two cookies");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_the_cookie() {
    let api = Api::new().await;
    let browser = Browser::sign_in(&api, "acme", "ops").await;
    let request = browser.request(Method::DELETE, "/api/auth/session");
    let out = answer(request.header("x-csrf-token", &browser.csrf)).await;
    assert_eq!(out.reply.status, 204);
    assert!(out.set_cookie.unwrap().starts_with("bifrost_session=; Path=/; Max-Age=0;"));
    assert_eq!(browser.get("/api/auth/me").await.status, 401);
}

#[tokio::test]
async fn a_session_slides_for_twelve_hours_and_ends_after_seven_days() {
    let api = Api::new().await;
    let idle = Browser::sign_in(&api, "acme", "ops").await;
    let busy = Browser::sign_in(&api, "acme", "viewer").await;
    let is_in = async |browser: &Browser| browser.get("/api/auth/me").await.status == 200;
    api.forget_sessions().await;
    api.clock.push(60 * 60);
    assert!(is_in(&busy).await);
    // The use is written down beside the request; remembered sessions know nothing of it.
    api.forget_sessions().await;
    api.clock.push(12 * 60 * 60 - 1);
    assert!(is_in(&busy).await && !is_in(&idle).await, "nobody used the other one");

    let (system, secret) = (api.world.store.system(Reason::Session), busy.secret());
    let six_days = NOW.after(Duration::from_secs((7 * 24 - 1) * 60 * 60));
    system.touch_console_session(secret.scope(), secret.hash(), six_days).await.unwrap();
    api.forget_sessions().await;
    api.clock.push((7 * 24 - 14) * 60 * 60);
    assert!(is_in(&busy).await);
    api.clock.push(60 * 60 + 1);
    assert!(!is_in(&busy).await, "seven days are over");
}

#[tokio::test]
async fn a_new_password_ends_sessions_and_refresh_tokens() {
    let api = Api::new().await;
    let browser = Browser::sign_in(&api, "acme", "ops").await;
    let login = api.login("acme", "ops@acme.test", PASSWORD).await;
    let admin = api.sign_in("acme", "admin").await;
    let path = format!("/api/users/{}", api.person("acme", "ops").await);
    let reply = admin.patch(&path, &json!({"password": "another good one"})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(browser.get("/api/auth/me").await.status, 401);
    let token = json!({"refresh_token": login.body["refresh_token"]});
    assert_eq!(api.anonymous().post("/api/auth/refresh", &token).await.status, 401);
}

#[tokio::test]
async fn acting_gives_another_cookie_and_leaving_a_third() {
    let api = Api::new().await;
    let mut browser = Browser::sign_in(&api, "provider", "admin").await;
    let own = browser.cookie.clone();
    let act = json!({"organization": "acme", "reason": "ticket 7"});
    let acting = browser.post("/api/auth/act", &act).await;
    assert_eq!(acting.reply.status, 200, "{:?}", acting.reply);
    assert_eq!(acting.reply.body["organization"]["slug"], "acme");
    assert_eq!(acting.reply.body["acting_from"]["slug"], "provider");
    browser.keep(&acting);
    let old = browser.client.request(Method::GET, "/api/auth/me").header("cookie", &own);
    assert_eq!(answer(old).await.reply.status, 401, "a cookie never changes what it opens");
    assert_eq!(refusal(&browser.post("/api/auth/act", &act).await.reply), (403, "may_not_act"));
    let audit = browser.get("/api/audit?action=auth.act").await;
    assert_eq!(audit.body["items"][0]["reason"], "ticket 7", "{audit:?}");

    let left = browser.post("/api/auth/session/leave", &json!({})).await;
    assert_eq!((left.reply.status, &left.reply.body["acting_from"]), (200, &Value::Null));
    browser.keep(&left);
    assert_eq!(browser.get("/api/auth/me").await.body["organization"]["slug"], "provider");
    let again = browser.post("/api/auth/session/leave", &json!({})).await;
    assert_eq!(refusal(&again.reply), (409, "not_acting"));

    let acting = browser.post("/api/auth/act", &act).await;
    browser.keep(&acting);
    api.clock.push(60 * 60);
    assert_eq!(browser.get("/api/auth/me").await.status, 401, "acting ends after an hour");
}

#[tokio::test]
async fn wrong_passwords_count_for_both_ways_to_sign_in() {
    let api = Api::new().await;
    api.person("acme", "ops").await;
    let wrong = json!({"organization": "acme", "email": "ops@acme.test", "password": "wrong"});
    for _ in 0..5 {
        let reply = api.anonymous().post("/api/auth/session", &wrong).await;
        assert_eq!(refusal(&reply), (401, "wrong_credentials"));
        assert_eq!(api.login("acme", "ops@acme.test", "wrong").await.status, 401);
    }
    let reply = api.anonymous().post("/api/auth/session", &wrong).await;
    assert_eq!(refusal(&reply), (429, "too_many_attempts"));
}
