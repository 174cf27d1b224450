//! Jobs that nobody may run: they end at the claim, loudly, and nothing of them is executed.

use super::{claim::ClaimRow, finish::END, seats};
use crate::{StoreError, db::Write};
use domain::{
    Actor, ExecutionId, OrganizationId, Scope, Timestamp,
    audit::Event,
    execution::{Failure, Status},
};
use sea_orm::FromQueryResult;
use serde_json::json;
use uuid::Uuid;

/// A job that ended at its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which execution it was for.
    pub execution: ExecutionId,
    /// The organization its row names.
    pub organization: Uuid,
    /// Why.
    pub why: Refusal,
}

/// Why a job may not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The organization of the row has no such execution: there is none, or it is another's.
    #[error("its organization has no such execution")]
    ExecutionMissing,
    /// The row names an organization that is not there.
    #[error("its organization is not there")]
    OrganizationUnknown,
    /// Nothing of a suspended organization runs.
    #[error("the organization is suspended; nothing of it runs")]
    OrganizationSuspended,
    /// What is stored of the organization makes no sense.
    #[error("its organization cannot be read")]
    OrganizationUnreadable,
}

impl Refusal {
    /// The word in the execution's `error.type`.
    fn kind(self) -> &'static str {
        match self {
            Self::ExecutionMissing => "ExecutionMissing",
            Self::OrganizationUnknown => "OrganizationUnknown",
            Self::OrganizationSuspended => "OrganizationSuspended",
            Self::OrganizationUnreadable => "OrganizationUnreadable",
        }
    }
}

#[derive(FromQueryResult)]
struct Existing {
    #[expect(dead_code, reason = "that there is a row is the answer")]
    id: Uuid,
}

const REMOVE: &str = "DELETE FROM job_queue WHERE organization_id = $1 AND execution_id = $2";
const EXISTS: &str = "SELECT id FROM organizations WHERE id = $1";

/// Ends a claimed job without running it, and says so in the audit: of its organization, or of the
/// provider when its organization is not there to read it.
pub(super) async fn refuse(
    write: &Write<'_>,
    row: &ClaimRow,
    why: Refusal,
    now: Timestamp,
) -> Result<Refused, StoreError> {
    let execution = ExecutionId(row.execution_id);
    let scope = Scope::from_column(row.organization_id);
    let gate = write.tenant(scope);
    let key = || [row.organization_id.into(), row.execution_id.into()];
    gate.run(REMOVE, key()).await?;
    gate.run(END, ended(row, why, now)?).await?;
    seats::give(&gate, scope).await?;
    let known = gate.one::<Existing, 1>(EXISTS, [row.organization_id.into()]).await?.is_some();
    let owner = if known { scope } else { Scope::Organization(OrganizationId::PROVIDER) };
    let detail = json!({ "because": why.to_string(), "organization": row.organization_id });
    let event = Event::denied("execution.run", execution.to_string()).with(detail);
    write.audit(owner, &Actor::Platform, event, now).await?;
    Ok(Refused { execution, organization: row.organization_id, why })
}

fn ended(row: &ClaimRow, why: Refusal, now: Timestamp) -> Result<[sea_orm::Value; 7], StoreError> {
    let (kind, message) = (why.kind().to_owned(), why.to_string());
    let failure = serde_json::to_string(&Failure { kind, message, traceback: String::new() });
    Ok([
        row.organization_id.into(),
        row.execution_id.into(),
        Status::Failed.as_str().into(),
        None::<String>.into(),
        failure.map_err(|e| StoreError::unreadable("failure", e))?.into(),
        "[]".into(),
        now.0.into(),
    ])
}
