//! Signing in, staying signed in, signing out, acting.

use crate::common::{Api, PASSWORD, canonical, problem, refusal};
use domain::{Access, OrganizationId, Scope};
use serde_json::{Value, json};
use store::{OrganizationChange, OrganizationStatus, Reason, UserChange};
use testkit::world::NOW;

fn shape(body: &Value) -> Value {
    let mut body = body.clone();
    for secret in ["access_token", "refresh_token"] {
        if body[secret].is_string() {
            body[secret] = json!("<token>");
        }
    }
    body
}

#[tokio::test]
async fn a_password_gives_tokens_and_me_says_who() {
    let api = Api::new().await;
    api.person("acme", "ops").await;
    let reply = api.login("acme", "OPS@acme.test", PASSWORD).await;
    assert_eq!(reply.status, 200);
    let expected = json!({
        "access_token": "<token>", "token_type": "Bearer", "expires_in": 900,
        "refresh_token": "<token>",
    });
    assert_eq!(shape(&reply.body), expected);
    let me = api.with_token(&reply).get("/api/auth/me").await;
    let expected = json!({
        "user": {"id": "<id>", "email": "ops@acme.test", "name": "The ops"},
        "organization": {"id": "<id>", "slug": "acme", "name": "Acme"},
        "role": "ops", "acting_from": null,
    });
    assert_eq!((me.status, canonical(&me.body)), (200, expected));
}

#[tokio::test]
async fn whatever_is_wrong_the_reply_is_the_same() {
    let api = Api::new().await;
    api.person("acme", "ops").await;
    let expected = problem(
        401,
        "Unauthorized",
        "wrong_credentials",
        "organization, address or password is wrong",
    );
    for (organization, email, password) in [
        ("acme", "ops@acme.test", "wrong"),
        ("acme", "nobody@acme.test", PASSWORD),
        ("globex", "ops@acme.test", PASSWORD),
        ("nowhere", "ops@acme.test", PASSWORD),
        ("global", "ops@acme.test", PASSWORD),
        ("NOT A SLUG", "not an address", ""),
    ] {
        let reply = api.login(organization, email, password).await;
        assert_eq!((reply.status, canonical(&reply.body)), (401, expected.clone()));
    }
}

#[tokio::test]
async fn suspended_organizations_and_inactive_people_look_unknown() {
    let api = Api::new().await;
    let id = api.person("acme", "ops").await;
    let change = UserChange { active: Some(false), ..UserChange::default() };
    api.world.scoped(api.world.acme).update_user(id, change, NOW).await.unwrap();
    let reply = api.login("acme", "ops@acme.test", PASSWORD).await;
    assert_eq!(refusal(&reply), (401, "wrong_credentials"));

    api.person("globex", "ops").await;
    suspend(&api, api.world.globex).await;
    let reply = api.login("globex", "ops@globex.test", PASSWORD).await;
    assert_eq!(refusal(&reply), (401, "wrong_credentials"));
}

async fn suspend(api: &Api, scope: Scope) {
    let status = Some(OrganizationStatus::Suspended);
    let system = api.world.store.system(Reason::Organizations);
    let id: OrganizationId = scope.organization().unwrap();
    let change = OrganizationChange { name: None, status };
    let by = Access::for_operator(Scope::Global);
    system.update_organization(id, change, &by, NOW).await.unwrap();
}

