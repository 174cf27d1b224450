//! Lets go of environments that nobody uses and no file asks for.

use super::{Environments, lock};
use crate::sources::now;
use domain::{Scope, Timestamp};
use std::{collections::HashSet, io, sync::Weak};
use store::{EnvironmentStatus, Reason, StoreError};

/// Organizations looked at in one question.
const PAGE: u32 = 100;

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Environments {
    /// Removes what nobody has used for long and no scope's file asks for; how many.
    pub(crate) async fn let_go(&self) -> Result<usize, NotKept> {
        let keep = self.inner.options.keep;
        let unused = self.inner.directories.unused(keep)?;
        if unused.is_empty() {
            return Ok(0);
        }
        self.inner.slots.let_go(keep);
        let wanted = self.wanted().await?;
        let mut gone = 0;
        for id in unused.into_iter().filter(|id| !wanted.contains(id) && !self.is_held(id)) {
            let (directories, name) = (self.inner.directories.clone(), id.clone());
            let remove = move || directories.remove(&name, keep);
            if tokio::task::spawn_blocking(remove).await.map_err(io::Error::other)?? {
                self.inner.learning.forget(&id);
                tracing::info!(environment = id, "an environment that nobody uses is removed");
                gone += 1;
            }
        }
        Ok(gone)
    }

    fn is_held(&self, id: &str) -> bool {
        lock(&self.inner.held).get(id).is_some_and(|weak| Weak::strong_count(weak) > 0)
    }

    /// Those that a file of any scope asks for, or that are there instead.
    async fn wanted(&self) -> Result<HashSet<String>, StoreError> {
        let system = self.inner.store.system(Reason::Environments);
        let mut wanted = self.wanted_by(Scope::Global).await?;
        let mut after = None;
        loop {
            let page = system.organizations(after, PAGE).await?;
            for organization in &page {
                wanted.extend(self.wanted_by(organization.scope).await?);
            }
            match page.last() {
                Some(last) => after = Some(last.scope.column()),
                None => return Ok(wanted),
            }
        }
    }

    async fn wanted_by(&self, owner: Scope) -> Result<HashSet<String>, StoreError> {
        let system = self.inner.store.system(Reason::Environments);
        let rows = system.environments(owner).await?;
        let current = rows.iter().find(|row| row.current);
        let hash = current.map_or("", |row| row.requirements_hash.as_str());
        let last = match current {
            Some(row) if row.status != EnvironmentStatus::Ready => {
                system.last_environment(owner, hash).await?
            }
            _ => None,
        };
        if rows.len() > 1 {
            let kept = last.as_ref().map_or("", |row| row.requirements_hash.as_str());
            system.forget_environments(owner, self.long_ago(), kept).await?;
        }
        let locks = [current.cloned(), last].into_iter().flatten().filter_map(|row| row.lock);
        Ok(locks.map(|lock| self.inner.builds.name(&lock)).collect())
    }

    fn long_ago(&self) -> Timestamp {
        let keep = i64::try_from(self.inner.options.keep.as_micros()).unwrap_or(i64::MAX);
        Timestamp(now().0.saturating_sub(keep))
    }
}
