//! What surrounds every request: its id, its line in the log, panics, problems written out, and
//! the headers that every reply carries.

use crate::{metrics, problem::Problem};
use axum::{
    Json,
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use std::{panic::AssertUnwindSafe, time::Instant};
use tracing::Instrument;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The one middleware around everything.
pub async fn wrap(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    // The template of the path and not the path: file names are tenant content.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        method = %request.method(),
        route = route.as_deref().unwrap_or("-"),
    );
    let method = request.method().clone();
    let docs = request.uri().path().starts_with("/api/docs");
    let route_label = route.clone();
    async move {
        let started = Instant::now();
        let response = without_panics(next.run(request)).await;
        let mut response = write_problem(response, &id).await;
        decorate(&mut response, &id, docs);
        let (status, took) = (response.status().as_u16(), started.elapsed());
        metrics::answered(route_label, &method, status, took);
        tracing::info!(status, milliseconds = took.as_secs_f64() * 1000.0, "answered");
        response
    }
    .instrument(span)
    .await
}

async fn without_panics(work: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("panic without text");
            Problem::internal(&text).into_response()
        }
    }
}

/// Gives a refusal its body. Refusals by other people's code get ours as well.
async fn write_problem(mut response: Response, id: &str) -> Response {
    let status = response.status();
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if status.is_client_error() || status.is_server_error() => Problem::of_status(status),
        None => return response,
    };
    let (mut parts, _) = response.into_parts();
    let (body_parts, body) = Json(problem.body(id.to_owned())).into_response().into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(body_parts.headers);
    parts.headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
    Response::from_parts(parts, body)
}

fn decorate(response: &mut Response, id: &str, docs: bool) {
    let has_body = response.status() != StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if has_body && !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let policy = if docs { DOCS_POLICY } else { DATA_POLICY };
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
}

const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, body::Body, middleware::from_fn, routing::get};
    use tower::ServiceExt;

    async fn reply(handler: axum::routing::MethodRouter) -> (StatusCode, String) {
        let router: Router = Router::new().route("/", handler).layer(from_fn(wrap));
        let request = axum::http::Request::get("/").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        assert!(response.headers().contains_key(REQUEST_ID));
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let broken = get(|| async {
            if true {
                panic!("the secret")
            }
        });
        let (status, body) = reply(broken).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("\"code\":\"internal\"") && !body.contains("secret"), "{body}");
    }

    #[tokio::test]
    async fn refusals_of_other_peoples_code_become_problems() {
        let theirs = get(|| async { (StatusCode::IM_A_TEAPOT, "short and stout") });
        let (status, body) = reply(theirs).await;
        assert_eq!(status, StatusCode::IM_A_TEAPOT);
        assert!(body.contains("\"code\":\"malformed\"") && !body.contains("stout"), "{body}");
    }
}
