//! Deleting files: a version that says so and a new generation, or nothing.

use crate::{
    Precondition, Scoped, StoreError, environment_locks,
    file_writes::{INSERT_VERSION, raise_generation},
    files::count,
};
use domain::{FilePath, Timestamp, audit::Event, requirements};
use serde_json::json;

/// Why a file was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteFileError {
    /// There is none in the asking scope.
    #[error("no such file")]
    NotThere,
    /// The writer did not say which version they know.
    #[error("say which version you know")]
    PreconditionRequired,
    /// Somebody else was faster.
    #[error("the file is at version {current} now")]
    Stale {
        /// Its version.
        current: u32,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const DELETE: &str = "DELETE FROM workspace_files WHERE organization_id = $1 AND path = $2";

impl Scoped {
    /// Deletes a file of the asking scope; its versions stay.
    pub async fn delete_file(
        &self,
        path: &FilePath,
        precondition: Precondition,
        now: Timestamp,
    ) -> Result<(), DeleteFileError> {
        let transaction = self.write().await?;
        let gate = transaction.tenant(self.scope());
        let current = self.current(&gate, path).await?.ok_or(DeleteFileError::NotThere)?;
        let at = count(current.version)?;
        match precondition {
            Precondition::None => return Err(DeleteFileError::PreconditionRequired),
            Precondition::Version(known) if known != at => {
                return Err(DeleteFileError::Stale { current: at });
            }
            _ => {}
        }
        gate.run_with_next(DELETE, [self.scope().column().into(), path.as_str().into()]).await?;
        let values = [
            self.scope().column().into(),
            path.as_str().into(),
            (current.version + 1).into(),
            None::<String>.into(),
            0i64.into(),
            None::<Vec<u8>>.into(),
            None::<String>.into(),
            "delete".into(),
            self.access().actor().label().into(),
            now.0.into(),
        ];
        gate.run_with_next(INSERT_VERSION, values).await?;
        if requirements::is_requirements(path) {
            environment_locks::unwant(&gate, self.scope()).await?;
        }
        let event = Event::done("file.delete", path.as_str())
            .with(json!({ "version": current.version + 1 }));
        transaction.audit(self.scope(), self.access().actor(), event, now).await?;
        self.look_at_schedules(&gate, path, false, now).await?;
        raise_generation(transaction, self.scope()).await?;
        Ok(())
    }
}
