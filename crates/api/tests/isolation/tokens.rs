//! Tokens that are not ours, over HTTP: one reply for all of them, whatever is wrong.

use crate::stage::{ACME_SLUG, Stage};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD as PADDED, BASE64_URL_SAFE_NO_PAD as B64},
};
use domain::Scope;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use reqwest::Method;
use serde_json::{Value, json};
use store::{OrganizationChange, OrganizationStatus, Reason, UserChange};
use testkit::{
    document::Draft,
    raw::{Raw, Sender},
    world::create_organization,
};
use uuid::Uuid;

/// Somebody who has the server's own key, and a good token to begin with.
struct Forger {
    key: EncodingKey,
    /// What `/.well-known/jwks.json` publishes of it.
    public: String,
    header: Value,
    claims: Value,
    token: String,
}

fn part(token: &str, at: usize) -> Value {
    let text = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&B64.decode(text).unwrap()).unwrap()
}

impl Forger {
    async fn new(stage: &Stage) -> Self {
        let pem = stage.api.world.directory.path().join("signing-keys/0001.pem");
        let key = EncodingKey::from_ed_pem(&std::fs::read(pem).unwrap()).unwrap();
        stage.api.person(ACME_SLUG, "ops").await;
        let email = format!("ops@{ACME_SLUG}.test");
        let login = stage.api.login(ACME_SLUG, &email, crate::common::PASSWORD).await;
        let token = login.body["access_token"].as_str().unwrap().to_owned();
        let jwks = stage.api.anonymous().get("/.well-known/jwks.json").await.body;
        let public = jwks["keys"][0]["x"].as_str().unwrap().to_owned();
        Self { key, public, header: part(&token, 0), claims: part(&token, 1), token }
    }

    fn signed(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", B64.encode(header), B64.encode(claims));
        let signature = crypto::sign(message.as_bytes(), &self.key, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        self.signed(&self.header.to_string(), &claims.to_string())
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[name] = value;
        self.signed(&header.to_string(), &self.claims.to_string())
    }

    /// The claims with one of them changed under the signature of the good token.
    fn edited(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        let parts: Vec<_> = self.token.split('.').collect();
        format!("{}.{}.{}", parts[0], B64.encode(claims.to_string()), parts[2])
    }
}

type Forged = Vec<(String, String)>;

fn algorithms(forger: &Forger) -> Forged {
    let mut forged = Forged::new();
    let claims = B64.encode(forger.claims.to_string());
    for alg in ["none", "None", "NONE", "nOnE"] {
        let mut header = forger.header.clone();
        header["alg"] = json!(alg);
        let header = B64.encode(header.to_string());
        forged.push((format!("alg {alg}, unsigned"), format!("{header}.{claims}.")));
        let signature = forger.token.rsplit('.').next().unwrap();
        forged.push((format!("alg {alg}"), format!("{header}.{claims}.{signature}")));
    }
    let raw = B64.decode(&forger.public).unwrap();
    let spki =
        [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0], raw.as_slice()].concat();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", PADDED.encode(&spki));
    let secrets = [raw, forger.public.clone().into_bytes(), pem.into_bytes(), spki, Vec::new()];
    for (at, secret) in secrets.iter().enumerate() {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let mut header = forger.header.clone();
            header["alg"] = json!(format!("{algorithm:?}"));
            let message = format!("{}.{claims}", B64.encode(header.to_string()));
            let key = EncodingKey::from_secret(secret);
            let signature = crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
            forged.push((format!("{algorithm:?} {at}"), format!("{message}.{signature}")));
        }
    }
    for alg in ["RS256", "ES256", "PS256", "ed25519", "Ed448", ""] {
        forged.push((format!("alg {alg}"), forger.with_header("alg", json!(alg))));
    }
    forged
}

fn headers(forger: &Forger) -> Forged {
    let mut forged = Forged::new();
    for kid in [
        json!("nobody"),
        json!(""),
        json!(null),
        json!(7),
        json!(["a"]),
        json!("0001"),
        json!("0001.pem"),
        json!("../signing-keys/0001.pem"),
        json!("../../../../../../dev/null"),
        json!("/dev/null"),
        json!("file:///dev/null"),
        json!("' OR 1 = 1 --"),
        json!("x".repeat(4000)),
        json!(format!("{}\u{0}", forger.header["kid"].as_str().unwrap())),
    ] {
        forged.push((format!("kid {kid}"), forger.with_header("kid", kid)));
    }
    for typ in
        [json!("JWT"), json!(null), json!(""), json!("at+jwt2"), json!("refresh+jwt"), json!(1)]
    {
        forged.push((format!("typ {typ}"), forger.with_header("typ", typ)));
    }
    let theirs = EncodingKey::from_ed_der(
        &[
            &[0x30u8, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..],
            &[9; 32],
        ]
        .concat(),
    );
    let mut header = forger.header.clone();
    header["jwk"] = json!({"kty": "OKP", "crv": "Ed25519", "x": B64.encode([9; 32])});
    header["jku"] = json!("https://evil.test/jwks.json");
    header["x5u"] = json!("https://evil.test/cert.pem");
    let message =
        format!("{}.{}", B64.encode(header.to_string()), B64.encode(forger.claims.to_string()));
    let signature = crypto::sign(message.as_bytes(), &theirs, Algorithm::EdDSA).unwrap();
    forged.push(("a key of their own in the header".to_owned(), format!("{message}.{signature}")));
    for (name, value) in [("alg", "none"), ("kid", "nobody"), ("typ", "JWT")] {
        let header = forger.header.to_string();
        let twice = format!("{{\"{name}\":\"{value}\",{}", &header[1..]);
        forged.push((format!("{name} twice"), forger.signed(&twice, &forger.claims.to_string())));
    }
    forged
}

