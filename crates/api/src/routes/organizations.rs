//! Organizations, as the provider's admins keep them while acting in Global.

use crate::{
    extract::Signed,
    extract::{Body, Id, Query, Reply},
    page::{Page, PageQuery},
    problem::{FieldError, Problem},
    routes::organization_removal::unconfirmed,
    state::ApiState,
    wire::is_display_name,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use domain::{OrganizationId, Scope, Slug, Timestamp};
use serde::{Deserialize, Serialize};
use store::{
    CreateOrganizationError, NewOrganization, Organization, OrganizationChange, OrganizationStatus,
    PurgeError, Reason, StoreError, System,
};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why an organization was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum OrganizationsError {
    /// No such organization.
    #[error("not there")]
    NotThere,
    /// What was sent is not valid.
    #[error("the input is not valid")]
    Invalid(Vec<FieldError>),
    /// Another one has the slug.
    #[error("an organization with this slug exists already")]
    SlugTaken,
    /// The provider's own organization stays, and stays active.
    #[error("the provider's own organization can be neither suspended nor deleted")]
    Provider,
    /// It still has something in it.
    #[error(
        "the organization is not empty: suspend it, or purge it with `?purge=true&confirm=SLUG`"
    )]
    NotEmpty,
    /// A purge without the slug.
    #[error("repeat the slug")]
    Unconfirmed,
    /// Something inside failed.
    #[error("{0}")]
    Internal(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PurgeError> for OrganizationsError {
    fn from(error: PurgeError) -> Self {
        match error {
            PurgeError::NotThere => Self::NotThere,
            PurgeError::Provider => Self::Provider,
            PurgeError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for OrganizationsError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        match self {
            Self::NotThere => Problem::not_found(),
            Self::Invalid(errors) => Problem::invalid_fields(errors),
            Self::SlugTaken => Problem::new(StatusCode::CONFLICT, "slug_taken", text),
            Self::Provider => Problem::new(StatusCode::CONFLICT, "provider_organization", text),
            Self::NotEmpty => Problem::new(StatusCode::CONFLICT, "not_empty", text),
            Self::Unconfirmed => unconfirmed(),
            Self::Internal(cause) => Problem::internal(&cause),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

/// Whether an organization may do anything.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OrganizationStatus)]
pub enum StatusWord {
    /// Yes.
    Active,
    /// Nobody of it may sign in, nothing of it runs.
    Suspended,
}

impl From<OrganizationStatus> for StatusWord {
    fn from(status: OrganizationStatus) -> Self {
        match status {
            OrganizationStatus::Active => Self::Active,
            OrganizationStatus::Suspended => Self::Suspended,
        }
    }
}

impl From<StatusWord> for OrganizationStatus {
    fn from(status: StatusWord) -> Self {
        match status {
            StatusWord::Active => Self::Active,
            StatusWord::Suspended => Self::Suspended,
        }
    }
}

/// An organization.
#[derive(Serialize, ToSchema)]
#[schema(as = Organization)]
pub struct OrganizationReply {
    id: Uuid,
    slug: String,
    name: String,
    status: StatusWord,
    is_provider: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Organization> for OrganizationReply {
    fn from(it: Organization) -> Self {
        Self {
            id: it.scope.column(),
            slug: it.slug.into(),
            name: it.name,
            status: it.status.into(),
            is_provider: it.is_provider,
            created_at: it.created_at,
        }
    }
}

/// A new organization.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrganization)]
pub struct CreateBody {
    /// `[a-z0-9][a-z0-9-]{1,62}`; never changes.
    slug: String,
    /// For people.
    name: String,
}

/// What changes; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrganizationChange)]
pub struct ChangeBody {
    /// For people.
    name: Option<String>,
    /// Suspending one signs all its people out within a second.
    status: Option<StatusWord>,
}

fn system(state: &ApiState) -> System {
    state.store.system(Reason::Organizations)
}

/// Organizations, oldest first.
#[utoipa::path(
    get, path = "/api/organizations", tag = "organizations", operation_id = "listOrganizations",
    params(PageQuery), responses((status = 200, body = Page<OrganizationReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<OrganizationReply>>, Problem> {
    let wanted = page.wanted("organizations", &state, &signed)?;
    let rows = system(&state).organizations(wanted.after(), wanted.rows()).await?;
    Ok(Json(wanted.page(rows, |row| row.scope.column().to_string())))
}

/// Create an organization.
#[utoipa::path(
    post, path = "/api/organizations", tag = "organizations", operation_id = "createOrganization",
    request_body = CreateBody, responses((status = 201, body = OrganizationReply))
)]
pub async fn create(
    State(state): State<ApiState>,
    signed: Signed,
    Body(body): Body<CreateBody>,
) -> Result<impl IntoResponse, OrganizationsError> {
    let (slug, name) = checked(body).map_err(OrganizationsError::Invalid)?;
    let id = OrganizationId(Uuid::now_v7());
    let new = NewOrganization { id, slug, name, now: state.now() };
    let created = system(&state).create_organization(new, &signed.access).await;
    let created = created.map_err(|error| match error {
        CreateOrganizationError::SlugTaken(_) => OrganizationsError::SlugTaken,
        CreateOrganizationError::Reserved(_) => OrganizationsError::Invalid(reserved_slug()),
        CreateOrganizationError::Store(error) => error.into(),
    })?;
    let location = HeaderValue::from_str(&format!("/api/organizations/{id}"));
    let location = location.ok().map(|value| (header::LOCATION, value));
    let reply: Reply<OrganizationReply> = (StatusCode::CREATED, Json(created.into()));
    Ok((AppendHeaders(location), reply))
}

fn checked(body: CreateBody) -> Result<(Slug, String), Vec<FieldError>> {
    let mut errors = Vec::new();
    let slug = Slug::parse(&body.slug);
    match &slug {
        Err(error) => errors.push(FieldError::new("/slug", error.to_string())),
        Ok(slug) if slug.is_reserved() => errors.extend(reserved_slug()),
        Ok(_) => {}
    }
    errors.extend(name_error(Some(&body.name)));
    match slug {
        Ok(slug) if errors.is_empty() => Ok((slug, body.name)),
        _ => Err(errors),
    }
}

fn reserved_slug() -> Vec<FieldError> {
    vec![FieldError::new("/slug", "the platform keeps this slug for itself: choose another")]
}

fn name_error(name: Option<&str>) -> Option<FieldError> {
    let bad = name.is_some_and(|name| !is_display_name(name));
    bad.then(|| FieldError::new("/name", "use 1 to 200 characters, without space around"))
}

/// One organization.
#[utoipa::path(
    get, path = "/api/organizations/{id}", tag = "organizations", operation_id = "getOrganization",
    params(("id" = Uuid, Path)), responses((status = 200, body = OrganizationReply))
)]
pub async fn get(
    State(state): State<ApiState>,
    Id(id): Id<Uuid>,
) -> Result<Json<OrganizationReply>, OrganizationsError> {
    find(&state, id).await.map(|found| Json(found.into()))
}

pub(super) async fn find(state: &ApiState, id: Uuid) -> Result<Organization, OrganizationsError> {
    let scope = tenant(id)?;
    system(state).organization(scope).await?.ok_or(OrganizationsError::NotThere)
}

/// Global is no organization here: it can be neither renamed nor deleted.
fn tenant(id: Uuid) -> Result<Scope, OrganizationsError> {
    match Scope::from_column(id) {
        Scope::Global => Err(OrganizationsError::NotThere),
        scope => Ok(scope),
    }
}

/// Rename, suspend or reactivate an organization.
#[utoipa::path(
    patch, path = "/api/organizations/{id}", tag = "organizations",
    operation_id = "updateOrganization", params(("id" = Uuid, Path)),
    request_body = ChangeBody, responses((status = 200, body = OrganizationReply))
)]
pub async fn update(
    State(state): State<ApiState>,
    signed: Signed,
    Id(id): Id<Uuid>,
    Body(body): Body<ChangeBody>,
) -> Result<Json<OrganizationReply>, OrganizationsError> {
    let found = find(&state, id).await?;
    if let Some(error) = name_error(body.name.as_deref()) {
        return Err(OrganizationsError::Invalid(vec![error]));
    }
    let status = body.status.map(OrganizationStatus::from);
    if found.is_provider && status == Some(OrganizationStatus::Suspended) {
        return Err(OrganizationsError::Provider);
    }
    let change = OrganizationChange { name: body.name, status };
    let (id, now) = (OrganizationId(id), state.now());
    let changed = system(&state).update_organization(id, change, &signed.access, now).await?;
    state.sessions.forget();
    changed.map(|changed| Json(changed.into())).ok_or(OrganizationsError::NotThere)
}
