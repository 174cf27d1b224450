//! Everything that is wrong with a token that is not ours.

use super::*;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as B64};
use domain::OrganizationId;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

struct World {
    tokens: Tokens,
    _data: tempfile::TempDir,
}

fn world() -> World {
    let data = tempfile::tempdir().unwrap();
    let keys = SigningKeys::load_or_create(data.path()).unwrap();
    World { tokens: Tokens::new(Arc::new(keys), "https://bifrost.test".to_owned()), _data: data }
}

fn claims() -> Value {
    json!({
        "iss": "https://bifrost.test", "aud": "bifrost", "sub": Uuid::from_u128(1),
        "iat": seconds(NOW), "exp": seconds(NOW) + 900, "jti": Uuid::from_u128(2),
        "org_id": Uuid::from_u128(3), "role": "ops", "epoch": 0, "sid": Uuid::from_u128(4),
    })
}

impl World {
    /// Signs any text as claims with the real key, under any header.
    fn sign_text(&self, header: &Value, claims: &str) -> String {
        let keys = self.tokens.keys.current();
        let key: &EncodingKey = keys.signing().unwrap().1;
        let message = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    fn header(&self) -> Value {
        let keys = self.tokens.keys.current();
        let kid = keys.signing().unwrap().0;
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid})
    }

    fn with_claims(&self, change: impl FnOnce(&mut Value)) -> Result<Claims, BadToken> {
        let mut claims = claims();
        change(&mut claims);
        self.tokens.verify(&self.sign_text(&self.header(), &claims.to_string()), NOW)
    }

    fn with_header(&self, change: impl FnOnce(&mut Value)) -> Result<Claims, BadToken> {
        let mut header = self.header();
        change(&mut header);
        self.tokens.verify(&self.sign_text(&header, &claims().to_string()), NOW)
    }
}

#[test]
fn an_issued_token_is_read_back() {
    let world = world();
    let scope = Scope::Organization(OrganizationId(Uuid::from_u128(3)));
    let user = UserId(Uuid::from_u128(1));
    let grant =
        Grant { scope, user, role: Role::Ops, epoch: 4, sign_in: Uuid::from_u128(5), act: None };
    let token = world.tokens.issue(grant, NOW).unwrap();
    let claims = world.tokens.verify(&token, NOW).unwrap();
    assert_eq!((claims.scope(), claims.user(), claims.epoch), (scope, user, 4));
    assert!(world.with_claims(|_| ()).is_ok());
}

#[test]
fn every_claim_is_required_and_typed() {
    let world = world();
    for name in ["iss", "aud", "sub", "iat", "exp", "jti", "org_id", "role", "epoch", "sid"] {
        let without = world.with_claims(|claims| {
            claims.as_object_mut().unwrap().remove(name);
        });
        assert_eq!(without, Err(BadToken), "without {name}");
        for value in [json!(null), json!([]), json!({}), json!(true), json!(-1.5), json!("")] {
            let wrong = world.with_claims(|claims| claims[name] = value.clone());
            assert_eq!(wrong, Err(BadToken), "{name} = {value}");
        }
    }
}

#[test]
fn wrong_values_are_refused() {
    let world = world();
    let now = seconds(NOW);
    for (name, value) in [
        ("iss", json!("https://elsewhere.test")),
        ("aud", json!("other")),
        ("aud", json!(["bifrost"])),
        ("role", json!("root")),
        ("org_id", json!(Uuid::nil())),
        ("iat", json!(now + 31)),
        ("exp", json!(now + 901)),
        ("exp", json!(now - 30)),
        ("exp", json!(u64::MAX)),
        ("act", json!({})),
        ("act", json!({"sub": Uuid::from_u128(9), "org_id": Uuid::from_u128(8), "reason": "x"})),
        ("act", json!({"sub": Uuid::from_u128(1), "org_id": Uuid::from_u128(3), "reason": "x"})),
        ("act", json!({"sub": Uuid::from_u128(1), "org_id": Uuid::nil(), "reason": "x"})),
        ("act", json!({"sub": Uuid::from_u128(1), "org_id": Uuid::from_u128(8), "reason": ""})),
    ] {
        let outcome = world.with_claims(|claims| claims[name] = value.clone());
        assert_eq!(outcome, Err(BadToken), "{name} = {value}");
    }
}

