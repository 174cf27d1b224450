//! Jobs that nobody may run: they end at the claim, loudly, and nothing of them is executed.

use super::{
    deal::{Hand, Taken},
    finish::END,
    lanes::{self, Change},
};
use crate::{StoreError, db::Write, row::FromRow};
use domain::{
    Actor, ExecutionId, OrganizationId, Scope, Timestamp,
    audit::Event,
    execution::{Failure, Status},
};
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

#[derive(FromRow)]
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
    hand: &Hand,
    row: &Taken,
    why: Refusal,
    now: Timestamp,
) -> Result<Refused, StoreError> {
    let (execution, scope) = (ExecutionId(row.execution_id), hand.owner);
    let (gate, organization) = (write.tenant(scope), scope.column());
    gate.run(REMOVE, [organization.into(), row.execution_id.into()]).await?;
    gate.run(END, ended(scope, execution, why, now)?).await?;
    lanes::change(&gate, scope, Change::unused(hand.charged)).await?;
    let known = gate.one::<Existing, 1>(EXISTS, [organization.into()]).await?.is_some();
    let owner = if known { scope } else { Scope::Organization(OrganizationId::PROVIDER) };
    let detail = json!({ "because": why.to_string(), "organization": organization });
    let event = Event::denied("execution.run", execution.to_string()).with(detail);
    write.audit(owner, &Actor::Platform, event, now).await?;
    Ok(Refused { execution, organization, why })
}

fn ended(
    owner: Scope,
    execution: ExecutionId,
    why: Refusal,
    now: Timestamp,
) -> Result<[sea_orm::Value; 8], StoreError> {
    let (kind, message) = (why.kind().to_owned(), why.to_string());
    let failure =
        serde_json::to_string(&Failure { kind, message, traceback: String::new(), details: None });
    Ok([
        owner.column().into(),
        execution.0.into(),
        Status::Failed.as_str().into(),
        None::<String>.into(),
        failure.map_err(|e| StoreError::unreadable("failure", e))?.into(),
        "[]".into(),
        now.0.into(),
        None::<String>.into(),
    ])
}
