//! What the `requirements.txt` of each scope came to: its lock, and how its building goes.
//!
//! A file that is written is noted in the same transaction. Servers then resolve and build; the
//! lock that is kept first is the lock of all of them.

use crate::{Scoped, StoreError, System, files::count, gate::Gate, row::FromRow};
use domain::{Scope, Timestamp, audit::Event, scope::Side};
use sea_orm::Value;

/// How far an environment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentStatus {
    /// Nobody has begun.
    Waiting,
    /// A server resolves or installs.
    Building,
    /// It was built.
    Ready,
    /// It cannot be built; the one before stays in use.
    Failed,
}

/// What is known about one content of a scope's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentLock {
    /// SHA-256 of the file, in hex.
    pub requirements_hash: String,
    /// The file's version when it had this content.
    pub version: u32,
    /// Whether the file has it now.
    pub current: bool,
    /// How far it is.
    pub status: EnvironmentStatus,
    /// The packages with versions and hashes, once resolved.
    pub lock: Option<String>,
    /// What is being done, while it is.
    pub progress: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// When a server last had it whole.
    pub built_at: Option<Timestamp>,
    /// When this was last told.
    pub updated_at: Timestamp,
}

/// What a server tells about a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvironmentNews {
    /// It is being built, and this is being done.
    Building(String),
    /// It is there.
    Ready,
    /// It cannot be built, for this reason.
    Failed(String),
    /// Runs use it.
    Used,
}

#[derive(FromRow)]
struct Row {
    requirements_hash: String,
    version: i64,
    current: bool,
    status: String,
    lock_text: Option<String>,
    progress: Option<String>,
    error: Option<String>,
    built_at: Option<i64>,
    updated_at: i64,
}

const ONE: &str = "SELECT requirements_hash, version, current, status, lock_text, progress, error,
    built_at, updated_at FROM environment_locks
    WHERE organization_id = $1 AND requirements_hash = $2";
const LAST_GOOD: &str = "SELECT requirements_hash, version, current, status, lock_text, progress,
    error, built_at, updated_at FROM environment_locks
    WHERE organization_id = $1 AND requirements_hash <> $2 AND built_at IS NOT NULL
    ORDER BY used_at DESC, requirements_hash LIMIT 1";
const OF_ONE: &str = "SELECT requirements_hash, version, current, status, lock_text, progress,
    error, built_at, updated_at FROM environment_locks WHERE organization_id = $1
    ORDER BY requirements_hash";
const WANT: &str = "INSERT INTO environment_locks
    (organization_id, requirements_hash, version, current, status, used_at, updated_at)
    VALUES ($1, $2, $3, TRUE, 'waiting', $4, $5)
    ON CONFLICT (organization_id, requirements_hash) DO UPDATE SET
        version = excluded.version, current = TRUE, used_at = excluded.used_at";
const LEAVE: &str = "UPDATE environment_locks SET current = FALSE
    WHERE organization_id = $1 AND requirements_hash <> $2";
const AGAIN: &str = "UPDATE environment_locks
    SET status = 'waiting', progress = NULL, error = NULL, updated_at = $3
    WHERE organization_id = $1 AND requirements_hash = $2 AND status <> 'ready'";
const LOCK: &str = "UPDATE environment_locks SET lock_text = $3
    WHERE organization_id = $1 AND requirements_hash = $2 AND lock_text IS NULL";
const BUILDING: &str = "UPDATE environment_locks
    SET status = 'building', progress = $3, error = NULL, updated_at = $4
    WHERE organization_id = $1 AND requirements_hash = $2";
const READY: &str = "UPDATE environment_locks
    SET status = 'ready', progress = NULL, error = NULL, built_at = $3, updated_at = $4
    WHERE organization_id = $1 AND requirements_hash = $2";
const FAILED: &str = "UPDATE environment_locks
    SET status = 'failed', progress = NULL, error = $3, updated_at = $4
    WHERE organization_id = $1 AND requirements_hash = $2";
const USED: &str = "UPDATE environment_locks SET used_at = $3
    WHERE organization_id = $1 AND requirements_hash = $2";
const FORGET: &str = "DELETE FROM environment_locks
    WHERE organization_id = $1 AND current = FALSE AND used_at < $2 AND requirements_hash <> $3";

impl Scoped {
    /// What is known about a content of the asking scope's file, or of Global's.
    pub async fn environment(
        &self,
        side: Side,
        hash: &str,
    ) -> Result<Option<EnvironmentLock>, StoreError> {
        one(&self.gate(), self.on(side), hash).await
    }

    /// The one used while that of `hash` is not there.
    pub async fn last_environment(
        &self,
        side: Side,
        hash: &str,
    ) -> Result<Option<EnvironmentLock>, StoreError> {
        last(&self.gate(), self.on(side), hash).await
    }

    fn on(&self, side: Side) -> Scope {
        match side {
            Side::Own => self.scope(),
            Side::Global => Scope::Global,
        }
    }

    /// Somebody wants the environment of the asking scope's file tried again.
    pub async fn build_environment(
        &self,
        hash: &str,
        version: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let write = self.write().await?;
        want(&write.tenant(self.scope()), self.scope(), hash, version, now).await?;
        let event = Event::done("environment.build", domain::requirements::PATH)
            .with(serde_json::json!({ "version": version, "hash": hash }));
        write.audit(self.scope(), self.access().actor(), event, now).await?;
        write.commit().await
    }
}

