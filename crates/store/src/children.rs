//! Executions that a run asks for: its children, and data providers instead of workflows.

use crate::{EnqueueError, Enqueued, NewExecution, Scoped, StoreError, gate::Gate, row::FromRow};
use domain::{ExecutionId, Scope};
use uuid::Uuid;

/// Generations there may be below an execution that somebody asked for.
pub const MAX_DEPTH: u32 = 5;

/// Why a run has no further child.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// Its ancestors are as many as there may be.
    #[error("an execution can start others at most {MAX_DEPTH} generations deep")]
    TooDeep,
    /// The run that asks is over, or about to be stopped.
    #[error("an execution that is being stopped starts no others")]
    ParentStopped,
    /// As for any execution.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

impl From<StoreError> for ChildError {
    fn from(error: StoreError) -> Self {
        Self::Enqueue(error.into())
    }
}

#[derive(FromRow)]
struct Parent {
    depth: i64,
    priority: i64,
    requested_by: String,
    requested_by_user: Option<Uuid>,
}

#[derive(FromRow)]
struct Standing {
    available_at: i64,
    cancel_requested: bool,
}

const PARENT: &str = "SELECT depth, priority, requested_by, requested_by_user FROM executions
    WHERE organization_id = $1 AND id = $2";
/// Locked, so that whoever cancels the parent either sees the child or is seen here.
const STANDING: &str = "SELECT available_at, cancel_requested FROM job_queue
    WHERE organization_id = $1 AND execution_id = $2 FOR UPDATE";
const ADOPT: &str = "UPDATE executions SET parent_id = $3, depth = $4, requested_by = $5,
    requested_by_user = $6 WHERE organization_id = $1 AND id = $2";
const STAND: &str = "UPDATE job_queue SET available_at = $3
    WHERE organization_id = $1 AND execution_id = $2 AND NOT delayed";
const ASK_PROVIDER: &str = "UPDATE executions SET provider = $3
    WHERE organization_id = $1 AND id = $2";

impl Scoped {
    /// Accepts an execution that the run `parent` asks for: of the same organization and person, in
    /// line where the parent stood unless it says otherwise.
    pub async fn enqueue_child(
        &self,
        parent: ExecutionId,
        mut new: NewExecution<'_>,
    ) -> Result<Enqueued, ChildError> {
        let write = self.write_beside_others().await?;
        let gate = write.tenant(self.scope());
        let owner = self.scope().column();
        let key = || [owner.into(), parent.0.into()];
        let standing = gate.one::<Standing, 2>(STANDING, key()).await?;
        let standing = standing.filter(|standing| !standing.cancel_requested);
        let standing = standing.ok_or(ChildError::ParentStopped)?;
        let row = gate.one::<Parent, 2>(PARENT, key()).await?.ok_or(ChildError::ParentStopped)?;
        if row.depth >= i64::from(MAX_DEPTH) {
            return Err(ChildError::TooDeep);
        }
        let asks = new.workflow.workflow.options.contains_key("priority");
        new.place.priority = new.place.priority.or((!asks).then_some(row.priority));
        let mut enqueued = write.enqueue(self.scope(), self.access().actor(), new).await?;
        if enqueued.created {
            let execution = &mut enqueued.execution;
            execution.parent = Some(parent);
            execution.depth = u32::try_from(row.depth).unwrap_or(0) + 1;
            execution.requested_by.clone_from(&row.requested_by);
            let since = execution.start_at.is_none().then_some(standing.available_at);
            adopt(&gate, self.scope(), (execution.id, parent), row).await?;
            if let Some(since) = since {
                let values = [owner.into(), enqueued.execution.id.0.into(), since.into()];
                gate.run(STAND, values).await?;
            }
        }
        write.commit_early().await?;
        Ok(enqueued)
    }

    /// Accepts a run of a data provider that the workflow's module has under this name.
    pub async fn enqueue_options(
        &self,
        provider: &str,
        new: NewExecution<'_>,
    ) -> Result<Enqueued, EnqueueError> {
        let write = self.write_beside_others().await?;
        let gate = write.tenant(self.scope());
        let mut enqueued = write.enqueue(self.scope(), self.access().actor(), new).await?;
        let id = enqueued.execution.id.0;
        gate.run(ASK_PROVIDER, [self.scope().column().into(), id.into(), provider.into()]).await?;
        enqueued.execution.provider = Some(provider.to_owned());
        write.commit_early().await?;
        Ok(enqueued)
    }

    /// Keeps what a run says of how far it has come.
    pub async fn note_progress(
        &self,
        id: ExecutionId,
        progress: &domain::execution::Progress,
    ) -> Result<(), StoreError> {
        let json = serde_json::to_string(progress);
        let json = json.map_err(|e| StoreError::unreadable("progress", e))?;
        let write = self.write_beside_others().await?;
        let values = [self.scope().column().into(), id.0.into(), json.into()];
        write.tenant(self.scope()).run(PROGRESS, values).await?;
        write.commit_early().await
    }
}

const PROGRESS: &str = "UPDATE executions SET progress_json = $3
    WHERE organization_id = $1 AND id = $2";

async fn adopt(
    gate: &Gate<'_>,
    owner: Scope,
    (child, parent): (ExecutionId, ExecutionId),
    row: Parent,
) -> Result<(), StoreError> {
    let values = [
        owner.column().into(),
        child.0.into(),
        parent.0.into(),
        (row.depth + 1).into(),
        row.requested_by.into(),
        row.requested_by_user.into(),
    ];
    gate.run(ADOPT, values).await.map(|_| ())
}

#[derive(FromRow)]
struct ChildRow {
    id: Uuid,
}

const CHILDREN: &str = "SELECT id FROM executions WHERE organization_id = $1 AND parent_id = $2
    AND status IN ('pending', 'running') ORDER BY id";

/// What an execution has started and has not ended, and what that has started.
pub(crate) async fn descendants(
    gate: &Gate<'_>,
    owner: Scope,
    of: ExecutionId,
) -> Result<Vec<ExecutionId>, StoreError> {
    let (mut found, mut at) = (vec![of], 0);
    while let Some(parent) = found.get(at).copied() {
        at += 1;
        let key = [owner.column().into(), parent.0.into()];
        let rows = gate.all::<ChildRow, 2>(CHILDREN, key).await?;
        found.extend(rows.into_iter().map(|row| ExecutionId(row.id)));
    }
    found.remove(0);
    Ok(found)
}
