//! Who did what in the organization, and who was kept from it.

use crate::{
    extract::{Query, Signed},
    page::{Page, PageQuery},
    problem::Problem,
    state::ApiState,
};
use axum::{Json, extract::State};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Audited, ListAudit};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only this action, such as `file.write`, or a noun with all its actions: `file.`.
    action: Option<String>,
}

/// An entry of the audit.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    /// Counts from 1 in each organization, without gaps.
    seq: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    actor: AuditActor,
    /// The organization that a provider's person acted from.
    #[schema(required = true)]
    acting_from: Option<Uuid>,
    /// Why they acted.
    #[schema(required = true)]
    reason: Option<String>,
    /// Noun and verb, such as `file.write`.
    action: String,
    /// What it was done to.
    object: String,
    /// `done`, or `denied` when it was refused.
    #[schema(value_type = domain::audit::Verdict)]
    verdict: String,
    /// More about it.
    #[schema(value_type = Option<Object>, required = true)]
    detail: serde_json::Value,
    /// SHA-256 over this entry and the hash of the one before.
    hash: String,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
pub struct AuditActor {
    /// `user`, `key`, `execution`, `operator`, `schedule` or `platform`.
    kind: String,
    /// The id of the user, key or execution.
    #[schema(required = true)]
    id: Option<Uuid>,
    /// Address or name.
    name: String,
}

impl From<Audited> for AuditEntry {
    fn from(Audited { entry, hash }: Audited) -> Self {
        let who = entry.who;
        Self {
            seq: entry.seq,
            at: entry.at,
            actor: AuditActor { kind: who.kind, id: who.id, name: who.name },
            acting_from: who.acting_from.map(|id| id.0),
            reason: who.reason,
            action: entry.action,
            object: entry.object,
            verdict: entry.verdict,
            // Text that is no JSON was not written here; shown as it is, it still can be read.
            detail: serde_json::from_str(&entry.detail).unwrap_or(entry.detail.into()),
            hash,
        }
    }
}

/// The organization's audit, newest first.
#[utoipa::path(
    get, path = "/api/audit", tag = "audit", operation_id = "listAudit",
    params(PageQuery, AuditQuery), responses((status = 200, body = Page<AuditEntry>))
)]
pub async fn list(
    State(state): State<ApiState>,
    signed: Signed,
    Query(page): Query<PageQuery>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let wanted = page.wanted("audit", &state, &signed)?;
    let list = ListAudit { before: wanted.after(), action: query.action, limit: wanted.rows() };
    let rows = state.scoped(&signed).audit_entries(list).await?;
    Ok(Json(wanted.page(rows, |row| row.entry.seq.to_string())))
}
