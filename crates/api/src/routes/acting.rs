//! Who is signed in, and the provider's admins acting in another organization or in Global.

use crate::{
    extract::{Body, Signed},
    problem::Problem,
    routes::auth::{TokenReply, reply},
    state::ApiState,
    tokens::{Act, BadToken, Grant},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{Acting, Actor, OrganizationId, Role, Scope, Slug};
use serde::{Deserialize, Serialize};
use store::{Organization, OrganizationStatus, Reason, StoreError};
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
    /// Slug of the organization; `null` for Global.
    #[schema(required = true)]
    organization: Option<String>,
    /// Written down with everything that is done.
    reason: String,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub struct Me {
    user: MyUser,
    organization: MyOrganization,
    role: Role,
    /// The person's own organization while they act in another one.
    #[schema(required = true)]
    acting_from: Option<MyOrganization>,
}

/// The person.
#[derive(Serialize, ToSchema)]
pub struct MyUser {
    id: Uuid,
    email: String,
    name: String,
}

/// An organization, as its people see it.
#[derive(Serialize, ToSchema)]
pub struct MyOrganization {
    /// `null` for Global.
    #[schema(required = true)]
    id: Option<Uuid>,
    slug: String,
    name: String,
}

impl From<&Organization> for MyOrganization {
    fn from(it: &Organization) -> Self {
        let id = it.scope.organization().map(|id| id.0);
        Self { id, slug: it.slug.to_string(), name: it.name.clone() }
    }
}

/// Act in another organization, or in Global, as an admin of the provider.
#[utoipa::path(
    post, path = "/api/auth/act", tag = "auth", operation_id = "act",
    request_body = ActIn,
    responses((status = 200, body = TokenReply))
)]
pub async fn act(
    State(state): State<ApiState>,
    signed: Signed,
    Body(body): Body<ActIn>,
) -> Result<Json<TokenReply>, ActingError> {
    let session = &signed.session;
    let home = &session.organization;
    if signed.claims.act.is_some() || !home.is_provider || signed.access.role() != Role::Admin {
        return Err(ActingError::MayNotAct);
    }
    let reason = body.reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 {
        return Err(ActingError::NoReason);
    }
    let slug = body.organization.clone().unwrap_or_else(|| GLOBAL.to_owned());
    let scope = scope_to_act_in(&state, body.organization, home.scope).await?;
    let act =
        Act { sub: session.user.id.0, org_id: home.scope.column(), reason: reason.to_owned() };
    let user = &session.user;
    let grant =
        Grant { scope, user: user.id, role: Role::Admin, epoch: user.epoch, act: Some(act) };
    let token = reply(&state, grant, None)?;
    let acting = Acting { home: OrganizationId(home.scope.column()), reason: reason.to_owned() };
    let actor = Actor::User { id: user.id, email: user.email.clone(), acting: Some(acting) };
    state.scoped(&signed).audit_acting(scope, &slug, &actor, state.now()).await?;
    Ok(Json(token))
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

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/auth/me", tag = "auth", operation_id = "me",
    responses((status = 200, body = Me))
)]
pub async fn me(signed: Signed) -> Json<Me> {
    let session = &signed.session;
    let user = &session.user;
    Json(Me {
        user: MyUser { id: user.id.0, email: user.email.clone(), name: user.name.clone() },
        organization: (&session.organization).into(),
        role: signed.access.role(),
        acting_from: signed.claims.act.as_ref().map(|_| (&session.home).into()),
    })
}
