//! Keys for programs, as the organization's admins keep them.

use crate::{
    api_key::ApiKeyText,
    extract::{Body, Id, Query, Reply, Signed},
    page::{Page, PageQuery},
    problem::{FieldError, Problem},
    state::ApiState,
    wire::is_display_name,
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{ApiKeyId, OrganizationId, Role, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::{ApiKey, NewApiKey, StoreError};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why a key was not made or removed.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeysError {
    /// Not there, or another organization's.
    #[error("not there")]
    NotThere,
    /// What was sent is not valid.
    #[error("the input is not valid")]
    Invalid(Vec<FieldError>),
    /// Global is for people who act there, each time with a reason.
    #[error("Global has no keys: act in an organization")]
    Global,
    /// The machine has no randomness to give.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for ApiKeysError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        match self {
            Self::NotThere => Problem::not_found(),
            Self::Invalid(errors) => Problem::invalid_fields(errors),
            Self::Global => Problem::new(StatusCode::CONFLICT, "no_keys_in_global", text),
            Self::Randomness(error) => Problem::internal(&error),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

/// A key without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyReply {
    id: Uuid,
    name: String,
    role: Role,
    /// The beginning of the key.
    prefix: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Who made it.
    created_by: String,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    expires_at: Option<Timestamp>,
    /// Exact to a minute.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    last_used_at: Option<Timestamp>,
}

impl From<ApiKey> for ApiKeyReply {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.0,
            name: key.name,
            role: key.role,
            prefix: key.prefix,
            created_at: key.created_at,
            created_by: key.created_by,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        }
    }
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub struct NewApiKeyReply {
    /// The key itself: shown now and never again.
    key: String,
    #[serde(flatten)]
    about: ApiKeyReply,
}

/// A new key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiKey)]
pub struct CreateBody {
    /// For people, and in the audit of what is done with it.
    name: String,
    role: Role,
    /// Days until it expires, 1 to 3650; never when neither this nor `expires_at` is there.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
    /// When it expires.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Keys, in the order in which they were made.
#[utoipa::path(
    get, path = "/api/api-keys", tag = "api-keys", operation_id = "listApiKeys",
    params(PageQuery), responses((status = 200, body = Page<ApiKeyReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ApiKeyReply>>, Problem> {
    let wanted = page.wanted("api-keys", &state, &signed)?;
    let rows = state.scoped(&signed).api_keys(wanted.after(), wanted.rows()).await?;
    Ok(Json(wanted.page(rows, |key| key.id.to_string())))
}

/// Make a key.
#[utoipa::path(
    post, path = "/api/api-keys", tag = "api-keys", operation_id = "createApiKey",
    request_body = CreateBody, responses((status = 201, body = NewApiKeyReply))
)]
pub async fn create(
    State(state): State<ApiState>,
    signed: Signed,
    Body(body): Body<CreateBody>,
) -> Result<Reply<NewApiKeyReply>, ApiKeysError> {
    let organization = signed.access.scope().organization().ok_or(ApiKeysError::Global)?;
    let now = state.now();
    let expires_at = checked(&body, signed.access.role(), now).map_err(ApiKeysError::Invalid)?;
    let (text, new) = fresh(organization, body.name, body.role, expires_at, now)?;
    let about = state.scoped(&signed).create_api_key(new).await?.into();
    Ok((StatusCode::CREATED, Json(NewApiKeyReply { key: text, about })))
}

/// A new key: its text for whoever will use it, and what the store keeps.
pub fn fresh(
    organization: OrganizationId,
    name: String,
    role: Role,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(String, NewApiKey), getrandom::Error> {
    let text = ApiKeyText::new(organization)?;
    let id = ApiKeyId(Uuid::now_v7());
    let (hash, prefix) = (text.hash(), text.prefix().to_owned());
    Ok((text.into_text(), NewApiKey { id, hash, prefix, name, role, expires_at, now }))
}

fn checked(
    body: &CreateBody,
    maker: Role,
    now: Timestamp,
) -> Result<Option<Timestamp>, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut fault = |pointer: &str, detail: &str| errors.push(FieldError::new(pointer, detail));
    if !is_display_name(&body.name) {
        fault("/name", "use 1 to 200 characters, without space around");
    }
    if body.role > maker {
        fault("/role", "a key can have no higher role than yours");
    }
    if body.expires_in_days.is_some_and(|days| !(1..=3650).contains(&days)) {
        fault("/expires_in_days", "use 1 to 3650");
    }
    if body.expires_at.is_some_and(|end| end <= now) {
        fault("/expires_at", "is in the past");
    }
    if body.expires_at.is_some() && body.expires_in_days.is_some() {
        fault("/expires_at", "give this or `expires_in_days`, not both");
    }
    let days = |days: u32| now.after(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    let end = body.expires_at.or(body.expires_in_days.map(days));
    if errors.is_empty() { Ok(end) } else { Err(errors) }
}

/// Remove a key: it is void within a second.
#[utoipa::path(
    delete, path = "/api/api-keys/{id}", tag = "api-keys", operation_id = "deleteApiKey",
    params(("id" = Uuid, Path)), responses((status = 204, description = "Removed."))
)]
pub async fn delete(
    State(state): State<ApiState>,
    signed: Signed,
    Id(id): Id<ApiKeyId>,
) -> Result<StatusCode, ApiKeysError> {
    let deleted = state.scoped(&signed).delete_api_key(id, state.now()).await?;
    state.sessions.forget();
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(ApiKeysError::NotThere) }
}
