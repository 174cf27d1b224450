//! People who sign in, each inside one organization.

use crate::{Scoped, StoreError, System, gate::Gate, row::FromRow};
use domain::{Actor, OrganizationId, Role, Scope, Timestamp, UserId, audit::Event};
use serde_json::json;
use uuid::Uuid;

/// A person of one organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Lower-case address; unique in the organization.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may sign in.
    pub active: bool,
    /// Tokens of an earlier epoch are void.
    pub epoch: i64,
    /// When they were added.
    pub created_at: Timestamp,
}

impl User {
    /// The person as the hand that acts in their own organization.
    pub fn actor(&self) -> Actor {
        Actor::User { id: self.id, email: self.email.clone(), acting: None }
    }
}

/// What a new user needs.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// A fresh id.
    pub id: UserId,
    /// Address; kept in lower case.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Argon2id in PHC form; without one they cannot sign in by password.
    pub password_hash: Option<String>,
    /// The present.
    pub now: Timestamp,
}

/// What of a user can change; `None` leaves it. All but the name void their tokens.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Name for people.
    pub name: Option<String>,
    /// What they may do.
    pub role: Option<Role>,
    /// Whether they may sign in.
    pub active: Option<bool>,
    /// Argon2id in PHC form.
    pub password_hash: Option<String>,
}

/// What a sign-in compares against.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The person.
    pub user: User,
    /// Argon2id in PHC form, if they have a password.
    pub password_hash: Option<String>,
}

/// Why a user was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    /// Somebody of the organization has the address.
    #[error("a user `{0}` exists already in this organization")]
    EmailTaken(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a user was not changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeUserError {
    /// Nobody could act, or let anybody in, any more.
    #[error("the provider needs an active admin; make somebody else one first")]
    LastAdmin,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    email: String,
    name: String,
    password_hash: Option<String>,
    role: String,
    active: bool,
    epoch: i64,
    created_at: i64,
}

impl TryFrom<Row> for Credentials {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let user = User {
            id: UserId(row.id),
            email: row.email,
            name: row.name,
            role: row.role.parse().map_err(|e| StoreError::unreadable("role", e))?,
            active: row.active,
            epoch: row.epoch,
            created_at: Timestamp(row.created_at),
        };
        Ok(Self { user, password_hash: row.password_hash })
    }
}

const BY_ID: &str = "SELECT id, email, name, password_hash, role, active, epoch, created_at
    FROM users WHERE organization_id = $1 AND id = $2";
const BY_EMAIL: &str = "SELECT id, email, name, password_hash, role, active, epoch, created_at
    FROM users WHERE organization_id = $1 AND email = $2";
const PAGE: &str = "SELECT id, email, name, password_hash, role, active, epoch, created_at
    FROM users WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const INSERT: &str = "INSERT INTO users
    (organization_id, id, email, name, password_hash, role, active, epoch, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, TRUE, 1, $7)
    ON CONFLICT (organization_id, email) DO NOTHING";
const UPDATE: &str = "UPDATE users SET
    name = COALESCE($3, name),
    role = COALESCE($4, role),
    active = COALESCE($5, active),
    password_hash = COALESCE($6, password_hash),
    epoch = epoch + $7
    WHERE organization_id = $1 AND id = $2";
const REVOKE_TOKENS: &str = "UPDATE refresh_tokens SET revoked_at = $3
    WHERE organization_id = $1 AND user_id = $2 AND revoked_at IS NULL";
const END_SESSIONS: &str =
    "DELETE FROM console_sessions WHERE organization_id = $1 AND user_id = $2";
const ADMINS: &str = "SELECT id, email, name, password_hash, role, active, epoch, created_at
    FROM users WHERE organization_id = $1 AND role = 'admin' AND active = TRUE LIMIT 1";
const DELETE: &str = "DELETE FROM users WHERE organization_id = $1 AND id = $2";

