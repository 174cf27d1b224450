//! The store and its two doors: one organization's view, and the caretakers'.

use crate::{
    StoreError,
    engine::{Beside, Engine, Line, Transaction},
    gate::{Bound, Gate},
    guard::{CATALOG, Guard},
    keyring::Keyring,
    migrations,
    postgres::Listener,
    queue::entries::Entries,
    row::FromRow,
};
use domain::{Access, Scope};
use sea_orm::Value;
use std::sync::{Arc, OnceLock};

/// The database. Cheap to clone; nothing can be asked of it without saying for whom.
#[derive(Clone)]
pub struct Store(Arc<Db>);

struct Db {
    engine: Engine,
    guard: Guard,
    /// Opens what is sealed; there once the store is unlocked.
    keyring: OnceLock<Keyring>,
    /// What claims found out about workflows.
    entries: Entries,
}

/// Why somebody needs to see beyond one organization. Every use is listed in
/// `crates/store/system_calls.txt`, which a test holds complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Finding the account and the password hash for a sign-in.
    SignIn,
    /// Checking that the organization and the user of a token still stand.
    Session,
    /// Creating, listing and changing organizations.
    Organizations,
    /// Claiming work and keeping its lease.
    Claim,
    /// Finding work whose worker has gone.
    Rescue,
    /// Starting workflows whose time has come.
    Schedule,
    /// Letting go of what is older than its organization keeps it.
    Retention,
    /// Following the chains of the audit.
    Audit,
    /// Answering whether the database can be used.
    Health,
    /// Holding the master key against the database, and rotating it.
    Keys,
    /// Exporting and importing.
    Move,
    /// Building the packages that files ask for, whoever's run needs them first.
    Environments,
}

/// One organization's view, or Global's: whatever the [`Access`] was made for.
#[derive(Clone)]
pub struct Scoped {
    db: Arc<Db>,
    access: Access,
}

/// A caretaker's view: tables without tenant content, and single organizations by name.
#[derive(Clone)]
pub struct System {
    db: Arc<Db>,
    reason: Reason,
}

impl Store {
    /// Opens a database that is up to date. `url` is `sqlite:PATH` or `postgres://…`.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self::open_unmigrated(url, false).await?;
        migrations::require_current(&store.0.engine).await?;
        Ok(store)
    }

    /// Opens a database, creates it if it is a file that is not there, and brings it up to date.
    pub async fn create(url: &str) -> Result<Self, StoreError> {
        let store = Self::open_unmigrated(url, true).await?;
        migrations::up(&store.0.engine).await?;
        Ok(store)
    }

    /// As [`Store::create`], with a guard that lets everything through.
    #[cfg(feature = "unguarded")]
    pub async fn create_unguarded(url: &str) -> Result<Self, StoreError> {
        let engine = Engine::open(url, true).await?;
        migrations::up(&engine).await?;
        Ok(Self::of(engine, Guard::off()))
    }

    /// Opens a database whatever its migrations, to change them.
    pub async fn open_unmigrated(url: &str, create: bool) -> Result<Self, StoreError> {
        Ok(Self::of(Engine::open(url, create).await?, Guard::new(CATALOG)))
    }

    fn of(engine: Engine, guard: Guard) -> Self {
        Self(Arc::new(Db { engine, guard, keyring: OnceLock::new(), entries: Entries::default() }))
    }

    /// Applies what is missing; the names of what was applied. Walls that were broken are mended.
    pub async fn migrate_up(&self) -> Result<Vec<String>, StoreError> {
        let applied = migrations::up(&self.0.engine).await?;
        if !self.missing_walls().await?.is_empty() {
            self.0.engine.mend_walls().await?;
        }
        Ok(applied)
    }

    /// Takes back the last `steps` migrations, or all; the names of what was taken back.
    pub async fn migrate_down(&self, steps: Option<u32>) -> Result<Vec<String>, StoreError> {
        migrations::down(&self.0.engine, steps).await
    }

    /// Every migration and whether it is applied.
    pub async fn migration_status(&self) -> Result<Vec<migrations::MigrationState>, StoreError> {
        migrations::status(&self.0.engine).await
    }

    /// What is missing of the walls that the engine itself has to keep organizations apart.
    pub async fn missing_walls(&self) -> Result<Vec<String>, StoreError> {
        self.0.engine.missing_walls().await
    }

    /// What `access` may see.
    pub fn scoped(&self, access: &Access) -> Scoped {
        Scoped { db: self.0.clone(), access: access.clone() }
    }

    /// What a caretaker may see.
    pub fn system(&self, reason: Reason) -> System {
        System { db: self.0.clone(), reason }
    }

    /// Whether texts may have a NUL character.
    pub(crate) fn keeps_nul(&self) -> bool {
        self.0.engine.keeps_nul()
    }

    pub(crate) async fn engine_listener(&self) -> Result<Option<Listener>, StoreError> {
        self.0.engine.listener().await
    }

    pub(crate) async fn say(&self, word: &str) -> Result<(), StoreError> {
        self.0.engine.say(word).await
    }

    /// Keeps the keyring of an unlocked store. The first one stays; it finds rotated keys itself.
    pub(crate) fn install(&self, keyring: Keyring) {
        let _there_already = self.0.keyring.set(keyring);
    }

    /// Statements shown to the guard so far, and how many of them it refused.
    pub fn guard_counts(&self) -> (u64, u64) {
        (self.0.guard.checked(), self.0.guard.refused())
    }
}

