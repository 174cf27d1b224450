//! Sessions of the console: one row per browser, found by the hash of its cookie.
//!
//! While a provider's person acts elsewhere the row says where and why, and the cookie is another
//! one: a cookie never changes what it opens.

use crate::{Session, StoreError, System, row::FromRow};
use domain::{Actor, Scope, Timestamp, UserId, audit::Event};
use uuid::Uuid;

/// What a new session needs. The store never sees the cookie, only its SHA-256.
#[derive(Clone, Debug)]
pub struct NewConsoleSession {
    /// SHA-256 of the cookie.
    pub hash: [u8; 32],
    /// Whose.
    pub user: UserId,
    /// Their epoch at the sign-in.
    pub epoch: i64,
    /// When it is over however much it is used.
    pub ends_at: Timestamp,
    /// The present.
    pub now: Timestamp,
}

/// A session that was found.
#[derive(Clone, Debug)]
pub struct ConsoleSession {
    /// What it stands for now.
    pub session: Session,
    /// The person's epoch at the sign-in.
    pub epoch: i64,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it was last used, exact to a minute.
    pub seen_at: Timestamp,
    /// When it is over.
    pub ends_at: Timestamp,
    /// Why the person acts, if they do.
    pub reason: Option<String>,
}

/// Into what a session changes when its person begins or ends to act.
#[derive(Clone, Debug)]
pub struct SessionChange {
    /// SHA-256 of the new cookie; the old one is void.
    pub hash: [u8; 32],
    /// Where the person acts from now on, and why.
    pub acting: Option<(Scope, String)>,
    /// When the session is over.
    pub ends_at: Timestamp,
    /// The present.
    pub now: Timestamp,
}

#[derive(FromRow)]
struct Row {
    user_id: Uuid,
    epoch: i64,
    created_at: i64,
    seen_at: i64,
    ends_at: i64,
    acting_in: Option<Uuid>,
    acting_reason: Option<String>,
}

const INSERT: &str = "INSERT INTO console_sessions
    (organization_id, hash, user_id, epoch, created_at, seen_at, ends_at)
    VALUES ($1, $2, $3, $4, $5, $5, $6)";
const FIND: &str = "SELECT user_id, epoch, created_at, seen_at, ends_at, acting_in, acting_reason
    FROM console_sessions WHERE organization_id = $1 AND hash = $2";
const TOUCH: &str = "UPDATE console_sessions SET seen_at = $3
    WHERE organization_id = $1 AND hash = $2 AND seen_at < $3";
const CHANGE: &str = "UPDATE console_sessions
    SET hash = $3, acting_in = $4, acting_reason = $5, ends_at = $6, seen_at = $7
    WHERE organization_id = $1 AND hash = $2";
const DELETE: &str = "DELETE FROM console_sessions WHERE organization_id = $1 AND hash = $2";
const SWEEP: &str = "DELETE FROM console_sessions
    WHERE organization_id = $1 AND user_id = $2 AND ends_at <= $3";

impl System {
    /// Keeps the session of somebody who has just signed in to `scope`; those of theirs that are
    /// over go.
    pub async fn create_console_session(
        &self,
        scope: Scope,
        new: NewConsoleSession,
        person: &Actor,
    ) -> Result<(), StoreError> {
        let owner = || scope.column().into();
        let write = self.write(scope).await?;
        let gate = write.tenant(scope);
        gate.run(SWEEP, [owner(), new.user.0.into(), new.now.0.into()]).await?;
        let values = [
            owner(),
            hex::encode(new.hash).into(),
            new.user.0.into(),
            new.epoch.into(),
            new.now.0.into(),
            new.ends_at.0.into(),
        ];
        gate.run(INSERT, values).await?;
        write.audit(scope, person, Event::done("auth.sign_in", person.label()), new.now).await?;
        write.commit().await
    }

    /// What a cookie stands for now; the person and both organizations must exist.
    pub async fn console_session(
        &self,
        scope: Scope,
        hash: [u8; 32],
    ) -> Result<Option<ConsoleSession>, StoreError> {
        let found = self.tenant(scope).one::<Row, 2>(FIND, key(scope, hash)).await?;
        let Some(row) = found else { return Ok(None) };
        let target = row.acting_in.map_or(scope, Scope::from_column);
        let session = self.session(target, scope, UserId(row.user_id)).await?;
        Ok(session.map(|session| ConsoleSession {
            session,
            epoch: row.epoch,
            created_at: Timestamp(row.created_at),
            seen_at: Timestamp(row.seen_at),
            ends_at: Timestamp(row.ends_at),
            reason: row.acting_reason,
        }))
    }

    /// Notes that a session is in use.
    pub async fn touch_console_session(
        &self,
        scope: Scope,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let [owner, hash] = key(scope, hash);
        let write = self.write(scope).await?;
        write.tenant(scope).run(TOUCH, [owner, hash, now.0.into()]).await?;
        write.commit().await
    }

    /// Gives a session another cookie and another place to act in; whether it was there. `told`
    /// are the entries for the audits of those whom it concerns.
    pub async fn change_console_session(
        &self,
        scope: Scope,
        hash: [u8; 32],
        change: SessionChange,
        actor: &Actor,
        told: Vec<(Scope, Event)>,
    ) -> Result<bool, StoreError> {
        let [owner, old] = key(scope, hash);
        let (acting_in, reason) = change.acting.unzip();
        let values = [
            owner,
            old,
            hex::encode(change.hash).into(),
            acting_in.map(Scope::column).into(),
            reason.into(),
            change.ends_at.0.into(),
            change.now.0.into(),
        ];
        let write = self.write(scope).await?;
        if write.tenant(scope).run(CHANGE, values).await? == 0 {
            return Ok(false);
        }
        write.audit_each(told, actor, change.now).await?;
        write.commit().await?;
        Ok(true)
    }

    /// Ends a session.
    pub async fn end_console_session(
        &self,
        scope: Scope,
        hash: [u8; 32],
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let write = self.write(scope).await?;
        if write.tenant(scope).run(DELETE, key(scope, hash)).await? > 0 {
            let event = Event::done("auth.sign_out", actor.label());
            write.audit(scope, actor, event, now).await?;
        }
        write.commit().await
    }
}

fn key(scope: Scope, hash: [u8; 32]) -> [sea_orm::Value; 2] {
    [scope.column().into(), hex::encode(hash).into()]
}