#[test]
fn only_somebody_who_acts_opens_global() {
    let acting = world().with_claims(|claims| {
        claims["org_id"] = json!(Uuid::nil());
        claims["act"] =
            json!({"sub": Uuid::from_u128(1), "org_id": Uuid::from_u128(8), "reason": "fix"});
    });
    assert_eq!(acting.unwrap().scope(), Scope::Global);
}

#[test]
fn time_has_a_leeway_of_thirty_seconds() {
    let world = world();
    let now = seconds(NOW);
    assert!(world.with_claims(|claims| claims["exp"] = json!(now - 29)).is_err());
    let old = |claims: &mut Value| {
        claims["iat"] = json!(now - 900 - 29);
        claims["exp"] = json!(now - 29);
    };
    assert!(world.with_claims(old).is_ok());
    let future = |claims: &mut Value| {
        claims["iat"] = json!(now + 30);
        claims["exp"] = json!(now + 930);
    };
    assert!(world.with_claims(future).is_ok());
}

#[test]
fn the_header_decides_nothing() {
    let world = world();
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("typ", json!("JWT")),
        ("typ", json!(null)),
        ("kid", json!("nobody")),
        ("kid", json!(null)),
        ("kid", json!("../../etc/passwd")),
    ] {
        let outcome = world.with_header(|header| header[name] = value.clone());
        assert_eq!(outcome, Err(BadToken), "{name} = {value}");
    }
    let ignored = world.with_header(|header| {
        header["jku"] = json!("https://evil.test/jwks.json");
        header["x5u"] = json!("https://evil.test/cert.pem");
    });
    assert!(ignored.is_ok(), "they are ignored, not followed");
}

#[test]
fn the_public_key_is_no_shared_secret() {
    let world = world();
    let jwks = world.tokens.keys.current().jwks();
    let x = B64.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
    for secret in [x.clone(), jwks["keys"][0]["x"].as_str().unwrap().as_bytes().to_vec()] {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = world.header()["kid"].as_str().map(str::to_owned);
        let token =
            jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        assert_eq!(world.tokens.verify(&token, NOW), Err(BadToken));
    }
}

#[test]
fn names_that_come_twice_are_refused() {
    let world = world();
    let text = claims().to_string();
    let twice = text.replacen('{', &format!("{{\"org_id\":\"{}\",", Uuid::from_u128(9)), 1);
    let token = world.sign_text(&world.header(), &twice);
    assert_eq!(world.tokens.verify(&token, NOW), Err(BadToken));
}

#[test]
fn an_edited_or_cut_token_is_refused() {
    let world = world();
    let good = world.sign_text(&world.header(), &claims().to_string());
    assert!(world.tokens.verify(&good, NOW).is_ok());
    let mut parts: Vec<_> = good.split('.').map(str::to_owned).collect();
    let edited = claims().to_string().replace("ops", "admin");
    parts[1] = B64.encode(edited);
    assert_eq!(world.tokens.verify(&parts.join("."), NOW), Err(BadToken));
    for token in ["", ".", "..", "a.b.c", &good[..good.len() - 1], &"x".repeat(9000)] {
        assert_eq!(world.tokens.verify(token, NOW), Err(BadToken), "{token}");
    }
    let unsigned = good.rsplit_once('.').unwrap().0.to_owned() + ".";
    assert_eq!(world.tokens.verify(&unsigned, NOW), Err(BadToken));
}

#[test]
fn a_token_of_another_installation_is_refused() {
    let (ours, theirs) = (world(), world());
    let token = theirs.sign_text(&ours.header(), &claims().to_string());
    assert_eq!(ours.tokens.verify(&token, NOW), Err(BadToken));
}
