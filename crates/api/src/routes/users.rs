//! People of the token's organization, as its admins keep them.

use crate::{
    extract::{Body, Id, Query, Reply, Signed},
    page::{Page, PageQuery},
    passwords::PasswordError,
    problem::{FieldError, Problem},
    state::ApiState,
    wire::{is_display_name, normal_email},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{Role, Scope, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::{ChangeUserError, CreateUserError, NewUser, StoreError, User, UserChange};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why a user was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// Not there, or another organization's.
    #[error("not there")]
    NotThere,
    /// What was sent is not valid.
    #[error("the input is not valid")]
    Invalid(Vec<FieldError>),
    /// Somebody of the organization has the address.
    #[error("somebody of this organization has this address already")]
    EmailTaken,
    /// Nobody may lock themselves out by mistake.
    #[error("nobody can delete, deactivate or demote their own account: ask another admin")]
    OwnAccount,
    /// Global has files, but no people.
    #[error("Global has no users: act in an organization")]
    Global,
    /// Nobody could let anybody in any more.
    #[error("the provider needs an active admin; make somebody else one first")]
    LastAdmin,
    /// Too many passwords are being hashed.
    #[error("too many passwords are being hashed; wait")]
    Busy,
    /// Something inside failed.
    #[error("{0}")]
    Internal(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for UsersError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        match self {
            Self::NotThere => Problem::not_found(),
            Self::Invalid(errors) => Problem::invalid_fields(errors),
            Self::EmailTaken => Problem::new(StatusCode::CONFLICT, "email_taken", text),
            Self::OwnAccount => Problem::new(StatusCode::CONFLICT, "own_account", text),
            Self::Global => Problem::new(StatusCode::CONFLICT, "no_users_in_global", text),
            Self::LastAdmin => Problem::new(StatusCode::CONFLICT, "last_admin", text),
            Self::Busy => Problem::too_many("busy", "too many at once; wait", 1),
            Self::Internal(cause) => Problem::internal(&cause),
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

impl From<ChangeUserError> for UsersError {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::LastAdmin => Self::LastAdmin,
            ChangeUserError::Store(error) => error.into(),
        }
    }
}

impl From<PasswordError> for UsersError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Unfit => {
                Self::Invalid(vec![FieldError::new("/password", error.to_string())])
            }
            PasswordError::Busy => Self::Busy,
            PasswordError::Hash => Self::Internal(error.to_string()),
        }
    }
}

/// A person of the organization.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserReply {
    id: Uuid,
    email: String,
    name: String,
    role: Role,
    /// Whether they may sign in.
    active: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<User> for UserReply {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            email: user.email,
            name: user.name,
            role: user.role,
            active: user.active,
            created_at: user.created_at,
        }
    }
}

/// A new person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
pub struct CreateBody {
    /// Unique in the organization; kept in lower case.
    email: String,
    /// For people.
    name: String,
    role: Role,
    /// Without one they cannot sign in yet. At least 8 characters.
    #[schema(format = Password)]
    password: Option<String>,
}

/// What changes; what is left out stays. Anything but the name signs the person out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserChange)]
pub struct ChangeBody {
    name: Option<String>,
    role: Option<Role>,
    active: Option<bool>,
    #[schema(format = Password)]
    password: Option<String>,
}

/// People of the organization, in the order in which they were added.
#[utoipa::path(
    get, path = "/api/users", tag = "users", operation_id = "listUsers",
    params(PageQuery), responses((status = 200, body = Page<UserReply>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<UserReply>>, Problem> {
    let wanted = page.wanted("users", &state, &signed)?;
    let rows = state.scoped(&signed).users(wanted.after(), wanted.rows()).await?;
    Ok(Json(wanted.page(rows, |user| user.id.to_string())))
}

/// Add a person.
#[utoipa::path(
    post, path = "/api/users", tag = "users", operation_id = "createUser",
    request_body = CreateBody, responses((status = 201, body = UserReply))
)]
pub async fn create(
    State(state): State<ApiState>,
    signed: Signed,
    Body(body): Body<CreateBody>,
) -> Result<Reply<UserReply>, UsersError> {
    if signed.access.scope() == Scope::Global {
        return Err(UsersError::Global);
    }
    let email = checked_email(&body).map_err(UsersError::Invalid)?;
    let new = NewUser {
        id: UserId(Uuid::now_v7()),
        email,
        name: body.name,
        role: body.role,
        password_hash: hashed(&state, body.password).await?,
        now: state.now(),
    };
    let created = state.scoped(&signed).create_user(new).await.map_err(|error| match error {
        CreateUserError::EmailTaken(_) => UsersError::EmailTaken,
        CreateUserError::Store(error) => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(created.into())))
}

fn checked_email(body: &CreateBody) -> Result<String, Vec<FieldError>> {
    let mut errors: Vec<_> = name_error(Some(&body.name)).into_iter().collect();
    let email = normal_email(&body.email);
    if email.is_none() {
        errors.push(FieldError::new("/email", "is not an address like `name@example.com`"));
    }
    email.filter(|_| errors.is_empty()).ok_or(errors)
}

fn name_error(name: Option<&str>) -> Option<FieldError> {
    let bad = name.is_some_and(|name| !is_display_name(name));
    bad.then(|| FieldError::new("/name", "use 1 to 200 characters, without space around"))
}

async fn hashed(
    state: &ApiState,
    password: Option<String>,
) -> Result<Option<String>, PasswordError> {
    match password {
        Some(password) => state.passwords.hash(password).await.map(Some),
        None => Ok(None),
    }
}

/// Change a person's name, role, password, or whether they may sign in.
#[utoipa::path(
    patch, path = "/api/users/{id}", tag = "users", operation_id = "updateUser",
    params(("id" = Uuid, Path)), request_body = ChangeBody,
    responses((status = 200, body = UserReply))
)]
pub async fn update(
    State(state): State<ApiState>,
    signed: Signed,
    Id(id): Id<UserId>,
    Body(body): Body<ChangeBody>,
) -> Result<Json<UserReply>, UsersError> {
    let scoped = state.scoped(&signed);
    scoped.user(id).await?.ok_or(UsersError::NotThere)?;
    if let Some(error) = name_error(body.name.as_deref()) {
        return Err(UsersError::Invalid(vec![error]));
    }
    let lowers = body.active == Some(false) || body.role.is_some_and(|it| it != Role::Admin);
    if lowers && signed.access.actor().user() == Some(id) {
        return Err(UsersError::OwnAccount);
    }
    let change = UserChange {
        name: body.name,
        role: body.role,
        active: body.active,
        password_hash: hashed(&state, body.password).await?,
    };
    let changed = scoped.update_user(id, change, state.now()).await?;
    state.sessions.forget();
    changed.map(|user| Json(user.into())).ok_or(UsersError::NotThere)
}

/// Delete a person.
#[utoipa::path(
    delete, path = "/api/users/{id}", tag = "users", operation_id = "deleteUser",
    params(("id" = Uuid, Path)), responses((status = 204, description = "Deleted."))
)]
pub async fn delete(
    State(state): State<ApiState>,
    signed: Signed,
    Id(id): Id<UserId>,
) -> Result<StatusCode, UsersError> {
    if signed.access.actor().user() == Some(id) {
        return Err(UsersError::OwnAccount);
    }
    let deleted = state.scoped(&signed).delete_user(id, state.now()).await?;
    state.sessions.forget();
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(UsersError::NotThere) }
}
