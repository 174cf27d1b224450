//! Access tokens: JWTs signed with EdDSA, and everything that is wrong with one that is not ours.

use crate::keys::SigningKeys;
use domain::{Role, Scope, Timestamp, UserId};
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// How long an access token is good for.
pub const LIFETIME_SECONDS: u64 = 15 * 60;
/// How far clocks of two nodes may be apart.
const LEEWAY_SECONDS: u64 = 30;
const TYPE: &str = "at+jwt";
/// Longer ones are not looked at.
const MAX_BYTES: usize = 8 * 1024;
const AUDIENCE: &str = "bifrost";

/// What an access token says. All required, all typed; a name that comes twice is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// This installation.
    pub iss: String,
    /// `bifrost`.
    pub aud: String,
    /// The person.
    pub sub: Uuid,
    /// Issued at, in seconds since 1970.
    pub iat: u64,
    /// Good until, in seconds since 1970.
    pub exp: u64,
    /// This token.
    pub jti: Uuid,
    /// The organization it opens; nil for Global, then `act` is there.
    pub org_id: Uuid,
    /// The role in it.
    pub role: Role,
    /// The person's epoch; a raised one ends all older tokens.
    pub epoch: i64,
    /// The sign-in it descends from; when that ends, so does the token.
    pub sid: Uuid,
    /// Who acts, and why, when a provider's admin acts in another organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
}

/// Who acts in an organization that is not theirs, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// The person.
    pub sub: Uuid,
    /// The organization they belong to.
    pub org_id: Uuid,
    /// What they gave as the reason.
    pub reason: String,
}

impl Claims {
    /// The scope the token opens.
    pub fn scope(&self) -> Scope {
        Scope::from_column(self.org_id)
    }

    /// The scope the person belongs to.
    pub fn home(&self) -> Scope {
        Scope::from_column(self.act.as_ref().map_or(self.org_id, |act| act.org_id))
    }

    /// The person.
    pub fn user(&self) -> UserId {
        UserId(self.sub)
    }
}

/// For whom a token is issued.
pub struct Grant {
    /// The organization it opens.
    pub scope: Scope,
    /// The person.
    pub user: UserId,
    /// The role.
    pub role: Role,
    /// The person's present epoch.
    pub epoch: i64,
    /// The sign-in it descends from.
    pub sign_in: Uuid,
    /// Who acts.
    pub act: Option<Act>,
}

/// Issues and verifies access tokens.
pub struct Tokens {
    keys: Arc<SigningKeys>,
    issuer: String,
}

/// A token that is not good. There is only one, whatever the reason: clients learn nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct BadToken;

impl Tokens {
    /// With the keys of this installation and its name.
    pub fn new(keys: Arc<SigningKeys>, issuer: String) -> Self {
        Self { keys, issuer }
    }

    /// The keys.
    pub fn keys(&self) -> &SigningKeys {
        &self.keys
    }

    /// A signed token for `grant`, good for [`LIFETIME_SECONDS`] from `now` on.
    pub fn issue(&self, grant: Grant, now: Timestamp) -> Result<String, BadToken> {
        let iat = seconds(now);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: grant.user.0,
            iat,
            exp: iat + LIFETIME_SECONDS,
            jti: Uuid::now_v7(),
            org_id: grant.scope.column(),
            role: grant.role,
            epoch: grant.epoch,
            sid: grant.sign_in,
            act: grant.act,
        };
        let keys = self.keys.current();
        let (kid, key) = keys.signing().ok_or(BadToken)?;
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(kid.to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, key).map_err(|_| BadToken)
    }

    /// Reads a token that this installation issued and that is good at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, BadToken> {
        if token.len() > MAX_BYTES {
            return Err(BadToken);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| BadToken)?;
        if header.typ.as_deref() != Some(TYPE) {
            return Err(BadToken);
        }
        let kid = header.kid.ok_or(BadToken)?;
        let keys = self.keys.with(&kid);
        let key = keys.verifying(&kid).ok_or(BadToken)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation())
            .map_err(|_| BadToken)?
            .claims;
        if is_current(&claims, now) && is_whole(&claims) { Ok(claims) } else { Err(BadToken) }
    }

    fn validation(&self) -> Validation {
        // The algorithm is ours to say, never the header's.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are checked by `is_current`, against the clock that was handed to us.
        validation.validate_exp = false;
        validation
    }
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.0 / 1_000_000).unwrap_or(0)
}

fn is_current(claims: &Claims, now: Timestamp) -> bool {
    let now = seconds(now);
    let lifetime = claims.exp.checked_sub(claims.iat);
    claims.iat <= now + LEEWAY_SECONDS
        && claims.exp.saturating_add(LEEWAY_SECONDS) > now
        && lifetime.is_some_and(|span| span <= LIFETIME_SECONDS)
}

/// Global belongs to nobody: only somebody who acts may hold a token for it, and a person who acts
/// comes from an organization other than the one acted in.
fn is_whole(claims: &Claims) -> bool {
    match &claims.act {
        None => !claims.org_id.is_nil(),
        Some(act) => {
            act.sub == claims.sub
                && !act.org_id.is_nil()
                && act.org_id != claims.org_id
                && !act.reason.is_empty()
        }
    }
}

#[cfg(test)]
mod tests;
