//! Whether the server lives, whether it can serve, its public keys, and its figures.

use crate::{
    problem::Problem,
    state::{ApiState, Vitals},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::IntoResponse,
};
use cache::Health as CacheHealth;
use serde::Serialize;
use store::Reason;
use utoipa::ToSchema;

/// How the server is.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
    /// Only with Redis: `ok`, or `degraded` while it does not answer or keeps nothing. The server
    /// can serve either way, only slower.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'static str>,
}

fn shown(health: CacheHealth) -> Option<&'static str> {
    match health {
        CacheHealth::Memory => None,
        CacheHealth::Up => Some("ok"),
        CacheHealth::Degraded => Some("degraded"),
    }
}

/// The process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "healthz", security(()),
    responses((status = 200, body = Health))
)]
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "ok", cache: None })
}

/// The server can serve: its database answers, and it has not been told to go.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "readyz", security(()),
    responses((status = 200, body = Health))
)]
pub async fn readyz(State(vitals): State<Vitals>) -> Result<Json<Health>, Problem> {
    if vitals.leaving.announced.is_cancelled() {
        return Err(Problem::leaving());
    }
    match vitals.store.system(Reason::Health).probe().await {
        Ok(()) => Ok(Json(Health { status: "ok", cache: shown(vitals.cache.health()) })),
        Err(error) => Err(Problem::unavailable(&error)),
    }
}

/// The public halves of the signing keys (RFC 7517).
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "health", operation_id = "jwks", security(()),
    responses((status = 200, body = Value))
)]
pub async fn jwks(State(state): State<ApiState>) -> impl IntoResponse {
    let public = HeaderValue::from_static("public, max-age=300");
    ([(header::CACHE_CONTROL, public)], Json(state.tokens.keys().current().jwks()))
}

/// What this process has counted, for Prometheus. No figure is of one organization.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "metrics", security(()),
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub async fn metrics(State(vitals): State<Vitals>) -> impl IntoResponse {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], crate::metrics::text(&vitals.store, &vitals.cache))
}
