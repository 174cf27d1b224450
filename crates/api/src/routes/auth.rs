//! Signing in by password, staying signed in, signing out.

use crate::{
    denials::Kept,
    extract::Body,
    metrics,
    passwords::PasswordError,
    problem::Problem,
    refresh,
    scoped_secret::ScopedSecret,
    sign_in_limit::Wait,
    state::ApiState,
    tokens::{BadToken, Grant, LIFETIME_SECONDS},
    wire::normal_email,
};
use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{Extensions, StatusCode},
    response::{IntoResponse, Response},
};
use domain::{Actor, Scope, Slug};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use store::{
    Credentials, NewRefreshToken, Organization, OrganizationStatus, Reason, RotateError, Rotation,
    StoreError, User,
};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// One text for a wrong password, an unknown account and a suspended organization.
    #[error("organization, address or password is wrong")]
    WrongCredentials,
    /// Unknown, used, expired or revoked.
    #[error("the refresh token is not valid; sign in again")]
    BadRefreshToken,
    /// Too many attempts, or too many at once.
    #[error("too many attempts; wait")]
    TooMany(u64),
    /// Something inside failed.
    #[error("{0}")]
    Internal(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        self.count();
        match self {
            Self::WrongCredentials => {
                Problem::new(StatusCode::UNAUTHORIZED, "wrong_credentials", text)
            }
            Self::BadRefreshToken => {
                Problem::new(StatusCode::UNAUTHORIZED, "bad_refresh_token", text)
            }
            Self::TooMany(seconds) => {
                Problem::too_many("too_many_attempts", "too many attempts; wait", seconds)
            }
            Self::Internal(cause) => Problem::internal(&cause),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

impl AuthError {
    fn count(&self) {
        match self {
            Self::WrongCredentials => metrics::sign_in_failed("wrong_credentials"),
            Self::BadRefreshToken => metrics::sign_in_failed("bad_refresh_token"),
            Self::TooMany(_) => metrics::sign_in_failed("too_many_attempts"),
            Self::Internal(_) | Self::Store(_) => {}
        }
    }
}

impl From<BadToken> for AuthError {
    fn from(error: BadToken) -> Self {
        Self::Internal(format!("no access token could be issued: {error}"))
    }
}

impl From<PasswordError> for AuthError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::TooMany(1),
            PasswordError::Unfit | PasswordError::Hash => Self::Internal(error.to_string()),
        }
    }
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Slug of the organization.
    organization: String,
    /// Address.
    email: String,
    /// Password.
    #[schema(format = Password)]
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// As it was handed out.
    refresh_token: String,
}

/// Tokens of somebody who is signed in.
#[derive(Serialize, ToSchema)]
pub struct TokenReply {
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    /// Good for one exchange at `/api/auth/refresh`. Not there while acting.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// Sign in with a password.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "auth", operation_id = "login",
    request_body = Login, security(()),
    responses((status = 200, body = TokenReply))
)]
pub async fn login(
    State(state): State<ApiState>,
    extensions: Extensions,
    Body(login): Body<Login>,
) -> Result<Json<TokenReply>, AuthError> {
    let (organization, user) = verified(&state, &extensions, login).await?;
    first_tokens(&state, organization.scope, &user).await.map(Json)
}

/// The person that a sign-in speaks of, if they are who they say. Whatever is wrong, the same work
/// is done and the same is answered.
pub(super) async fn verified(
    state: &ApiState,
    extensions: &Extensions,
    login: Login,
) -> Result<(Organization, User), AuthError> {
    let address = address(extensions);
    let email = login.email.to_lowercase();
    let account = format!("{}/{email}", login.organization);
    let wait = |Wait { seconds }| AuthError::TooMany(seconds);
    state.sign_in_limit.attempt(&account, address, state.now()).map_err(wait)?;
    let found = find_account(state, &login.organization, &email).await?;
    let hash = found.as_ref().and_then(|(_, credentials)| credentials.password_hash.clone());
    let right = state.passwords.verify(login.password, hash).await?;
    let active = |(organization, credentials): &(Organization, Credentials)| {
        organization.status == OrganizationStatus::Active && credentials.user.active
    };
    let Some((organization, Credentials { user, .. })) =
        found.as_ref().filter(|found| right && active(found))
    else {
        if let Some((organization, _)) = &found {
            let because = if right { "suspended or inactive" } else { "wrong password" };
            let kept = Kept { scope: organization.scope, actor: &Actor::Platform, because };
            state.denials.note(kept, "auth.sign_in", &email, state.now());
        }
        return Err(AuthError::WrongCredentials);
    };
    state.sign_in_limit.succeeded(&account, address);
    Ok((organization.clone(), user.clone()))
}