/// For the tests that switch the walls off: compiled into the store's own tests and nowhere else,
/// so that no program can have it.
#[cfg(test)]
impl Store {
    /// Over an engine that was opened in a way of its own.
    pub(crate) fn over(engine: Engine) -> Self {
        Self::of(engine, Guard::new(CATALOG))
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }
}

impl Db {
    async fn write(&self, beside: Beside) -> Result<Write<'_>, StoreError> {
        let transaction = self.engine.write(beside).await?;
        Ok(Write { transaction, guard: &self.guard, keyring: &self.keyring })
    }
}

/// A transaction that writes. Dropped without [`Write::commit`], nothing happened.
pub(crate) struct Write<'a> {
    transaction: Transaction,
    guard: &'a Guard,
    keyring: &'a OnceLock<Keyring>,
}

impl Write<'_> {
    /// Statements for one scope.
    pub(crate) fn tenant(&self, scope: Scope) -> Gate<'_> {
        Gate::new(Line::Transaction(&self.transaction), self.guard, Bound::Tenant(scope.column()))
    }

    /// Statements of a caretaker.
    pub(crate) fn system(&self) -> Gate<'_> {
        Gate::new(Line::Transaction(&self.transaction), self.guard, Bound::System)
    }

    /// What opens and seals.
    pub(crate) fn keyring(&self) -> Result<&Keyring, StoreError> {
        self.keyring.get().ok_or(StoreError::NoMasterKey)
    }

    /// Makes it so.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await
    }

    /// Makes it so, and is done with its rows before the disk is: for those that many want.
    pub(crate) async fn commit_early(self) -> Result<(), StoreError> {
        self.transaction.commit_early().await
    }

    /// As [`Write::commit_early`], with a last statement of `owner`'s; the first row it gives.
    pub(crate) async fn commit_early_with<T: FromRow, const N: usize>(
        self,
        sql: &'static str,
        owner: Scope,
        values: [Value; N],
    ) -> Result<Option<T>, StoreError> {
        let last = self.tenant(owner).checked(sql, values.into())?;
        let rows = self.transaction.commit_after(last).await?;
        rows.first().map(T::from_row).transpose()
    }
}

/// A transaction that reads: all its statements see the same moment.
pub(crate) struct Snapshot<'a> {
    transaction: Transaction,
    guard: &'a Guard,
    scope: Scope,
}