#[tokio::test]
async fn the_eleventh_wrong_password_has_to_wait() {
    let api = Api::new().await;
    api.person("acme", "ops").await;
    for _ in 0..10 {
        assert_eq!(api.login("acme", "ops@acme.test", "wrong").await.status, 401);
    }
    let request = api.anonymous().request(reqwest::Method::POST, "/api/auth/login");
    let body = json!({"organization": "acme", "email": "ops@acme.test", "password": PASSWORD});
    let response = request.json(&body).send().await.unwrap();
    assert_eq!(response.status(), 429, "even the right one");
    assert_eq!(response.headers()["retry-after"], "30");
    api.clock.push(30);
    assert_eq!(api.login("acme", "ops@acme.test", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn refresh_tokens_rotate_and_reuse_ends_the_family() {
    let api = Api::new().await;
    api.person("acme", "ops").await;
    let first = api.login("acme", "ops@acme.test", PASSWORD).await;
    let refresh = async |token: &Value| {
        api.anonymous().post("/api/auth/refresh", &json!({"refresh_token": token})).await
    };
    let second = refresh(&first.body["refresh_token"]).await;
    assert_eq!((second.status, shape(&second.body)), (200, shape(&first.body)));
    assert_eq!(api.with_token(&second).get("/api/auth/me").await.status, 200);

    let reused = refresh(&first.body["refresh_token"]).await;
    assert_eq!(refusal(&reused), (401, "bad_refresh_token"));
    let heir = refresh(&second.body["refresh_token"]).await;
    assert_eq!(refusal(&heir), (401, "bad_refresh_token"), "the whole family is out");
    let access = api.with_token(&second).get("/api/auth/me").await;
    assert_eq!(refusal(&access), (401, "not_signed_in"), "and its access tokens with it");
    for token in [json!("bfr_nonsense"), json!(""), json!(format!("bfr_{}_x", "0".repeat(32)))] {
        assert_eq!(refusal(&refresh(&token).await), (401, "bad_refresh_token"));
    }
}

#[tokio::test]
async fn signing_out_voids_the_refresh_token_and_never_tells() {
    let api = Api::new().await;
    api.person("acme", "ops").await;
    let login = api.login("acme", "ops@acme.test", PASSWORD).await;
    let token = json!({"refresh_token": login.body["refresh_token"]});
    assert_eq!(api.anonymous().post("/api/auth/logout", &token).await.status, 204);
    assert_eq!(api.anonymous().post("/api/auth/logout", &token).await.status, 204);
    let refreshed = api.anonymous().post("/api/auth/refresh", &token).await;
    assert_eq!(refusal(&refreshed), (401, "bad_refresh_token"));
    let access = api.with_token(&login).get("/api/auth/me").await;
    assert_eq!(refusal(&access), (401, "not_signed_in"));
}

#[tokio::test]
async fn signing_out_ends_one_sign_in_and_what_acts_by_it_and_no_other() {
    let api = Api::new().await;
    api.person("provider", "admin").await;
    let [here, elsewhere] =
        [(); 2].map(|()| api.login("provider", "admin@provider.test", PASSWORD));
    let (here, elsewhere) = (here.await, elsewhere.await);
    let wish = json!({"organization": "acme", "reason": "x"});
    let acting = api.with_token(&here).post("/api/auth/act", &wish).await;
    let acting = api.with_token(&acting);
    assert_eq!(acting.get("/api/auth/me").await.status, 200);
    let token = json!({"refresh_token": here.body["refresh_token"]});
    assert_eq!(api.anonymous().post("/api/auth/logout", &token).await.status, 204);
    assert_eq!(acting.get("/api/auth/me").await.status, 401);
    assert_eq!(api.with_token(&elsewhere).get("/api/auth/me").await.status, 200);
}

#[tokio::test]
async fn global_is_acted_in_only_when_it_is_said() {
    let api = Api::new().await;
    let admin = api.sign_in("provider", "admin").await;
    for body in [json!({"reason": "x"}), json!({"organisation": "acme", "reason": "x"})] {
        assert_eq!(refusal(&admin.post("/api/auth/act", &body).await), (422, "invalid_input"));
    }
    let missing = admin.post("/api/auth/act", &json!({"reason": "x"})).await;
    assert_eq!(missing.body["errors"][0]["pointer"], "/organization");
}

#[tokio::test]
async fn the_providers_admin_acts_with_a_reason_and_without_refresh() {
    let api = Api::new().await;
    let admin = api.sign_in("provider", "admin").await;
    let reply = admin.post("/api/auth/act", &json!({"organization": "acme", "reason": "x"})).await;
    let expected = json!({"access_token": "<token>", "token_type": "Bearer", "expires_in": 900});
    assert_eq!((reply.status, shape(&reply.body)), (200, expected));

    let acting = api.with_token(&reply);
    let me = acting.get("/api/auth/me").await;
    let expected = json!({
        "user": {"id": "<id>", "email": "admin@provider.test", "name": "The admin"},
        "organization": {"id": "<id>", "slug": "acme", "name": "Acme"}, "role": "admin",
        "acting_from": {"id": "<id>", "slug": "provider", "name": "Provider"},
    });
    assert_eq!(canonical(&me.body), expected);

    let again = acting.post("/api/auth/act", &json!({"organization": null, "reason": "x"})).await;
    assert_eq!(refusal(&again), (403, "may_not_act"));
    let global = api.acting(None).await.get("/api/auth/me").await;
    let expected = json!({"id": null, "slug": "global", "name": "Global"});
    assert_eq!(global.body["organization"], expected);
}

#[tokio::test]
async fn acting_needs_a_reason_a_place_and_the_provider() {
    let api = Api::new().await;
    let admin = api.sign_in("provider", "admin").await;
    let act = async |body: Value| admin.post("/api/auth/act", &body).await;
    for (body, pointer) in [
        (json!({"organization": "acme", "reason": "  "}), "/reason"),
        (json!({"organization": "acme", "reason": "x".repeat(501)}), "/reason"),
        (json!({"organization": "nowhere", "reason": "x"}), "/organization"),
        (json!({"organization": "provider", "reason": "x"}), "/organization"),
    ] {
        let reply = act(body).await;
        assert_eq!(reply.status, 422);
        assert_eq!(reply.body["errors"][0]["pointer"], pointer);
    }
    let outsider = api.sign_in("acme", "admin").await;
    let reply = outsider.post("/api/auth/act", &json!({"organization": null, "reason": "x"})).await;
    assert_eq!(refusal(&reply), (403, "may_not_act"));
    let ops = api.sign_in("provider", "ops").await;
    let reply = ops.post("/api/auth/act", &json!({"organization": null, "reason": "x"})).await;
    assert_eq!(refusal(&reply), (403, "forbidden"));
}

#[tokio::test]
async fn tokens_end_with_what_they_stand_for() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    let acting = api.acting(Some("globex")).await;
    let admin = api.sign_in("acme", "admin").await;
    for client in [&ops, &acting, &admin] {
        assert_eq!(client.get("/api/auth/me").await.status, 200);
    }
    let id = api.person("acme", "ops").await;
    let change = UserChange { role: Some(domain::Role::Viewer), ..UserChange::default() };
    api.world.scoped(api.world.acme).update_user(id, change, NOW).await.unwrap();
    suspend(&api, api.world.globex).await;
    api.forget_sessions().await;
    assert_eq!(refusal(&ops.get("/api/auth/me").await), (401, "not_signed_in"), "old epoch");
    assert_eq!(refusal(&acting.get("/api/auth/me").await), (401, "not_signed_in"), "suspended");
    assert_eq!(admin.get("/api/auth/me").await.status, 200);
    api.clock.push(931);
    assert_eq!(refusal(&admin.get("/api/auth/me").await), (401, "not_signed_in"), "expired");
}

#[tokio::test]
async fn refreshing_without_a_good_token_is_limited_by_address() {
    let api = Api::new().await;
    api.person("acme", "ops").await;
    let mut login = api.login("acme", "ops@acme.test", PASSWORD).await;
    let refresh = async |token: &Value| {
        api.anonymous().post("/api/auth/refresh", &json!({"refresh_token": token})).await
    };
    for _ in 0..70 {
        login = refresh(&login.body["refresh_token"]).await;
        assert_eq!(login.status, 200, "good ones cost nothing");
    }
    for _ in 0..60 {
        assert_eq!(refusal(&refresh(&json!("guess")).await), (401, "bad_refresh_token"));
    }
    assert_eq!(refusal(&refresh(&json!("guess")).await), (429, "too_many_attempts"));
}

#[tokio::test]
async fn tokens_of_organizations_that_are_gone_open_nothing() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    let acting = api.acting(Some("acme")).await;
    let system = api.world.store.system(Reason::Organizations);
    let id = api.world.acme.organization().unwrap();
    system.begin_purge(id, &domain::Access::for_operator(Scope::Global), NOW).await.unwrap();
    system.purge(id).await.unwrap();
    api.forget_sessions().await;
    for client in [ops, acting] {
        assert_eq!(refusal(&client.get("/api/files").await), (401, "not_signed_in"));
    }
}

/// What an attacker with a good token of their own would send.
#[tokio::test]
async fn edited_and_foreign_tokens_open_nothing() {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as B64};
    let (api, elsewhere) = (Api::new().await, Api::new().await);
    for api in [&api, &elsewhere] {
        api.person("acme", "viewer").await;
    }
    let login = api.login("acme", "viewer@acme.test", PASSWORD).await;
    let token = login.body["access_token"].as_str().unwrap();
    let parts: Vec<_> = token.split('.').collect();
    let read = |part: &str| serde_json::from_slice::<Value>(&B64.decode(part).unwrap()).unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = read(parts[1]);
        claims[name] = value;
        format!("{}.{}.{}", parts[0], B64.encode(claims.to_string()), parts[2])
    };
    let unsigned = B64.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let foreign = elsewhere.login("acme", "viewer@acme.test", PASSWORD).await;
    for bad in [
        with("role", json!("admin")),
        with("org_id", json!(api.world.globex.column())),
        with("org_id", json!(uuid::Uuid::nil())),
        with("exp", json!(4_000_000_000u64)),
        format!("{unsigned}.{}.", parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        foreign.body["access_token"].as_str().unwrap().to_owned(),
        login.body["refresh_token"].as_str().unwrap().to_owned(),
    ] {
        let client = testkit::Client::new(&api.url, Some(&bad));
        assert_eq!(refusal(&client.get("/api/auth/me").await), (401, "not_signed_in"), "{bad}");
    }
    assert_eq!(api.with_token(&login).get("/api/auth/me").await.status, 200);
}

#[tokio::test]
async fn signing_in_keeps_nobody_else_waiting() {
    // One thread serves everything here: hashing on it would let nothing else be answered.
    let api = Api::new().await;
    api.person("acme", "ops").await;
    let logins = (0..10).map(|_| api.login("acme", "ops@acme.test", PASSWORD));
    let mut logins = std::pin::pin!(futures_util::future::join_all(logins));
    let (mut answered, anonymous) = (0, api.anonymous());
    let replies = loop {
        tokio::select! {
            biased;
            replies = &mut logins => break replies,
            health = anonymous.get("/healthz") => {
                assert_eq!(health.status, 200);
                answered += 1;
            }
        }
    };
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(answered >= 10, "only {answered} in the time of ten sign-ins");
}
