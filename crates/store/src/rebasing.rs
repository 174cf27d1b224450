//! Bringing an override up to what Global has by now, and giving it up.

use crate::{
    DeleteFileError, Precondition, Scoped, Shadowed, StoreError, WriteFile, WriteFileError,
    Written, gate::Gate, row::FromRow,
};
use domain::{FilePath, Scope, Timestamp};

/// Why an override was not rebased.
#[derive(Debug, thiserror::Error)]
pub enum RebaseError {
    /// Global has no such version, or there is no override.
    #[error("there is no override, or Global has no such version")]
    NotThere,
    /// The write was refused.
    #[error(transparent)]
    Write(#[from] WriteFileError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an override was not given up.
#[derive(Debug, thiserror::Error)]
pub enum RevertError {
    /// The file hides none of Global's: deleting it would leave nothing.
    #[error("Global has no such file: delete it if that is what you want")]
    NoOverride,
    /// The deletion was refused.
    #[error(transparent)]
    Delete(#[from] DeleteFileError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct Row {
    hash: Option<String>,
}

const VERSION: &str = "SELECT hash FROM workspace_file_versions
    WHERE organization_id = $1 AND path = $2 AND version = $3";
const SET_BASE: &str = "UPDATE workspace_files SET base_version = $3, base_hash = $4
    WHERE organization_id = $1 AND path = $2";

impl Scoped {
    /// Writes an override that takes what Global has at `global` into account: that version is its
    /// base from now on. The write has to know the override's version.
    pub async fn rebase_file(
        &self,
        write: WriteFile<'_>,
        global: u32,
    ) -> Result<Written, RebaseError> {
        if self.scope() == Scope::Global || !matches!(write.precondition, Precondition::Version(_))
        {
            return Err(RebaseError::NotThere);
        }
        let key =
            [Scope::Global.column().into(), write.path.as_str().into(), i64::from(global).into()];
        let row = self.gate().one::<Row, 3>(VERSION, key).await?;
        let hash = row.and_then(|row| row.hash).ok_or(RebaseError::NotThere)?;
        let base = Shadowed { version: global, hash };
        Ok(Box::pin(self.write_upon(write, Some(base))).await?)
    }

    /// Deletes a file of the organization that hides one of Global's: the next run gets Global's.
    pub async fn revert_file(
        &self,
        path: &FilePath,
        precondition: Precondition,
        now: Timestamp,
    ) -> Result<(), RevertError> {
        if self.shadowed(path.as_str()).await?.is_none() {
            let key = domain::file_ref::FileRef::Own(None);
            return match self.named_content(path, key).await? {
                Some(_) => Err(RevertError::NoOverride),
                None => Err(RevertError::Delete(DeleteFileError::NotThere)),
            };
        }
        Ok(Box::pin(self.delete_file(path, precondition, now)).await?)
    }
}

/// Says from what an override begins.
pub(crate) async fn set_base(
    gate: &Gate<'_>,
    owner: Scope,
    path: &FilePath,
    base: &Shadowed,
) -> Result<(), StoreError> {
    let values = [
        owner.column().into(),
        path.as_str().into(),
        i64::from(base.version).into(),
        base.hash.clone().into(),
    ];
    gate.run_with_next(SET_BASE, values).await
}
