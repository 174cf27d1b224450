//! Setting an installation up: the page behind the one-time link, and what it sends.

use crate::{
    extract::Body,
    metrics,
    passwords::PasswordError,
    problem::{FieldError, Problem},
    routes::auth::{AuthError, TokenReply, address, first_tokens},
    setup_token::SetupToken,
    sign_in_limit::Wait,
    state::ApiState,
    wire::{is_display_name, normal_email},
};
use axum::{
    Json, Router,
    extract::State,
    http::{Extensions, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::{OrganizationId, Role, Scope, UserId};
use serde::Deserialize;
use store::{NewUser, Reason, SetupError, StoreError};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why nobody was made.
#[derive(Debug, thiserror::Error)]
pub enum FirstAdminError {
    /// Unknown, used, too old, replaced, or too late.
    #[error("the set-up link is not valid; start the server again for a new one")]
    BadToken,
    /// What was sent is not valid.
    #[error("the input is not valid")]
    Invalid(Vec<FieldError>),
    /// Too many attempts from one address.
    #[error("too many attempts; wait")]
    TooMany(u64),
    /// The password could not be hashed, or no tokens could be issued.
    #[error(transparent)]
    SignIn(#[from] AuthError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for FirstAdminError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        match self {
            Self::BadToken => {
                metrics::sign_in_failed("bad_setup_token");
                Problem::new(StatusCode::UNAUTHORIZED, "bad_setup_token", text)
            }
            Self::Invalid(errors) => Problem::invalid_fields(errors),
            Self::TooMany(seconds) => {
                Problem::too_many("too_many_attempts", "too many attempts; wait", seconds)
            }
            Self::SignIn(error) => return error.into_response(),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

impl From<SetupError> for FirstAdminError {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Void => Self::BadToken,
            SetupError::Store(error) => error.into(),
        }
    }
}

impl From<PasswordError> for FirstAdminError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Unfit => {
                Self::Invalid(vec![FieldError::new("/password", error.to_string())])
            }
            error => Self::SignIn(error.into()),
        }
    }
}

/// The provider's first admin.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstAdmin {
    /// From the link.
    token: String,
    /// Address to sign in with.
    email: String,
    /// For people; the address unless told.
    name: Option<String>,
    /// At least 8 characters.
    #[schema(format = Password)]
    password: String,
}

/// Make the provider's first admin with the link that the server printed, once.
#[utoipa::path(
    post, path = "/api/auth/setup", tag = "auth", operation_id = "setUp",
    request_body = FirstAdmin, security(()),
    responses((status = 201, body = TokenReply))
)]
pub async fn set_up(
    State(state): State<ApiState>,
    extensions: Extensions,
    Body(body): Body<FirstAdmin>,
) -> Result<(StatusCode, Json<TokenReply>), FirstAdminError> {
    let (address, now) = (address(&extensions), state.now());
    let wait = |Wait { seconds }| FirstAdminError::TooMany(seconds);
    state.sign_in_limit.attempt_from(address, now).map_err(wait)?;
    let system = state.store.system(Reason::SignIn);
    let hash = SetupToken::of(body.token.clone()).hash();
    // Before the password is hashed, which is work that a stranger could ask for.
    if !system.setup_link_is_good(hash, now).await? {
        return Err(FirstAdminError::BadToken);
    }
    let (email, name) = checked(&body).map_err(FirstAdminError::Invalid)?;
    let password_hash = Some(state.passwords.hash(body.password).await?);
    let id = UserId(Uuid::now_v7());
    let new = NewUser { id, email, name, role: Role::Admin, password_hash, now };
    let user = system.use_setup_link(hash, new).await?;
    state.sign_in_limit.succeeded_from(address);
    let provider = Scope::Organization(OrganizationId::PROVIDER);
    let tokens = first_tokens(&state, provider, &user).await?;
    Ok((StatusCode::CREATED, Json(tokens)))
}

fn checked(body: &FirstAdmin) -> Result<(String, String), Vec<FieldError>> {
    let name = body.name.as_ref().unwrap_or(&body.email);
    let mut errors = Vec::new();
    if !is_display_name(name) {
        errors.push(FieldError::new("/name", "use 1 to 200 characters, without space around"));
    }
    let email = normal_email(&body.email);
    if email.is_none() {
        errors.push(FieldError::new("/email", "is not an address like `name@example.com`"));
    }
    email.filter(|_| errors.is_empty()).map(|email| (email, name.clone())).ok_or(errors)
}

const PAGE: &str = include_str!("setup/setup.html");
const SCRIPT: &str = include_str!("setup/setup.js");
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and its script. They are public and no operations, so they are not in the table.
pub fn page() -> Router<ApiState> {
    let file = |kind: &'static str, text: &'static str| {
        let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY)];
        get(move || async move { (headers, text) })
    };
    Router::new()
        .route("/setup", file("text/html; charset=utf-8", PAGE))
        .route("/setup.js", file("text/javascript; charset=utf-8", SCRIPT))
}
