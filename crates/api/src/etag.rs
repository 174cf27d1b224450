//! Entity tags: the version of a file, and what `If-Match` and `If-None-Match` ask of it.

use crate::{extract::Signed, problem::Problem, state::ApiState};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use domain::{Scope, scope::Side};
use store::Precondition;

/// `"3"` for a file of the asking scope; `"global-3"` for one an organization inherits.
///
/// The two differ because both sides count their versions from 1: an override at version 3 must
/// not pass for the inherited file at version 3 in a client's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// A version of the asking scope's own file.
    Own(u32),
    /// A version of Global's file, as an organization sees it.
    Inherited(u32),
}

impl Tag {
    /// Of a version on a side, as the caller sees it.
    pub fn seen_by(signed: &Signed, side: Side, version: u32) -> Self {
        match (side, signed.access.scope()) {
            (Side::Global, Scope::Organization(_)) => Self::Inherited(version),
            _ => Self::Own(version),
        }
    }

    /// The header.
    pub fn header(self) -> HeaderValue {
        let text = match self {
            Self::Own(version) => format!("\"{version}\""),
            Self::Inherited(version) => format!("\"global-{version}\""),
        };
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
    }

    fn parse(text: &str) -> Option<Self> {
        let bare = text.trim().trim_start_matches("W/").strip_prefix('"')?.strip_suffix('"')?;
        match bare.strip_prefix("global-") {
            Some(version) => version.parse().ok().map(Self::Inherited),
            None => bare.parse().ok().map(Self::Own),
        }
    }
}

/// What `If-Match` asks of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// To hand to the store.
    Store(Precondition),
    /// The client saw the inherited file: there must be no file of its own.
    Inherited,
}

impl IfMatch {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::IF_MATCH) else {
            return Ok(Self::Store(Precondition::None));
        };
        match value.to_str().map(str::trim) {
            Ok("*") => Ok(Self::Store(Precondition::Any)),
            // Weak tags never match here (RFC 9110, 13.1.1).
            Ok(text) if !text.starts_with("W/") => match Tag::parse(text) {
                Some(Tag::Own(version)) => Ok(Self::Store(Precondition::Version(version))),
                Some(Tag::Inherited(_)) => Ok(Self::Inherited),
                None => Err(stale()),
            },
            _ => Err(stale()),
        }
    }

    /// What the store must hold the file to.
    pub fn precondition(self) -> Precondition {
        match self {
            Self::Store(precondition) => precondition,
            Self::Inherited => Precondition::None,
        }
    }

    /// The same of something that must be the asking scope's own.
    pub fn of_own(self) -> Result<Precondition, Problem> {
        match self {
            Self::Store(precondition) => Ok(precondition),
            Self::Inherited => Err(stale()),
        }
    }
}

impl FromRequestParts<ApiState> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        Self::of(&parts.headers)
    }
}

/// Whether `If-None-Match` names `tag`, so that the client has it already.
pub fn is_known(headers: &HeaderMap, tag: Tag) -> bool {
    let value = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| {
        value.trim() == "*" || value.split(',').any(|one| Tag::parse(one) == Some(tag))
    })
}

/// 412.
pub fn stale() -> Problem {
    let detail = "it has changed since: read it again, then decide, or send `If-Match: *`";
    Problem::new(StatusCode::PRECONDITION_FAILED, "stale", detail)
}

/// 428.
pub fn required() -> Problem {
    let detail = "send `If-Match` with the ETag you read, or `*` to force";
    Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_required", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn if_match_is_a_version_or_a_star() {
        let read = |text| IfMatch::of(&headers(header::IF_MATCH, text)).ok();
        assert_eq!(read("\"3\""), Some(IfMatch::Store(Precondition::Version(3))));
        assert_eq!(read("*"), Some(IfMatch::Store(Precondition::Any)));
        assert_eq!(read("\"global-3\""), Some(IfMatch::Inherited));
        for text in ["3", "W/\"3\"", "\"x\"", "\"\"", "\"3\", \"4\"", ""] {
            assert_eq!(read(text), None, "{text}");
        }
        let none = IfMatch::of(&HeaderMap::new()).ok();
        assert_eq!(none, Some(IfMatch::Store(Precondition::None)));
    }

    #[test]
    fn if_none_match_takes_lists_and_weak_tags() {
        let known = |text, tag| is_known(&headers(header::IF_NONE_MATCH, text), tag);
        assert!(known("\"3\"", Tag::Own(3)));
        assert!(known("W/\"3\", \"4\"", Tag::Own(4)));
        assert!(known("*", Tag::Own(4)));
        assert!(!known("\"3\"", Tag::Inherited(3)));
        assert!(!known("\"3\"", Tag::Own(4)));
    }
}
