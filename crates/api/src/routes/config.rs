//! Configuration values and secrets. A secret's value goes in and never comes out.

use crate::{
    config_body::ConfigBody,
    etag::{self, IfMatch, Tag, is_known},
    extract::{Body, Query, Signed},
    page::{Page, PageQuery},
    problem::Problem,
    routes::files::ViewWord,
    said_once::SaidOnce,
    state::ApiState,
};
use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use domain::{ConfigKey, Timestamp, scope::Side};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{
    ConfigEntry, ConfigValue, DeleteConfigError, ListConfig, PutConfig, PutConfigError, StoreError,
};
use utoipa::{IntoParams, ToSchema};

/// Why a value was not read or changed. No text of these quotes a value.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not there, or another organization's.
    #[error("not there")]
    NotThere,
    /// 412, 428, or a body that is none.
    #[error("the request is refused")]
    Refused(Problem),
    /// The value cannot be kept.
    #[error(transparent)]
    Value(domain::config::BadConfigValue),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for ConfigError {
    fn into_response(self) -> Response {
        match self {
            Self::NotThere => Problem::not_found(),
            Self::Refused(problem) => problem,
            Self::Value(error) => Problem::invalid("/value", error.to_string()),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

impl From<PutConfigError> for ConfigError {
    fn from(error: PutConfigError) -> Self {
        match error {
            PutConfigError::PreconditionRequired => Self::Refused(etag::required()),
            PutConfigError::Stale => Self::Refused(etag::stale()),
            PutConfigError::Refused(error) => Self::Value(error),
            PutConfigError::Store(error) => Self::Store(error),
        }
    }
}

impl From<DeleteConfigError> for ConfigError {
    fn from(error: DeleteConfigError) -> Self {
        match error {
            DeleteConfigError::NotThere => Self::NotThere,
            DeleteConfigError::PreconditionRequired => Self::Refused(etag::required()),
            DeleteConfigError::Stale => Self::Refused(etag::stale()),
            DeleteConfigError::Store(error) => Self::Store(error),
        }
    }
}

/// A configuration value.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigEntry)]
pub struct ConfigReply {
    key: String,
    scope: Side,
    /// Whether it is sealed. Then `value` is always `null`.
    secret: bool,
    #[schema(value_type = Value, required = true)]
    value: Value,
    /// Whether this is the organization's and Global has the same key.
    overrides: bool,
    /// Counts from 1 per scope and key, and goes on after a deletion.
    version: u32,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// By whom, for people.
    updated_by: String,
}

impl From<ConfigEntry> for ConfigReply {
    fn from(entry: ConfigEntry) -> Self {
        let (secret, value) = match entry.value {
            ConfigValue::Plain(value) => (false, value),
            ConfigValue::Secret => (true, Value::Null),
        };
        Self {
            key: entry.key,
            scope: entry.side,
            secret,
            value,
            overrides: entry.overrides,
            version: entry.version,
            updated_at: entry.updated_at,
            updated_by: entry.updated_by,
        }
    }
}

/// Whose values.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConfigQuery {
    /// `effective` unless told.
    #[serde(default)]
    #[param(inline)]
    scope: ViewWord,
}

/// The key at the end of the path.
pub struct Key(ConfigKey);

impl FromRequestParts<ApiState> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found())?;
        let key = ConfigKey::parse(&text);
        key.map(Self).map_err(|error| Problem::invalid("/key", error.to_string()))
    }
}

/// Configuration values by key. Secrets are listed without their values.
#[utoipa::path(
    get, path = "/api/config", tag = "config", operation_id = "listConfig",
    params(PageQuery, ConfigQuery), responses((status = 200, body = Page<ConfigReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
    Query(query): Query<ConfigQuery>,
) -> Result<Json<Page<ConfigReply>>, Problem> {
    let wanted = page.wanted("config", &state, &signed)?;
    let list = ListConfig { view: query.scope.into(), after: wanted.after(), limit: wanted.rows() };
    let rows = state.scoped(&signed).config_values(list).await?;
    Ok(Json(wanted.page(rows, |entry| entry.key.clone())))
}

/// A configuration value; a secret without its value.
#[utoipa::path(
    get, path = "/api/config/{key}", tag = "config", operation_id = "getConfig",
    params(("key" = String, Path), ConfigQuery),
    responses(
        (status = 200, body = ConfigReply, headers(("ETag" = String))),
        (status = 304, description = "`If-None-Match` names this version."),
    )
)]
pub async fn get(
    State(state): State<ApiState>,
    signed: Signed,
    Key(key): Key,
    Query(query): Query<ConfigQuery>,
    headers: HeaderMap,
) -> Result<Response, ConfigError> {
    let found = state.scoped(&signed).config_value(&key, query.scope.into()).await?;
    let entry = found.ok_or(ConfigError::NotThere)?;
    let tag = Tag::seen_by(&signed, entry.side, entry.version);
    let etag = [(header::ETAG, tag.header())];
    if is_known(&headers, tag) {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    Ok((etag, Json(ConfigReply::from(entry))).into_response())
}

/// Write a value of the token's scope. An organization's value overrides Global's of the same key.
#[utoipa::path(
    put, path = "/api/config/{key}", tag = "config", operation_id = "putConfig",
    params(
        ("key" = String, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag read, or `*`."),
    ),
    request_body = ConfigBody,
    responses(
        (status = 200, body = ConfigReply, headers(("ETag" = String))),
        (status = 201, body = ConfigReply, headers(("ETag" = String))),
    )
)]
pub async fn put(
    State(state): State<ApiState>,
    signed: Signed,
    Key(key): Key,
    if_match: IfMatch,
    Body(body): Body<SaidOnce>,
) -> Result<Response, ConfigError> {
    let ConfigBody { value, secret } = body.try_into().map_err(ConfigError::Refused)?;
    let precondition = if_match.precondition();
    let put = PutConfig { key, value, secret, precondition, now: state.now() };
    let written = match state.scoped(&signed).put_config(put).await {
        // They saw the inherited value, and there is one of their own by now.
        Err(PutConfigError::PreconditionRequired) if if_match == IfMatch::Inherited => {
            return Err(PutConfigError::Stale.into());
        }
        written => written?,
    };
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    let etag = [(header::ETAG, Tag::Own(written.entry.version).header())];
    Ok((status, etag, Json(ConfigReply::from(written.entry))).into_response())
}

/// Delete a value of the token's scope; Global's of the same key shows again.
#[utoipa::path(
    delete, path = "/api/config/{key}", tag = "config", operation_id = "deleteConfig",
    params(
        ("key" = String, Path),
        ("If-Match" = String, Header, description = "The ETag read, or `*`."),
    ),
    responses((status = 204, description = "Deleted."))
)]
pub async fn delete(
    State(state): State<ApiState>,
    signed: Signed,
    Key(key): Key,
    if_match: IfMatch,
) -> Result<StatusCode, ConfigError> {
    let precondition = if_match.of_own().map_err(ConfigError::Refused)?;
    state.scoped(&signed).delete_config(&key, precondition, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
