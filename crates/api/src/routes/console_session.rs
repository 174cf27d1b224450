//! Sessions of the console: signing in with a cookie, leaving where one acts, signing out.

use crate::{
    cookie::{self, SessionCookie},
    extract::{Body, Signed},
    gate::still_good,
    problem::Problem,
    proof::Proof,
    routes::{
        auth::{AuthError, Login, verified},
        me::Me,
    },
    state::ApiState,
};
use axum::{
    Json,
    extract::State,
    http::{Extensions, HeaderName, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use domain::{Actor, Scope, Timestamp, audit::Event};
use serde::Serialize;
use std::sync::Arc;
use store::{NewConsoleSession, Reason, SessionChange, StoreError};
use utoipa::ToSchema;

/// Why a session was not begun, changed or ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The sign-in failed.
    #[error(transparent)]
    SignIn(#[from] AuthError),
    /// The request came with a token or a key.
    #[error("this is for requests with the console's cookie")]
    NoCookie,
    /// Nothing to leave.
    #[error("you are in your own organization already")]
    NotActing,
    /// It ended meanwhile.
    #[error("the session has ended")]
    Ended,
    /// The machine has no randomness to give.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Refused in words that are made already.
    #[error("refused")]
    Refused(Problem),
}

impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        match self {
            Self::SignIn(error) => return error.into_response(),
            Self::NoCookie => Problem::new(StatusCode::CONFLICT, "no_cookie_session", text),
            Self::NotActing => Problem::new(StatusCode::CONFLICT, "not_acting", text),
            Self::Ended => Problem::not_signed_in(),
            Self::Randomness(error) => Problem::internal(&error),
            Self::Store(error) => error.into(),
            Self::Refused(problem) => problem,
        }
        .into_response()
    }
}

/// A session of the console.
#[derive(Serialize, ToSchema)]
pub struct SessionReply {
    /// Send it as `X-CSRF-Token` with every request that changes something.
    csrf_token: String,
    #[serde(flatten)]
    me: Me,
}

/// `Set-Cookie`.
pub type CookieHeader = AppendHeaders<Option<(HeaderName, HeaderValue)>>;

fn cookie_header(value: Option<HeaderValue>) -> CookieHeader {
    AppendHeaders(value.map(|value| (header::SET_COOKIE, value)))
}

/// Sign in with a password and get a cookie instead of tokens, as the console does.
#[utoipa::path(
    post, path = "/api/auth/session", tag = "auth", operation_id = "createSession",
    request_body = Login, security(()),
    responses((status = 200, body = SessionReply))
)]
pub async fn create(
    State(state): State<ApiState>,
    extensions: Extensions,
    Body(login): Body<Login>,
) -> Result<(CookieHeader, Json<SessionReply>), SessionError> {
    let (organization, user) = verified(&state, &extensions, login).await?;
    let id = organization.scope.organization().ok_or(AuthError::WrongCredentials)?;
    let cookie = SessionCookie::new(id)?;
    let now = state.now();
    let ends_at = now.after(cookie::LONGEST);
    let hash = cookie.secret().hash();
    let new = NewConsoleSession { hash, user: user.id, epoch: user.epoch, ends_at, now };
    let system = state.store.system(Reason::SignIn);
    system.create_console_session(organization.scope, new, &user.actor()).await?;
    let (cookie, reply) = shown(&state, cookie, ends_at).await?;
    Ok((cookie, Json(reply)))
}

/// A cookie with what it opens.
async fn shown(
    state: &ApiState,
    cookie: SessionCookie,
    ends_at: Timestamp,
) -> Result<(CookieHeader, SessionReply), SessionError> {
    let set = cookie_header(cookie.set(state.now(), ends_at, state.secure_cookies));
    let csrf_token = cookie.csrf_token();
    let signed = still_good(state, Arc::new(Proof::Cookie(cookie))).await;
    let me = Me::from(&signed.map_err(SessionError::Refused)?);
    Ok((set, SessionReply { csrf_token, me }))
}

/// The session of the cookie, with the word for requests that change something.
#[utoipa::path(
    get, path = "/api/auth/session", tag = "auth", operation_id = "getSession",
    responses((status = 200, body = SessionReply))
)]
pub async fn get(signed: Signed) -> Result<Json<SessionReply>, SessionError> {
    let cookie = signed.proof.cookie().ok_or(SessionError::NoCookie)?;
    Ok(Json(SessionReply { csrf_token: cookie.csrf_token(), me: (&signed).into() }))
}

/// Sign out.
#[utoipa::path(
    delete, path = "/api/auth/session", tag = "auth", operation_id = "deleteSession",
    responses((status = 204, description = "Signed out."))
)]
pub async fn delete(
    State(state): State<ApiState>,
    signed: Signed,
) -> Result<(CookieHeader, StatusCode), SessionError> {
    let secret = signed.proof.cookie().ok_or(SessionError::NoCookie)?.secret();
    let (system, actor) = (state.store.system(Reason::SignIn), signed.access.actor());
    system.end_console_session(secret.scope(), secret.hash(), actor, state.now()).await?;
    state.sessions.forget();
    Ok((cookie_header(cookie::forget(state.secure_cookies)), StatusCode::NO_CONTENT))
}

/// Stop acting and be in one's own organization again. The cookie is a new one.
#[utoipa::path(
    post, path = "/api/auth/session/leave", tag = "auth", operation_id = "leaveSession",
    responses((status = 200, body = SessionReply))
)]
pub async fn leave(
    State(state): State<ApiState>,
    signed: Signed,
) -> Result<(CookieHeader, Json<SessionReply>), SessionError> {
    let cookie = signed.proof.cookie().ok_or(SessionError::NoCookie)?;
    if signed.access.actor().acting().is_none() {
        return Err(SessionError::NotActing);
    }
    let session = &signed.session;
    let event = || Event::done("auth.leave", session.organization.slug.as_str());
    let told = vec![(session.home.scope, event()), (session.organization.scope, event())];
    let turn = Turn { acting: None, actor: signed.access.actor().clone(), told };
    let (cookie, reply) = turn.take(&state, cookie).await?;
    Ok((cookie, Json(reply)))
}

/// A session that goes elsewhere, or home again.
pub(super) struct Turn {
    /// Where to act and why; `None` goes home.
    pub acting: Option<(Scope, String)>,
    /// Who.
    pub actor: Actor,
    /// What the audits of those concerned say.
    pub told: Vec<(Scope, Event)>,
}

impl Turn {
    /// Takes it: the session has a new cookie and the old one is void.
    pub async fn take(
        self,
        state: &ApiState,
        old: &SessionCookie,
    ) -> Result<(CookieHeader, SessionReply), SessionError> {
        let (secret, system) = (old.secret(), state.store.system(Reason::SignIn));
        let found = system.console_session(secret.scope(), secret.hash()).await?;
        let found = found.ok_or(SessionError::Ended)?;
        let now = state.now();
        let longest = found.created_at.after(cookie::LONGEST);
        let ends_at = match &self.acting {
            Some(_) => longest.min(now.after(cookie::ACTING)),
            None => longest,
        };
        let home = secret.scope().organization().ok_or(SessionError::Ended)?;
        let new = SessionCookie::new(home)?;
        let hash = new.secret().hash();
        let change = SessionChange { hash, acting: self.acting, ends_at, now };
        let changed = system.change_console_session(
            secret.scope(),
            secret.hash(),
            change,
            &self.actor,
            self.told,
        );
        if !changed.await? {
            return Err(SessionError::Ended);
        }
        state.sessions.forget();
        shown(state, new, ends_at).await
    }
}
