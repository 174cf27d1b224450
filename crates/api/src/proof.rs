//! What a request proves itself with: an access token, a key, or the console's cookie.

use crate::{
    api_key::ApiKeyText,
    cookie::{self, SessionCookie},
    problem::Problem,
    state::ApiState,
    tokens::Claims,
};
use axum::http::{HeaderMap, StatusCode, header};
use domain::Timestamp;

/// One of them, well-formed. Whether it still counts [`crate::sessions`] knows.
pub enum Proof {
    /// A verified access token.
    Token(Claims),
    /// A key whose checksum is right.
    Key(ApiKeyText),
    /// The console's cookie.
    Cookie(SessionCookie),
}

impl Proof {
    /// Reads the one proof of a request.
    ///
    /// Both an `Authorization` header and a cookie are refused: whichever won, somebody would act
    /// as somebody else than they think.
    pub fn of(state: &ApiState, headers: &HeaderMap) -> Result<Self, Problem> {
        if !headers.contains_key(header::AUTHORIZATION) {
            let cookie = SessionCookie::of(headers);
            return cookie.map(Self::Cookie).ok_or_else(Problem::not_signed_in);
        }
        if cookie::is_there(headers) {
            let detail = "send either `Authorization` or the session's cookie, not both";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "two_credentials", detail));
        }
        let proof = bearer(headers).and_then(|text| Self::of_bearer(state, text));
        proof.ok_or_else(Problem::not_signed_in)
    }

    fn of_bearer(state: &ApiState, text: &str) -> Option<Self> {
        if ApiKeyText::is_one(text) {
            return ApiKeyText::parse(text).map(Self::Key);
        }
        state.tokens.verify(text, state.now()).ok().map(Self::Token)
    }

    /// Whether it has run out by itself at `now`; of keys and cookies the store knows.
    pub fn is_over(&self, now: Timestamp) -> bool {
        match self {
            Self::Token(claims) => claims.exp < (now.0 / 1_000_000).unsigned_abs(),
            Self::Key(_) | Self::Cookie(_) => false,
        }
    }

    /// The cookie, if it is one.
    pub fn cookie(&self) -> Option<&SessionCookie> {
        match self {
            Self::Cookie(cookie) => Some(cookie),
            Self::Token(_) | Self::Key(_) => None,
        }
    }
}

/// Exactly one `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
