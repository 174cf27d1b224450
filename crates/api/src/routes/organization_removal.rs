//! Deleting an organization: an empty one at once, a full one by purging it.

use crate::{
    extract::{Id, Query, Signed},
    problem::Problem,
    routes::organizations::{OrganizationsError, find},
    state::ApiState,
};
use axum::{extract::State, http::StatusCode};
use domain::{OrganizationId, Scope};
use serde::Deserialize;
use std::time::Duration;
use store::{DeleteOrganizationError, Reason};
use utoipa::IntoParams;
use uuid::Uuid;

/// How long the request waits for a purge, which goes on by itself.
const WAIT: Duration = Duration::from_secs(30);

/// How to delete.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// Delete it with everything in it. There is no way back.
    #[serde(default)]
    purge: bool,
    /// The slug of the organization, to confirm a purge.
    confirm: Option<String>,
}

/// Delete an empty organization, or purge one with everything in it.
#[utoipa::path(
    delete, path = "/api/organizations/{id}", tag = "organizations",
    operation_id = "deleteOrganization", params(("id" = Uuid, Path), DeleteQuery),
    responses(
        (status = 204, description = "Deleted."),
        (status = 202, description = "Suspended, and being purged."),
    )
)]
pub async fn delete(
    State(state): State<ApiState>,
    signed: Signed,
    Id(id): Id<Uuid>,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode, OrganizationsError> {
    let found = find(&state, id).await?;
    let id = OrganizationId(id);
    if !query.purge {
        return delete_empty(&state, &signed, id).await;
    }
    if query.confirm.as_deref() != Some(found.slug.as_str()) {
        return Err(OrganizationsError::Unconfirmed);
    }
    let system = state.store.system(Reason::Organizations);
    system.begin_purge(id, &signed.access, state.now()).await?;
    state.sessions.forget();
    // A client that hangs up does not stop it.
    let cache = state.cache.clone();
    let mut purge = tokio::spawn(async move {
        system.purge(id).await?;
        cache.forget(Scope::Organization(id)).await;
        Ok::<_, store::StoreError>(())
    });
    match tokio::time::timeout(WAIT, &mut purge).await {
        Ok(Ok(purged)) => purged.map(|()| StatusCode::NO_CONTENT).map_err(Into::into),
        Ok(Err(died)) => Err(OrganizationsError::Internal(died.to_string())),
        Err(_) => Ok(StatusCode::ACCEPTED),
    }
}

async fn delete_empty(
    state: &ApiState,
    signed: &Signed,
    id: OrganizationId,
) -> Result<StatusCode, OrganizationsError> {
    let system = state.store.system(Reason::Organizations);
    match system.delete_organization(id, &signed.access, state.now()).await {
        Ok(true) => {
            state.sessions.forget();
            Ok(StatusCode::NO_CONTENT)
        }
        Ok(false) => Err(OrganizationsError::NotThere),
        Err(DeleteOrganizationError::NotEmpty) => Err(OrganizationsError::NotEmpty),
        Err(DeleteOrganizationError::Provider) => Err(OrganizationsError::Provider),
        Err(DeleteOrganizationError::Store(error)) => Err(error.into()),
    }
}

/// The refusal of a purge without the slug.
pub(super) fn unconfirmed() -> Problem {
    Problem::invalid("/confirm", "repeat the organization's slug to purge it")
}