/// The peer's address, for limits.
pub(super) fn address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
}

async fn find_account(
    state: &ApiState,
    slug: &str,
    email: &str,
) -> Result<Option<(Organization, Credentials)>, StoreError> {
    let (Ok(slug), Some(email)) = (Slug::parse(slug), normal_email(email)) else {
        return Ok(None);
    };
    let system = state.store.system(Reason::SignIn);
    let Some(organization) = system.organization_by_slug(&slug).await? else { return Ok(None) };
    let credentials = system.credentials(organization.scope, &email).await?;
    Ok(credentials.map(|credentials| (organization, credentials)))
}

/// Tokens of somebody who has just signed in to `scope`.
pub(super) async fn first_tokens(
    state: &ApiState,
    scope: Scope,
    user: &User,
) -> Result<TokenReply, AuthError> {
    let id = scope.organization().ok_or(AuthError::WrongCredentials)?;
    let refresh_token = refresh::new(id).map_err(|e| AuthError::Internal(e.to_string()))?;
    let now = state.now();
    let family = Uuid::now_v7();
    let new = NewRefreshToken {
        hash: refresh_token.hash(),
        family,
        user: user.id,
        expires_at: now.after(refresh::LIFETIME),
        now,
    };
    let system = state.store.system(Reason::SignIn);
    system.create_refresh_token(scope, new, &user.actor()).await?;
    Ok(reply(state, grant(scope, user, family), Some(refresh_token))?)
}

fn grant(scope: Scope, user: &User, sign_in: Uuid) -> Grant {
    let User { id, role, epoch, .. } = *user;
    Grant { scope, user: id, role, epoch, sign_in, act: None }
}

pub(super) fn reply(
    state: &ApiState,
    grant: Grant,
    refresh_token: Option<ScopedSecret>,
) -> Result<TokenReply, BadToken> {
    Ok(TokenReply {
        access_token: state.tokens.issue(grant, state.now())?,
        token_type: "Bearer",
        expires_in: LIFETIME_SECONDS,
        refresh_token: refresh_token.map(|token| token.text().to_owned()),
    })
}

/// Exchange a refresh token for new tokens. Using one twice signs its whole family out.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "auth", operation_id = "refresh",
    request_body = Refresh, security(()),
    responses((status = 200, body = TokenReply))
)]
pub async fn refresh(
    State(state): State<ApiState>,
    extensions: Extensions,
    Body(body): Body<Refresh>,
) -> Result<Json<TokenReply>, AuthError> {
    let address = address(&extensions);
    let wait = |Wait { seconds }| AuthError::TooMany(seconds);
    state.sign_in_limit.attempt_from(address, state.now()).map_err(wait)?;
    let token = refresh::parse(&body.refresh_token).ok_or(AuthError::BadRefreshToken)?;
    let scope = token.scope();
    let id = scope.organization().ok_or(AuthError::BadRefreshToken)?;
    let system = state.store.system(Reason::SignIn);
    let organization = system.organization(scope).await?;
    if organization.is_none_or(|it| it.status != OrganizationStatus::Active) {
        return Err(AuthError::BadRefreshToken);
    }
    let successor = refresh::new(id).map_err(|e| AuthError::Internal(e.to_string()))?;
    let (now, hash) = (state.now(), token.hash());
    let expires_at = now.after(refresh::LIFETIME);
    let rotated = system.rotate_refresh_token(scope, hash, successor.hash(), expires_at, now).await;
    let Rotation { user, family } = match rotated {
        Ok(rotation) if rotation.user.active => rotation,
        Err(RotateError::Store(error)) => return Err(error.into()),
        Err(RotateError::Reused) => {
            tracing::warn!("a refresh token was used twice; its family is revoked");
            state.sessions.forget();
            return Err(AuthError::BadRefreshToken);
        }
        Ok(_) | Err(RotateError::Unknown | RotateError::Expired) => {
            return Err(AuthError::BadRefreshToken);
        }
    };
    state.sign_in_limit.succeeded_from(address);
    Ok(Json(reply(&state, grant(scope, &user, family), Some(successor))?))
}

/// Sign out: all tokens that descend from the same sign-in are void.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "auth", operation_id = "logout",
    request_body = Refresh, security(()),
    responses((status = 204, description = "Signed out, or was not signed in."))
)]
pub async fn logout(
    State(state): State<ApiState>,
    Body(body): Body<Refresh>,
) -> Result<StatusCode, AuthError> {
    if let Some(token) = refresh::parse(&body.refresh_token) {
        let system = state.store.system(Reason::SignIn);
        system.revoke_refresh_family(token.scope(), token.hash(), state.now()).await?;
        state.sessions.forget();
    }
    Ok(StatusCode::NO_CONTENT)
}