fn claims(forger: &Forger) -> Forged {
    let mut forged = Forged::new();
    let claims = forger.claims.as_object().unwrap().clone();
    for name in claims.keys() {
        for value in [json!(null), json!([]), json!({}), json!(true), json!(-1.5), json!("")] {
            let told = format!("{name} = {value}");
            forged.push((format!("signed, {told}"), forger.with_claim(name, value.clone())));
            forged.push((format!("edited, {told}"), forger.edited(name, value)));
        }
        let mut without = claims.clone();
        let value = without.remove(name).unwrap();
        let without = Value::Object(without).to_string();
        forged
            .push((format!("without {name}"), forger.signed(&forger.header.to_string(), &without)));
        let twice = format!("{{\"{name}\":{value},{}", &forger.claims.to_string()[1..]);
        forged.push((format!("{name} twice"), forger.signed(&forger.header.to_string(), &twice)));
    }
    forged
}

fn values(forger: &Forger, stage: &Stage) -> Forged {
    let (iat, exp) =
        (forger.claims["iat"].as_u64().unwrap(), forger.claims["exp"].as_u64().unwrap());
    let own = forger.claims["org_id"].clone();
    let sub = forger.claims["sub"].clone();
    let act = |org: Value, reason: &str| json!({"sub": sub, "org_id": org, "reason": reason});
    let mut forged: Forged = [
        ("aud", json!("other")),
        ("aud", json!(["bifrost"])),
        ("aud", json!(["bifrost", "other"])),
        ("iss", json!("https://elsewhere.test")),
        ("iss", json!("https://bifrost.test/")),
        ("role", json!("root")),
        ("role", json!("Admin")),
        ("sub", json!(Uuid::from_u128(4))),
        ("org_id", json!(Uuid::nil())),
        ("org_id", json!(stage.globex.column())),
        ("org_id", json!(stage.provider.column())),
        ("org_id", json!(Uuid::from_u128(5))),
        ("epoch", json!(0)),
        ("epoch", json!(99)),
        ("epoch", json!("1")),
        ("iat", json!(iat + 3_000)),
        ("iat", json!(iat.to_string())),
        ("exp", json!(iat - 1_000)),
        ("exp", json!(exp + 1)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(1e300)),
        ("act", act(own.clone(), "x")),
        ("act", act(json!(Uuid::nil()), "x")),
        ("act", act(json!(stage.globex.column()), "x")),
        ("act", act(json!(stage.provider.column()), "x")),
        ("act", act(json!(stage.provider.column()), "")),
    ]
    .into_iter()
    .map(|(name, value)| (format!("{name} = {value}"), forger.with_claim(name, value)))
    .collect();
    let mut expired = forger.claims.clone();
    (expired["iat"], expired["exp"]) = (json!(iat - 2_000), json!(iat - 1_100));
    forged.push((
        "expired".to_owned(),
        forger.signed(&forger.header.to_string(), &expired.to_string()),
    ));
    let mut global = forger.claims.clone();
    (global["org_id"], global["act"]) = (json!(Uuid::nil()), act(own, "x"));
    let text = forger.signed(&forger.header.to_string(), &global.to_string());
    forged.push(("acting in Global from a customer".to_owned(), text));
    forged
}

fn shapes(forger: &Forger) -> Forged {
    let token = &forger.token;
    let parts: Vec<_> = token.split('.').collect();
    let long = forger.with_claim("jti", json!("x".repeat(9_000)));
    [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "null".to_owned(),
        "x".repeat(20_000),
        long,
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{token}."),
        format!("{token}.{}", parts[2]),
        format!("{token}="),
        token[..token.len() - 1].to_owned(),
        format!("{}.{}.{}", parts[1], parts[0], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], B64.encode([0; 64])),
        format!("{token},{token}"),
        format!("\"{token}\""),
    ]
    .into_iter()
    .map(|token| (format!("shape {:.40}", token), token))
    .collect()
}

fn asks(method: Method, target: &str, authorization: &[String]) -> Draft {
    let header = |value: &String| ("authorization".to_owned(), value.clone());
    let (headers, target) = (authorization.iter().map(header).collect(), target.to_owned());
    Draft { method, target, headers, body: None }
}