impl System {
    /// What is known about a content of `owner`'s file.
    pub async fn environment(
        &self,
        owner: Scope,
        hash: &str,
    ) -> Result<Option<EnvironmentLock>, StoreError> {
        one(&self.tenant(owner), owner, hash).await
    }

    /// The last one that was built, but for that of `hash`.
    pub async fn last_environment(
        &self,
        owner: Scope,
        hash: &str,
    ) -> Result<Option<EnvironmentLock>, StoreError> {
        last(&self.tenant(owner), owner, hash).await
    }

    /// Every content of `owner`'s file that is remembered.
    pub async fn environments(&self, owner: Scope) -> Result<Vec<EnvironmentLock>, StoreError> {
        let rows = self.tenant(owner).all::<Row, 1>(OF_ONE, [owner.column().into()]).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Notes a content that was written before there were environments.
    pub async fn want_environment(
        &self,
        owner: Scope,
        hash: &str,
        version: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let write = self.write(owner).await?;
        want(&write.tenant(owner), owner, hash, version, now).await?;
        write.commit().await
    }

    /// Keeps a lock; the one that is kept, which is another server's if that was faster.
    pub async fn keep_lock(
        &self,
        owner: Scope,
        hash: &str,
        lock: &str,
    ) -> Result<Option<String>, StoreError> {
        let write = self.write(owner).await?;
        let gate = write.tenant(owner);
        gate.run(LOCK, [owner.column().into(), hash.into(), lock.into()]).await?;
        let kept = one(&gate, owner, hash).await?;
        write.commit().await?;
        Ok(kept.and_then(|row| row.lock))
    }

    /// Notes how a build goes.
    pub async fn tell_environment(
        &self,
        owner: Scope,
        hash: &str,
        news: EnvironmentNews,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = || (Value::from(owner.column()), Value::from(hash), Value::from(now.0));
        let write = self.write(owner).await?;
        let (gate, (owner, hash, now)) = (write.tenant(owner), key());
        match news {
            EnvironmentNews::Building(what) => {
                gate.run(BUILDING, [owner, hash, what.into(), now]).await?
            }
            EnvironmentNews::Ready => gate.run(READY, [owner, hash, now.clone(), now]).await?,
            EnvironmentNews::Failed(why) => {
                gate.run(FAILED, [owner, hash, why.into(), now]).await?
            }
            EnvironmentNews::Used => gate.run(USED, [owner, hash, now]).await?,
        };
        write.commit().await
    }

    /// Forgets contents that the file had before and nobody has used since `before`, but for
    /// `keep`.
    pub async fn forget_environments(
        &self,
        owner: Scope,
        before: Timestamp,
        keep: &str,
    ) -> Result<u64, StoreError> {
        let write = self.write(owner).await?;
        let values = [owner.column().into(), before.0.into(), keep.into()];
        let gone = write.tenant(owner).run(FORGET, values).await?;
        write.commit().await?;
        Ok(gone)
    }
}

/// The file has this content now. What had failed is tried again.
pub(crate) async fn want(
    gate: &Gate<'_>,
    owner: Scope,
    hash: &str,
    version: u32,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = || [Value::from(owner.column()), Value::from(hash)];
    let [id, content] = key();
    let version = i64::from(version).into();
    gate.run(WANT, [id, content, version, now.0.into(), now.0.into()]).await?;
    let [id, content] = key();
    gate.run(AGAIN, [id, content, now.0.into()]).await?;
    gate.run(LEAVE, key()).await?;
    Ok(())
}

/// There is no file any more.
pub(crate) async fn unwant(gate: &Gate<'_>, owner: Scope) -> Result<(), StoreError> {
    gate.run(LEAVE, [owner.column().into(), "".into()]).await?;
    Ok(())
}

async fn one(
    gate: &Gate<'_>,
    owner: Scope,
    hash: &str,
) -> Result<Option<EnvironmentLock>, StoreError> {
    let row = gate.one::<Row, 2>(ONE, [owner.column().into(), hash.into()]).await?;
    row.map(TryInto::try_into).transpose()
}

/// The last one that was built, but for that of `hash`.
async fn last(
    gate: &Gate<'_>,
    owner: Scope,
    hash: &str,
) -> Result<Option<EnvironmentLock>, StoreError> {
    let row = gate.one::<Row, 2>(LAST_GOOD, [owner.column().into(), hash.into()]).await?;
    row.map(TryInto::try_into).transpose()
}

impl TryFrom<Row> for EnvironmentLock {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let status = match row.status.as_str() {
            "waiting" => EnvironmentStatus::Waiting,
            "building" => EnvironmentStatus::Building,
            "ready" => EnvironmentStatus::Ready,
            "failed" => EnvironmentStatus::Failed,
            _ => return Err(StoreError::unreadable("environment", "an unknown status")),
        };
        Ok(Self {
            requirements_hash: row.requirements_hash,
            version: count(row.version)?,
            current: row.current,
            status,
            lock: row.lock_text,
            progress: row.progress,
            error: row.error,
            built_at: row.built_at.map(Timestamp),
            updated_at: Timestamp(row.updated_at),
        })
    }
}
