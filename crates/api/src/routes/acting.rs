//! The provider's admins acting in another organization or in Global.

use crate::{
    cookie::SessionCookie,
    denials::Kept,
    extract::{Body, Signed},
    problem::Problem,
    proof::Proof,
    routes::{
        auth::{TokenReply, reply},
        console_session::{SessionError, SessionReply, Turn},
    },
    state::ApiState,
    tokens::{Act, BadToken, Grant},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{Acting, Actor, OrganizationId, Role, Scope, Slug, audit::Event};
use serde::{Deserialize, Serialize};
use store::{Organization, OrganizationStatus, Reason, StoreError, User};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why somebody may not act.
#[derive(Debug, thiserror::Error)]
pub enum ActingError {
    /// Not an admin of the provider, or acting already.
    #[error("only an admin of the provider may act, and not while acting")]
    MayNotAct,
    /// Every act is written down with its reason.
    #[error("say why, in 1 to 500 characters")]
    NoReason,
    /// No such organization, or it is suspended.
    #[error("there is no such organization to act in")]
    NoSuchOrganization,
    /// The token could not be signed.
    #[error(transparent)]
    Token(#[from] BadToken),
    /// The console's session could not change.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for ActingError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        match self {
            Self::MayNotAct => Problem::new(StatusCode::FORBIDDEN, "may_not_act", text),
            Self::NoReason => Problem::invalid("/reason", text),
            Self::NoSuchOrganization => Problem::invalid("/organization", text),
            Self::Token(error) => Problem::internal(&error),
            Self::Session(error) => return error.into_response(),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

/// What the audit calls Global.
const GLOBAL: &str = "global";

/// Where to act, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActIn {
    /// Slug of the organization; `null` for Global, which has to be said.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    organization: Option<String>,
    /// Written down with everything that is done.
    reason: String,
}

/// A token for it, or the session as it is from now on when the console's cookie asked.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum ActReply {
    /// For programs and command lines.
    Token(TokenReply),
    /// For the console; its cookie is a new one.
    Session(Box<SessionReply>),
}

/// Act in another organization, or in Global, as an admin of the provider.
#[utoipa::path(
    post, path = "/api/auth/act", tag = "auth", operation_id = "act",
    request_body = ActIn,
    responses((status = 200, body = ActReply))
)]
pub async fn act(
    State(state): State<ApiState>,
    signed: Signed,
    Body(body): Body<ActIn>,
) -> Result<Response, ActingError> {
    let home = &signed.session.organization;
    let may = home.is_provider && signed.access.role() == Role::Admin;
    let person = signed.session.person().filter(|_| may);
    let Some(person) = person.filter(|_| signed.access.actor().acting().is_none()) else {
        let asked = body.organization.unwrap_or_else(|| GLOBAL.to_owned());
        let (scope, actor) = (signed.access.scope(), signed.access.actor());
        let kept = Kept { scope, actor, because: "may not act" };
        state.denials.note(kept, "auth.act", &asked, state.now());
        return Err(ActingError::MayNotAct);
    };
    let reason = body.reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 {
        return Err(ActingError::NoReason);
    }
    let slug = body.organization.clone().unwrap_or_else(|| GLOBAL.to_owned());
    let scope = scope_to_act_in(&state, body.organization, home.scope).await?;
    let acting = Acting { home: OrganizationId(home.scope.column()), reason: reason.to_owned() };
    let act = Acts { person, home: home.scope, scope, slug, acting };
    match &*signed.proof {
        Proof::Cookie(cookie) => Ok(act.in_session(&state, cookie).await?),
        Proof::Token(claims) => act.with_token(&state, claims.sid).await,
        Proof::Key(_) => Err(ActingError::MayNotAct),
    }
}

/// Somebody who begins to act, everything checked.
struct Acts<'a> {
    person: &'a User,
    home: Scope,
    scope: Scope,
    slug: String,
    acting: Acting,
}

impl Acts<'_> {
    fn actor(&self) -> Actor {
        let (id, email) = (self.person.id, self.person.email.clone());
        Actor::User { id, email, acting: Some(self.acting.clone()) }
    }

    /// Ends with the sign-in that it descends from.
    async fn with_token(self, state: &ApiState, sign_in: Uuid) -> Result<Response, ActingError> {
        let User { id, epoch, .. } = *self.person;
        let reason = self.acting.reason.clone();
        let act = Act { sub: id.0, org_id: self.home.column(), reason };
        let (scope, role) = (self.scope, Role::Admin);
        let grant = Grant { scope, user: id, role, epoch, sign_in, act: Some(act) };
        let token = reply(state, grant, None)?;
        let (system, places) = (state.store.system(Reason::Session), (self.home, scope));
        system.audit_acting(places, &self.slug, &self.actor(), state.now()).await?;
        Ok(Json(ActReply::Token(token)).into_response())
    }

    async fn in_session(
        self,
        state: &ApiState,
        cookie: &SessionCookie,
    ) -> Result<Response, SessionError> {
        let event = || Event::done("auth.act", &self.slug);
        let turn = Turn {
            acting: Some((self.scope, self.acting.reason.clone())),
            actor: self.actor(),
            told: vec![(self.home, event()), (self.scope, event())],
        };
        let (cookie, session) = turn.take(state, cookie).await?;
        Ok((cookie, Json(ActReply::Session(session.into()))).into_response())
    }
}

async fn scope_to_act_in(
    state: &ApiState,
    slug: Option<String>,
    home: Scope,
) -> Result<Scope, ActingError> {
    let Some(slug) = slug else { return Ok(Scope::Global) };
    let slug = Slug::parse(&slug).map_err(|_| ActingError::NoSuchOrganization)?;
    let found = state.store.system(Reason::Session).organization_by_slug(&slug).await?;
    let good = |it: &Organization| it.status == OrganizationStatus::Active && it.scope != home;
    found.filter(good).map(|it| it.scope).ok_or(ActingError::NoSuchOrganization)
}
