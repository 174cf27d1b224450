//! The console's cookie, and the word that proves that a request comes from our own pages.
//!
//! A browser sends the cookie by itself, also when another site makes it ask. That site can neither
//! read the cookie nor what is derived from it, so every request that changes something has to
//! bring the derived word in a header.

use crate::{problem::Problem, scoped_secret::ScopedSecret};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{OrganizationId, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::Duration;

/// A session that nobody used for so long is over.
pub const IDLE: Duration = Duration::from_secs(12 * 60 * 60);
/// A session is over after so long however much it is used.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long somebody may act before they have to sign in again.
pub const ACTING: Duration = Duration::from_secs(60 * 60);

const NAME: &str = "bifrost_session";
const PREFIX: &str = "bfc_";
/// The header of the derived word.
const CSRF: &str = "x-csrf-token";

/// A session's cookie.
#[derive(Clone)]
pub struct SessionCookie(ScopedSecret);

impl SessionCookie {
    /// A fresh one for somebody of an organization.
    pub fn new(organization: OrganizationId) -> Result<Self, getrandom::Error> {
        ScopedSecret::new(PREFIX, organization).map(Self)
    }

    /// The one cookie of that name, if there is exactly one and it can be ours.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut ours = values(headers);
        let (value, None) = (ours.next()?, ours.next()) else { return None };
        ScopedSecret::parse(PREFIX, value).map(Self)
    }

    /// Organization and hash.
    pub fn secret(&self) -> &ScopedSecret {
        &self.0
    }

    /// The word that requests which change something bring along. Derived from the cookie alone,
    /// so that it is as good on every process and ends with it.
    pub fn csrf_token(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.mac().finalize().into_bytes())
    }

    /// 403 if the request does not bring the word.
    pub fn check_csrf(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let brought = headers.get(CSRF).and_then(|value| BASE64_URL_SAFE_NO_PAD.decode(value).ok());
        let good = brought.is_some_and(|word| self.mac().verify_slice(&word).is_ok());
        let detail = "send `X-CSRF-Token` with the `csrf_token` of `GET /api/auth/session`";
        if good { Ok(()) } else { Err(Problem::new(StatusCode::FORBIDDEN, "csrf", detail)) }
    }

    fn mac(&self) -> Hmac<Sha256> {
        let secret = self.0.text().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap_or_else(|_| unreachable!());
        mac.update(b"bifrost csrf v1");
        mac
    }

    /// `Set-Cookie`, until `ends_at`. `secure` keeps it from being sent without TLS.
    pub fn set(&self, now: Timestamp, ends_at: Timestamp, secure: bool) -> Option<HeaderValue> {
        let seconds = (ends_at.0 - now.0).max(0) / 1_000_000;
        header(self.0.text(), seconds, secure)
    }
}

/// `Set-Cookie` that makes the browser forget it.
pub fn forget(secure: bool) -> Option<HeaderValue> {
    header("", 0, secure)
}

/// Whether the request brings a session's cookie, good or not.
pub fn is_there(headers: &HeaderMap) -> bool {
    values(headers).next().is_some()
}

fn header(value: &str, seconds: i64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

fn values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| name.trim() == NAME).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn cookie() -> SessionCookie {
        SessionCookie::new(OrganizationId(Uuid::from_u128(7))).unwrap()
    }

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        let pair = |(name, value): &(header::HeaderName, &str)| {
            (name.clone(), HeaderValue::from_str(value).unwrap())
        };
        HeaderMap::from_iter(pairs.iter().map(pair))
    }

    #[test]
    fn exactly_one_cookie_is_read_among_others() {
        let cookie = cookie();
        let text = cookie.secret().text();
        let one = headers(&[(header::COOKIE, &format!("a=b; {NAME}={text};c=d"))]);
        assert_eq!(SessionCookie::of(&one).unwrap().secret().hash(), cookie.secret().hash());
        let two = headers(&[(header::COOKIE, &format!("{NAME}={text}; {NAME}={text}"))]);
        assert!(SessionCookie::of(&two).is_none() && is_there(&two));
        let other = headers(&[(header::COOKIE, &format!("x{NAME}={text}"))]);
        assert!(SessionCookie::of(&other).is_none() && !is_there(&other));
    }

    #[test]
    fn the_word_is_of_one_cookie() {
        let (ours, theirs) = (cookie(), cookie());
        let name = header::HeaderName::from_static(CSRF);
        let with = |word: &str| headers(&[(name.clone(), word)]);
        assert!(ours.check_csrf(&with(&ours.csrf_token())).is_ok());
        assert!(ours.check_csrf(&with(&theirs.csrf_token())).is_err());
        for word in ["", "x", ours.secret().text(), &ours.csrf_token()[1..]] {
            assert!(ours.check_csrf(&with(word)).is_err(), "{word}");
        }
        assert!(ours.check_csrf(&HeaderMap::new()).is_err());
    }

    #[test]
    fn no_script_and_no_other_site_gets_the_cookie() {
        let set = cookie().set(Timestamp(0), Timestamp(7_000_000), true).unwrap();
        let set = set.to_str().unwrap();
        assert!(set.ends_with("; Path=/; Max-Age=7; HttpOnly; SameSite=Strict; Secure"), "{set}");
        let plain = forget(false).unwrap();
        assert_eq!(plain, "bifrost_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    }
}
