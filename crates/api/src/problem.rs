//! What every refusal looks like: `application/problem+json` (RFC 9457).
//!
//! A [`Problem`] travels as an extension of an empty response; [`crate::envelope`] writes it out,
//! because only there the request id is known.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::borrow::Cow;
use store::StoreError;
use utoipa::ToSchema;

/// A refusal: what the client is told, and nothing that only the log should know.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after: Option<u64>,
}

/// One fault of an input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) into the request's body; `/path` or `/limit` for its parameters.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
    /// Line in the file at fault, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in the file at fault, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl FieldError {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into(), line: None, column: None }
    }
}

/// The body of a refusal, as it is written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A name for the kind of problem: `urn:bifrost:problem:` and its code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do next.
    pub detail: Cow<'static, str>,
    /// A stable word for programs.
    pub code: &'static str,
    /// Quote it to whoever runs the server.
    pub request_id: String,
    /// Each fault of the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// A refusal with a status, a stable word and a sentence.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// 422 for one fault of the input.
    pub fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError::new(pointer, detail)])
    }

    /// 422 for all faults of the input at once.
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", "the input is not valid")
            .with_errors(errors)
    }

    /// 404 for what is not there or not yours.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing of that name here")
    }

    /// 401, the same whatever the reason.
    pub fn not_signed_in() -> Self {
        let detail = "sign in and send the access token as `Authorization: Bearer …`";
        Self::new(StatusCode::UNAUTHORIZED, "not_signed_in", detail)
    }

    /// 500 with constant text; the cause goes to the log of this request.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "request failed");
        let detail = "the server failed; quote the request id to whoever runs it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// 503 with constant text; the cause goes to the log of this request.
    pub fn unavailable(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "request could not be served");
        let detail = "the server cannot do this right now; try again shortly";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).with_retry_after(1)
    }

    /// 503 of a server that has been told to stop and goes on for a moment.
    pub fn leaving() -> Self {
        let detail = "the server is about to stop; ask another one";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "leaving", detail).with_retry_after(1)
    }

    /// 429 with the seconds to wait.
    pub fn too_many(code: &'static str, detail: &'static str, seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail).with_retry_after(seconds)
    }

    /// For a status that somebody else's code answered with.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(status, "method_not_allowed", "this path does not have that method")
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(status, "too_large", "the request's body is too large")
            }
            StatusCode::REQUEST_TIMEOUT => {
                Self::new(status, "too_slow", "the request's body did not come in time")
            }
            status if status.is_client_error() => {
                Self::new(status, "malformed", "the request is malformed")
            }
            status => Self { status, ..Self::internal(&status) },
        }
    }

    /// The same with faults of the input.
    pub fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    fn with_retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is written for the request `request_id`.
    pub fn body(self, request_id: String) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:bifrost:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").into(),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code,
            request_id,
            errors: self.errors,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"bifrost\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if matches!(self.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
            // The rest of the body is not read, so nothing may follow on this connection.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked
            | StoreError::ReadOnly
            | StoreError::Full
            | StoreError::Unavailable(_)
            | StoreError::NoMasterKey
            | StoreError::MasterKey(_) => Self::unavailable(&error),
            error => Self::internal(&error),
        }
    }
}