impl Scoped {
    /// Users by id.
    pub async fn users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let after = after.map_or_else(Uuid::nil, |id| id.0);
        let values = [self.scope().column().into(), after.into(), i64::from(limit).into()];
        let rows = self.gate().all::<Row, 3>(PAGE, values).await?;
        rows.into_iter().map(|row| Credentials::try_from(row).map(|found| found.user)).collect()
    }

    /// One user.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        find(&self.gate(), self.scope(), id).await
    }

    /// Adds a user.
    pub async fn create_user(&self, new: NewUser) -> Result<User, CreateUserError> {
        let (email, now) = (new.email.to_lowercase(), new.now);
        let write = self.write().await?;
        let created = insert(&write.tenant(self.scope()), self.scope(), new).await?;
        let user = created.ok_or(CreateUserError::EmailTaken(email))?;
        let event = Event::done("user.create", &user.email)
            .with(json!({ "id": user.id, "role": user.role }));
        write.audit(self.scope(), self.access().actor(), event, now).await?;
        write.commit().await?;
        Ok(user)
    }

    /// Changes a user; the changed one, or nothing if there is none.
    pub async fn update_user(
        &self,
        id: UserId,
        change: UserChange,
        now: Timestamp,
    ) -> Result<Option<User>, ChangeUserError> {
        let voids = change.role.is_some() || change.active.is_some();
        let voids = voids || change.password_hash.is_some();
        let told = told(&change);
        let values = [
            self.scope().column().into(),
            id.0.into(),
            change.name.into(),
            change.role.map(Role::as_str).into(),
            change.active.into(),
            change.password_hash.into(),
            i64::from(voids).into(),
        ];
        let write = self.write().await?;
        let gate = write.tenant(self.scope());
        let Some(before) = find(&gate, self.scope(), id).await? else { return Ok(None) };
        gate.run(UPDATE, values).await?;
        let Some(user) = find(&gate, self.scope(), id).await? else { return Ok(None) };
        if voids {
            sign_out(&gate, self.scope(), id, now).await?;
        }
        leaves_an_admin(&gate, self.scope(), &before).await?;
        let event = Event::done("user.update", &user.email).with(told);
        write.audit(self.scope(), self.access().actor(), event, now).await?;
        write.commit().await?;
        Ok(Some(user))
    }

    /// Removes a user; whether there was one.
    pub async fn delete_user(&self, id: UserId, now: Timestamp) -> Result<bool, ChangeUserError> {
        let write = self.write().await?;
        let gate = write.tenant(self.scope());
        let Some(user) = find(&gate, self.scope(), id).await? else { return Ok(false) };
        gate.run(DELETE, [self.scope().column().into(), id.0.into()]).await?;
        leaves_an_admin(&gate, self.scope(), &user).await?;
        let event = Event::done("user.delete", &user.email).with(json!({ "id": id }));
        write.audit(self.scope(), self.access().actor(), event, now).await?;
        write.commit().await?;
        Ok(true)
    }
}

impl System {
    /// What a sign-in to `scope` with this address compares against.
    pub async fn credentials(
        &self,
        scope: Scope,
        email: &str,
    ) -> Result<Option<Credentials>, StoreError> {
        let values = [scope.column().into(), email.to_lowercase().into()];
        let row = self.tenant(scope).one::<Row, 2>(BY_EMAIL, values).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Whether anybody could sign in to `scope`.
    pub async fn has_users(&self, scope: Scope) -> Result<bool, StoreError> {
        any(&self.tenant(scope), scope).await
    }
}

/// What the audit says of a change: everything but the password.
fn told(change: &UserChange) -> serde_json::Value {
    let UserChange { name, role, active, password_hash } = change;
    let password = password_hash.as_ref().map(|_| "changed");
    json!({ "name": name, "role": role, "active": active, "password": password })
}

/// One user of `scope`, through whatever gate is open.
pub(crate) async fn find(
    gate: &Gate<'_>,
    scope: Scope,
    id: UserId,
) -> Result<Option<User>, StoreError> {
    let row = gate.one::<Row, 2>(BY_ID, [scope.column().into(), id.0.into()]).await?;
    row.map(|row| Credentials::try_from(row).map(|found| found.user)).transpose()
}

/// Adds a user through whatever gate is open; `None` when somebody has the address.
pub(crate) async fn insert(
    gate: &Gate<'_>,
    scope: Scope,
    new: NewUser,
) -> Result<Option<User>, StoreError> {
    let email = new.email.to_lowercase();
    let values = [
        scope.column().into(),
        new.id.0.into(),
        email.clone().into(),
        new.name.clone().into(),
        new.password_hash.into(),
        new.role.as_str().into(),
        new.now.0.into(),
    ];
    let NewUser { id, name, role, now, .. } = new;
    let user = User { id, email, name, role, active: true, epoch: 1, created_at: now };
    Ok((gate.run(INSERT, values).await? > 0).then_some(user))
}

/// Whether `scope` has users.
pub(crate) async fn any(gate: &Gate<'_>, scope: Scope) -> Result<bool, StoreError> {
    let values = [scope.column().into(), Uuid::nil().into(), 1i64.into()];
    Ok(gate.one::<Row, 3>(PAGE, values).await?.is_some())
}

/// Ends whatever a user signed in to; their access tokens end with their epoch.
async fn sign_out(
    gate: &Gate<'_>,
    scope: Scope,
    id: UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    gate.run(REVOKE_TOKENS, [scope.column().into(), id.0.into(), now.0.into()]).await?;
    gate.run(END_SESSIONS, [scope.column().into(), id.0.into()]).await?;
    Ok(())
}

/// Whether there is an active admin still, if `before` was one. Only the provider needs one: its
/// admins can help every other organization.
async fn leaves_an_admin(
    gate: &Gate<'_>,
    scope: Scope,
    before: &User,
) -> Result<(), ChangeUserError> {
    let provider = scope == Scope::Organization(OrganizationId::PROVIDER);
    let was_one = provider && before.role == Role::Admin && before.active;
    if was_one && gate.one::<Row, 1>(ADMINS, [scope.column().into()]).await?.is_none() {
        return Err(ChangeUserError::LastAdmin);
    }
    Ok(())
}
