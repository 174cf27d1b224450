//! What handlers take from a request. Every refusal is a [`Problem`].

use crate::{
    problem::{FieldError, Problem},
    proof::Proof,
    said_once::SaidOnce,
    slow_bodies::Pace,
    state::ApiState,
};
use axum::{
    Json,
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, Path, Request,
        rejection::BytesRejection,
    },
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use domain::{Access, FilePath};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use std::{str::FromStr, sync::Arc};
use store::Session;

/// Somebody who is signed in and has passed the gate.
#[derive(Clone)]
pub struct Signed {
    /// What they may see and do.
    pub access: Access,
    /// The organization they are in, and they themselves.
    pub session: Arc<Session>,
    /// What they proved themselves with.
    pub proof: Arc<Proof>,
}

impl FromRequestParts<ApiState> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        let missing = || Problem::internal(&"a public route asks who is signed in");
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// Query parameters.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<ApiState> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let axum::extract::Query(query) =
            axum::extract::Query::from_request_parts(parts, state).await.map_err(|rejection| {
                Problem::new(StatusCode::BAD_REQUEST, "malformed_query", rejection.body_text())
            })?;
        Ok(Self(query))
    }
}

/// An id in the path. What is no id is not there.
pub struct Id<T>(pub T);

impl<T: FromStr> FromRequestParts<ApiState> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found())?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}

/// The path of a workspace file at the end of the URL's path.
pub struct WorkspacePath(pub FilePath);

impl FromRequestParts<ApiState> for WorkspacePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        // axum decodes the parameters it hands out; whether a slash was written or encoded is only
        // in the URL itself.
        let raw = prefix_of(parts).and_then(|prefix| parts.uri.path().strip_prefix(prefix));
        let path = parse_path(raw.ok_or_else(Problem::not_found)?)?;
        Ok(Self(path))
    }
}

/// `/api/files/content/` of `/api/files/content/{*path}`.
fn prefix_of(parts: &Parts) -> Option<&str> {
    let matched = parts.extensions.get::<axum::extract::MatchedPath>()?;
    matched.as_str().split_once("{*").map(|(prefix, _)| prefix)
}

fn parse_path(raw: &str) -> Result<FilePath, Problem> {
    let lower = raw.to_ascii_lowercase();
    if lower.contains("%2f") {
        return Err(bad_path("the path has an encoded slash: write it as `/`"));
    }
    let text =
        percent_decode_str(raw).decode_utf8().map_err(|_| bad_path("the path is not UTF-8"))?;
    FilePath::parse(&text).map_err(|error| bad_path(&error.to_string()))
}

fn bad_path(detail: &str) -> Problem {
    Problem::invalid("/path", detail)
}

const JSON: &str = "application/json";

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        check_content_type(request.headers(), &[JSON])?;
        parse_json(&read(request, state).await?).map(Self)
    }
}

impl<T: DeserializeOwned> OptionalFromRequest<ApiState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Option<Self>, Problem> {
        let (parts, body) = request.into_parts();
        let headers = parts.headers.clone();
        let bytes = read(Request::from_parts(parts, body), state).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        check_content_type(&headers, &[JSON])?;
        parse_json(&bytes).map(|value| Some(Self(value)))
    }
}

/// A JSON Merge Patch (RFC 7396).
pub struct MergePatch(pub serde_json::Value);

impl FromRequest<ApiState> for MergePatch {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        check_content_type(request.headers(), &["application/merge-patch+json", JSON])?;
        parse_json(&read(request, state).await?).map(|SaidOnce(patch)| Self(patch))
    }
}

async fn read(request: Request, state: &ApiState) -> Result<Bytes, Problem> {
    let pace = request.extensions().get::<Pace>().cloned();
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(error)
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE =>
        {
            Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE)
        }
        _ if pace.is_some_and(|pace| pace.was_too_slow()) => {
            Problem::of_status(StatusCode::REQUEST_TIMEOUT)
        }
        _ => malformed_json("the body did not arrive whole"),
    })
}

fn check_content_type(headers: &HeaderMap, taken: &[&str]) -> Result<(), Problem> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).map(str::trim);
    let is_taken = |essence: &str| taken.iter().any(|taken| taken.eq_ignore_ascii_case(essence));
    match essence {
        Some(essence) if is_taken(essence) => Ok(()),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("send the body as `Content-Type: {}`", taken.join("` or `")),
        )),
    }
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Every body is an object; an array must not pass for one whose fields come in that order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes)
            .map_err(|error| malformed_json(error.to_string()))?;
        return Err(Problem::invalid("", "send a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(json_problem)?;
    deserializer.end().map_err(|error| malformed_json(error.to_string()))?;
    Ok(value)
}

fn json_problem(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    use serde_path_to_error::Segment;
    if error.inner().classify() != serde_json::error::Category::Data {
        return malformed_json(error.inner().to_string());
    }
    let segments = error.path().iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let at: String = segments.collect();
    Problem::invalid_fields(vec![fault(at, &error.inner().to_string())])
}

/// The parser's words in ours: where a field is missing or unknown the pointer leads to it, and what
/// was sent is not repeated.
fn fault(at: String, said: &str) -> FieldError {
    let said = said.rsplit_once(" at line ").map_or(said, |(words, _)| words);
    let named = |start: &str| said.strip_prefix(start)?.split_once('`').map(|(name, _)| name);
    let within = |name: &str| match at.ends_with(&format!("/{name}")) {
        true => at.clone(),
        false => format!("{at}/{name}"),
    };
    if let Some(name) = named("missing field `") {
        return FieldError::new(within(name), "is missing");
    }
    if let Some(name) = named("duplicate field `") {
        return FieldError::new(within(name), "comes twice");
    }
    if let Some(name) = named("unknown field `") {
        return FieldError::new(within(name), "there is no such field");
    }
    match said.rsplit_once(", expected ") {
        Some((_, expected)) => FieldError::new(at, format!("use {expected}")),
        None => FieldError::new(at, said),
    }
}

fn malformed_json(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail.into())
}

/// A reply of JSON with a status.
pub type Reply<T> = (StatusCode, Json<T>);

#[cfg(test)]
mod tests {
    use super::parse_path;

    #[test]
    fn encoded_escapes_are_no_paths() {
        for raw in [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            "%2e%2e/a",
            "a/%2E%2e/b",
            "a%2Fb",
            "a%2fb",
            "a%00b",
            "a%5Cb",
            "a//b",
            "a/",
            "%ff",
            "a%0ab",
            "%20a",
        ] {
            assert!(parse_path(raw).is_err(), "{raw}");
        }
        let path = |raw| parse_path(raw).unwrap().to_string();
        assert_eq!(path("a/b%20c.py"), "a/b c.py");
        assert_eq!(path("a%252Fb"), "a%2Fb");
        assert_eq!(path("gr%C3%B6%C3%9Fe.py"), "größe.py");
    }
}
