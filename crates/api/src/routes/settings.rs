//! The organization's settings: read, changed by a merge patch, their schema and their history.

use crate::{
    denials::Kept,
    etag::{self, IfMatch, Tag},
    extract::{MergePatch, Query, Signed},
    page::{Page, PageQuery},
    problem::{FieldError, Problem},
    settings_document::SettingsDocument,
    state::ApiState,
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Role, Timestamp, settings};
use serde::Serialize;
use serde_json::Value;
use store::{
    Precondition, SettingsChange, StoreError, UpdateSettings, UpdateSettingsError,
    VersionedSettings,
};
use utoipa::ToSchema;

/// Why settings were not changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// `If-Match` is missing or stale.
    #[error("the precondition does not hold")]
    Precondition(Problem),
    /// They would not be valid afterwards.
    #[error("the settings are not valid; nothing was saved")]
    Invalid(Vec<settings::Fault>),
    /// Only the provider changes a share.
    #[error("`executions.weight` is changed by an admin of the provider who acts here")]
    ProviderOnly,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoResponse for SettingsError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        match self {
            Self::Precondition(problem) => problem,
            Self::Invalid(faults) => {
                let errors = faults.into_iter().map(|it| FieldError::new(it.pointer, it.detail));
                Problem::invalid_fields(errors.collect())
            }
            Self::ProviderOnly => {
                Problem::new(StatusCode::FORBIDDEN, "provider_only", text.clone())
                    .with_errors(vec![FieldError::new("/executions/weight", text)])
            }
            Self::Store(error) => error.into(),
        }
        .into_response()
    }
}

impl From<UpdateSettingsError> for SettingsError {
    fn from(error: UpdateSettingsError) -> Self {
        match error {
            UpdateSettingsError::PreconditionRequired => Self::Precondition(etag::required()),
            UpdateSettingsError::Stale => Self::Precondition(etag::stale()),
            UpdateSettingsError::Invalid(faults) => Self::Invalid(faults),
            UpdateSettingsError::ProviderOnly => Self::ProviderOnly,
            UpdateSettingsError::Store(error) => Self::Store(error),
        }
    }
}

/// One change of the past.
#[derive(Serialize, ToSchema)]
#[schema(as = SettingsChange)]
pub struct SettingsChangeReply {
    /// The version it made.
    version: u32,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who, for people.
    changed_by: String,
    /// The whole document as it was.
    #[schema(value_type = SettingsDocument)]
    before: Value,
    /// The whole document as it became.
    #[schema(value_type = SettingsDocument)]
    after: Value,
}

impl From<SettingsChange> for SettingsChangeReply {
    fn from(it: SettingsChange) -> Self {
        let SettingsChange { version, at, changed_by, before, after } = it;
        Self { version, at, changed_by, before, after }
    }
}

/// The settings, whole: what was never set has its default.
#[utoipa::path(
    get, path = "/api/org/settings", tag = "settings", operation_id = "getSettings",
    responses((status = 200, body = SettingsDocument,
        headers(("ETag" = String, description = "The version, to send back as `If-Match`."))))
)]
pub async fn get(State(state): State<ApiState>, signed: Signed) -> Result<Response, SettingsError> {
    Ok(document(state.scoped(&signed).settings().await?))
}

/// Change settings by a JSON Merge Patch (RFC 7396). `null` returns a key, or a section, to its
/// default. All of it is done or nothing; every fault is told. It counts at once, on every node
/// within a second.
#[utoipa::path(
    patch, path = "/api/org/settings", tag = "settings", operation_id = "updateSettings",
    params(("If-Match" = Option<String>, Header,
        description = "The ETag read, or `*` to force. Without it: 428.")),
    request_body(content(
        (SettingsDocument = "application/merge-patch+json"),
        (SettingsDocument = "application/json"),
    )),
    responses((status = 200, description = "As they are now.", body = SettingsDocument,
        headers(("ETag" = String, description = "The new version."))))
)]
pub async fn update(
    State(state): State<ApiState>,
    signed: Signed,
    if_match: IfMatch,
    MergePatch(patch): MergePatch,
) -> Result<Response, SettingsError> {
    let update = UpdateSettings {
        patch: &patch,
        precondition: precondition(if_match)?,
        may_set_weight: is_provider_admin(&signed),
        now: state.now(),
    };
    let updated = state.scoped(&signed).update_settings(update).await;
    if let Err(UpdateSettingsError::ProviderOnly) = &updated {
        let (scope, actor) = (signed.access.scope(), signed.access.actor());
        let kept = Kept { scope, actor, because: "only the provider changes it" };
        state.denials.note(kept, "settings.update", "executions.weight", state.now());
    }
    let updated = updated?;
    state.sessions.forget();
    // There may be room for more at once.
    state.bells.ring_work();
    Ok(document(updated))
}

/// JSON Schema (2020-12) of the settings, with defaults, ranges and descriptions.
#[utoipa::path(
    get, path = "/api/org/settings/schema", tag = "settings", operation_id = "getSettingsSchema",
    responses((status = 200, body = Object, content_type = "application/schema+json"))
)]
pub async fn schema() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/schema+json")], settings::schema().to_string())
}

/// Changes of the settings, newest first, each with the whole document before and after.
#[utoipa::path(
    get, path = "/api/org/settings/history", tag = "settings",
    operation_id = "listSettingsHistory",
    params(PageQuery), responses((status = 200, body = Page<SettingsChangeReply>))
)]
pub async fn history(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<SettingsChangeReply>>, Problem> {
    let wanted = page.wanted("settings history", &state, &signed)?;
    let rows = state.scoped(&signed).settings_history(wanted.after(), wanted.rows()).await?;
    Ok(Json(wanted.page(rows, |row| row.version.to_string())))
}

fn document(VersionedSettings { version, settings }: VersionedSettings) -> Response {
    let tag = Tag::Own(version).header();
    ([(header::ETAG, tag)], Json(SettingsDocument(settings))).into_response()
}

/// Settings are not inherited, so no tag of something inherited was ever read here.
fn precondition(if_match: IfMatch) -> Result<Precondition, SettingsError> {
    match if_match.of_own() {
        Ok(Precondition::None) => Err(SettingsError::Precondition(etag::required())),
        Ok(precondition) => Ok(precondition),
        Err(problem) => Err(SettingsError::Precondition(problem)),
    }
}

/// Whether the caller is an admin of those who run the platform, here or acting here.
fn is_provider_admin(signed: &Signed) -> bool {
    signed.session.home.is_provider && signed.access.role() == Role::Admin
}