impl Snapshot<'_> {
    /// Statements for one scope.
    pub(crate) fn tenant(&self, scope: Scope) -> Gate<'_> {
        Gate::new(Line::Transaction(&self.transaction), self.guard, Bound::Tenant(scope.column()))
    }

    /// Statements of a caretaker.
    pub(crate) fn system(&self) -> Gate<'_> {
        Gate::new(Line::Transaction(&self.transaction), self.guard, Bound::System)
    }

    pub(crate) fn gate(&self) -> Gate<'_> {
        Gate::new(
            Line::Transaction(&self.transaction),
            self.guard,
            Bound::Tenant(self.scope.column()),
        )
    }
}

impl Scoped {
    /// The view of a job that `system` has just claimed.
    pub(crate) fn within(system: &System, access: &Access) -> Self {
        Self { db: system.db.clone(), access: access.clone() }
    }

    /// Who asks.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The scope everything here is about.
    pub fn scope(&self) -> Scope {
        self.access.scope()
    }

    /// `owner`, if it is the asking scope or Global; the guard is not the only one to look.
    pub(crate) fn readable(&self, owner: Scope) -> Result<Scope, StoreError> {
        let readable = owner == self.scope() || owner == Scope::Global;
        if readable { Ok(owner) } else { Err(StoreError::AnothersFiles) }
    }

    pub(crate) fn gate(&self) -> Gate<'_> {
        let bound = Bound::Tenant(self.scope().column());
        Gate::new(Line::Engine(&self.db.engine), &self.db.guard, bound)
    }

    /// What opens and seals.
    pub(crate) fn keyring(&self) -> Result<&Keyring, StoreError> {
        self.db.keyring.get().ok_or(StoreError::NoMasterKey)
    }

    pub(crate) async fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let transaction = self.db.engine.snapshot().await?;
        Ok(Snapshot { transaction, guard: &self.db.guard, scope: self.scope() })
    }

    /// A transaction that writes, alone in the asking scope.
    pub(crate) async fn write(&self) -> Result<Write<'_>, StoreError> {
        self.db.write(Beside::Nobody(self.scope())).await
    }

    /// A transaction that writes beside others of the asking scope.
    pub(crate) async fn write_beside_others(&self) -> Result<Write<'_>, StoreError> {
        self.db.write(Beside::Others).await
    }
}

impl System {
    /// What opens and seals.
    pub(crate) fn keyring(&self) -> Result<&Keyring, StoreError> {
        self.db.keyring.get().ok_or(StoreError::NoMasterKey)
    }

    /// What claims found out about workflows.
    pub(crate) fn entries(&self) -> &Entries {
        &self.db.entries
    }

    /// Why this was opened.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    pub(crate) fn gate(&self) -> Gate<'_> {
        Gate::new(Line::Engine(&self.db.engine), &self.db.guard, Bound::System)
    }

    /// One organization's tables, for what has to happen before anyone is signed in.
    pub(crate) fn tenant(&self, scope: Scope) -> Gate<'_> {
        Gate::new(Line::Engine(&self.db.engine), &self.db.guard, Bound::Tenant(scope.column()))
    }

    /// Makes what was deleted unreadable in the files too, as far as the engine can.
    pub(crate) async fn forget_removed(&self) -> Result<(), StoreError> {
        self.db.engine.forget_removed().await
    }

    /// One moment of the whole database.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let transaction = self.db.engine.snapshot().await?;
        Ok(Snapshot { transaction, guard: &self.db.guard, scope: Scope::Global })
    }

    /// A transaction that writes, alone in `scope`.
    pub(crate) async fn write(&self, scope: Scope) -> Result<Write<'_>, StoreError> {
        self.db.write(Beside::Nobody(scope)).await
    }

    /// A transaction that writes beside others.
    pub(crate) async fn write_beside_others(&self) -> Result<Write<'_>, StoreError> {
        self.db.write(Beside::Others).await
    }
}