const PLACES: [(&str, &str); 4] = [
    ("GET", "/api/auth/me"),
    ("GET", "/api/files"),
    ("DELETE", "/api/files/content/a.py"),
    ("GET", "/api/users"),
];

async fn replies(stage: &Stage, authorization: &[String]) -> Vec<Raw> {
    let nobody = Sender::new(&stage.api.url, None);
    let mut replies = Vec::new();
    for (method, target) in PLACES {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        replies.push(nobody.send(&asks(method, target, authorization)).await);
    }
    replies
}

async fn assert_refused(stage: &Stage, what: &str, authorization: &[String], refusal: &str) {
    for reply in replies(stage, authorization).await {
        assert_eq!(reply.status, 401, "{what}: {}", String::from_utf8_lossy(&reply.body));
        assert_eq!(reply.telling(&[]), refusal, "{what}");
    }
}

#[tokio::test]
async fn every_forged_token_gets_the_same_refusal() {
    let stage = Stage::new().await;
    let forger = Forger::new(&stage).await;
    let refusal = replies(&stage, &[]).await[0].telling(&[]);
    assert!(refusal.starts_with("401\n") && refusal.contains("not_signed_in"), "{refusal}");
    let bearer = |token: &str| format!("Bearer {token}");
    let again = forger.signed(&forger.header.to_string(), &forger.claims.to_string());
    for good in [&forger.token, &again] {
        assert_eq!(replies(&stage, &[bearer(good)]).await[0].status, 200, "the forger can sign");
    }
    let forged = [
        algorithms(&forger),
        headers(&forger),
        claims(&forger),
        values(&forger, &stage),
        shapes(&forger),
    ]
    .concat();
    println!("{} forged tokens", forged.len());
    assert!(forged.len() > 200);
    for (what, token) in forged {
        assert_refused(&stage, &what, &[bearer(&token)], &refusal).await;
    }
    let (token, other) = (&forger.token, bearer("x"));
    for (what, authorization) in [
        ("two headers", vec![bearer(token), bearer(token)]),
        ("a good and a bad one", vec![bearer(token), other.clone()]),
        ("a bad and a good one", vec![other, bearer(token)]),
        ("two in one", vec![format!("Bearer {token}, Bearer {token}")]),
        ("no scheme", vec![token.clone()]),
        ("another scheme", vec![format!("Basic {token}")]),
        ("a token of another kind", vec![format!("Token {token}")]),
    ] {
        assert_refused(&stage, what, &authorization, &refusal).await;
    }
    for target in ["access_token", "token", "jwt", "authorization"] {
        let nobody = Sender::new(&stage.api.url, None);
        let draft = asks(Method::GET, &format!("/api/auth/me?{target}={token}"), &[]);
        assert_eq!(nobody.send(&draft).await.status, 401, "{target} in the query");
    }
}

#[tokio::test]
async fn a_token_ends_with_what_it_stands_for() {
    let stage = Stage::new().await;
    let forger = Forger::new(&stage).await;
    let refusal = replies(&stage, &[]).await[0].telling(&[]);
    let system = stage.api.world.store.system(Reason::Organizations);
    let by = domain::Access::for_operator(Scope::Global);

    let gone = create_organization(&stage.api.world.store, "short-lived").await;
    system
        .delete_organization(gone.organization().unwrap(), &by, testkit::world::NOW)
        .await
        .unwrap();
    let deleted = forger.with_claim("org_id", json!(gone.column()));
    assert_refused(&stage, "deleted", &[format!("Bearer {deleted}")], &refusal).await;

    let id = stage.api.person(ACME_SLUG, "ops").await;
    let scoped = stage.scoped(stage.acme, "qxsomebodyelse1");
    let change = UserChange { role: Some(domain::Role::Admin), ..UserChange::default() };
    scoped.update_user(id, change, testkit::world::NOW).await.unwrap();
    stage.api.forget_sessions().await;
    let bearer = [format!("Bearer {}", forger.token)];
    assert_refused(&stage, "of an old epoch", &bearer, &refusal).await;
    // The sign-in that it comes from has ended as well: the right epoch alone opens nothing.
    let renewed = [format!("Bearer {}", forger.with_claim("epoch", json!(2)))];
    assert_refused(&stage, "of the new epoch and the old sign-in", &renewed, &refusal).await;
    let anew = Forger::new(&stage).await;
    let bearer = [format!("Bearer {}", anew.token)];
    assert_eq!(replies(&stage, &bearer).await[0].status, 200, "signed in anew");
    let stranger = [format!("Bearer {}", anew.with_claim("sid", json!(uuid::Uuid::now_v7())))];
    assert_refused(&stage, "of no sign-in", &stranger, &refusal).await;

    let suspended = Some(OrganizationStatus::Suspended);
    let change = OrganizationChange { status: suspended, ..OrganizationChange::default() };
    system
        .update_organization(stage.acme.organization().unwrap(), change, &by, testkit::world::NOW)
        .await
        .unwrap();
    stage.api.forget_sessions().await;
    assert_refused(&stage, "suspended", &renewed, &refusal).await;
}
