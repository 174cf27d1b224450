//! Who is signed in: a person, a person who acts elsewhere, or a program with a key.

use crate::extract::Signed;
use axum::Json;
use domain::Role;
use serde::Serialize;
use store::{Holder, Organization};
use utoipa::ToSchema;
use uuid::Uuid;

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// `null` for a program.
    #[schema(required = true)]
    user: Option<MyUser>,
    /// The program's key; not there for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<MyKey>,
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

/// The key of a program.
#[derive(Serialize, ToSchema)]
pub struct MyKey {
    id: Uuid,
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

impl From<&Signed> for Me {
    fn from(signed: &Signed) -> Self {
        let session = &signed.session;
        let (user, api_key) = match &session.holder {
            Holder::Person(user) => {
                let (email, name) = (user.email.clone(), user.name.clone());
                (Some(MyUser { id: user.id.0, email, name }), None)
            }
            Holder::Key(key) => (None, Some(MyKey { id: key.id.0, name: key.name.clone() })),
        };
        let acting = signed.access.actor().acting();
        Self {
            user,
            api_key,
            organization: (&session.organization).into(),
            role: signed.access.role(),
            acting_from: acting.map(|_| (&session.home).into()),
        }
    }
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/auth/me", tag = "auth", operation_id = "me",
    responses((status = 200, body = Me))
)]
pub async fn me(signed: Signed) -> Json<Me> {
    Json((&signed).into())
}
