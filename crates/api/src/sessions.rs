//! Whether a token, a key or a cookie still counts: its organization and holder are there, active
//! and unchanged.

use crate::{
    api_key::ApiKeyText,
    cookie::{self, SessionCookie},
    metrics,
    proof::Proof,
};
use domain::{Access, Acting, Actor, OrganizationId, Role, Scope, Timestamp};
use moka::future::Cache;
use std::{sync::Arc, time::Duration};
use store::{
    ApiKey, ConsoleSession, Holder, Organization, OrganizationStatus, Reason, Session, Store,
    StoreError, User,
};
use uuid::Uuid;

/// A session may be this old, so that a busy client costs one look-up a second.
const MAX_AGE: Duration = Duration::from_millis(900);
/// How often the use of a cookie is written down.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// Whose proof it is, and which. Keys of different kinds are never equal.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// Scope opened, scope the person belongs to, person, sign-in.
    Person(Uuid, Uuid, Uuid, Uuid),
    /// Organization and hash.
    Program(Uuid, [u8; 32]),
    /// Organization and hash.
    Console(Uuid, [u8; 32]),
}

/// What was found for a proof.
#[derive(Clone)]
enum Found {
    Token(Arc<Session>),
    Key(Arc<Session>),
    Cookie(Arc<ConsoleSession>),
}

/// Looks sessions up and remembers them for less than a second.
pub struct Sessions {
    store: Store,
    recent: Cache<Key, Option<Found>>,
}

/// What a proof opens.
pub type Opened = (Access, Arc<Session>);

impl Sessions {
    /// Over a store.
    pub fn new(store: Store) -> Self {
        Self { store, recent: Cache::builder().max_capacity(100_000).time_to_live(MAX_AGE).build() }
    }

    /// The access and the session that `proof` opens now; `None` when it opens nothing any more.
    pub async fn open(
        &self,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<Option<Opened>, Arc<StoreError>> {
        let mut remembered = true;
        let look_up = async {
            remembered = false;
            self.look_up(proof, now).await
        };
        let found = self.recent.try_get_with(key(proof), look_up).await?;
        metrics::session_asked(remembered);
        Ok(found.and_then(|found| opened(proof, found, now)))
    }

    /// Forgets all: somebody's rights have just changed on this node.
    pub fn forget(&self) {
        self.recent.invalidate_all();
    }

    async fn look_up(&self, proof: &Proof, now: Timestamp) -> Result<Option<Found>, StoreError> {
        let system = self.store.system(Reason::Session);
        match proof {
            Proof::Token(claims) => {
                if !system.sign_in_lasts(claims.home(), claims.sid).await? {
                    return Ok(None);
                }
                let session = system.session(claims.scope(), claims.home(), claims.user()).await?;
                Ok(session.map(|session| Found::Token(session.into())))
            }
            Proof::Key(key) => {
                let session = system.key_session(key.scope(), key.hash()).await?;
                let session = session.map(Arc::new);
                if let Some(session) = &session {
                    self.touch_key(key, session, now);
                }
                Ok(session.map(Found::Key))
            }
            Proof::Cookie(cookie) => {
                let secret = cookie.secret();
                let session = system.console_session(secret.scope(), secret.hash()).await?;
                let session = session.map(Arc::new);
                if let Some(session) = &session {
                    self.touch_cookie(cookie, session, now);
                }
                Ok(session.map(Found::Cookie))
            }
        }
    }

    /// Beside the request, which does not wait for it. What fails is tried at the next look-up.
    fn touch_key(&self, text: &ApiKeyText, session: &Session, now: Timestamp) {
        let Holder::Key(key) = &session.holder else { return };
        if !key.is_good(now) || !key.is_unseen(now) {
            return;
        }
        let (system, scope, id) = (self.store.system(Reason::Session), text.scope(), key.id);
        tokio::spawn(async move {
            if let Err(error) = system.touch_api_key(scope, id, now).await {
                tracing::warn!(%error, "the use of a key is not written down");
            }
        });
    }

    fn touch_cookie(&self, cookie: &SessionCookie, found: &ConsoleSession, now: Timestamp) {
        if !is_alive(found, now) || now < found.seen_at.after(TOUCH_EVERY) {
            return;
        }
        let (system, secret) = (self.store.system(Reason::Session), cookie.secret().clone());
        tokio::spawn(async move {
            let touched = system.touch_console_session(secret.scope(), secret.hash(), now);
            if let Err(error) = touched.await {
                tracing::warn!(%error, "the use of a session is not written down");
            }
        });
    }
}

fn key(proof: &Proof) -> Key {
    match proof {
        Proof::Token(claims) => {
            let (scope, home) = (claims.scope().column(), claims.home().column());
            Key::Person(scope, home, claims.sub, claims.sid)
        }
        Proof::Key(key) => Key::Program(key.scope().column(), key.hash()),
        Proof::Cookie(cookie) => {
            let secret = cookie.secret();
            Key::Console(secret.scope().column(), secret.hash())
        }
    }
}

fn opened(proof: &Proof, found: Found, now: Timestamp) -> Option<Opened> {
    match (proof, found) {
        (Proof::Token(claims), Found::Token(session)) => {
            let acting = claims.act.as_ref().map(|act| act.reason.as_str());
            let user = active_person(&session)?;
            let current = user.epoch == claims.epoch;
            let access = person(&session, user, acting).filter(|_| current)?;
            (access.scope() == claims.scope()).then_some((access, session))
        }
        (Proof::Key(text), Found::Key(session)) => {
            let Holder::Key(key) = &session.holder else { return None };
            let good = key.is_good(now) && session.organization.scope == text.scope();
            let access = program(&session, key).filter(|_| good)?;
            Some((access, session))
        }
        (Proof::Cookie(_), Found::Cookie(found)) => {
            let user = active_person(&found.session)?;
            let current = user.epoch == found.epoch && is_alive(&found, now);
            let access = person(&found.session, user, found.reason.as_deref());
            Some((access.filter(|_| current)?, Arc::new(found.session.clone())))
        }
        _ => None,
    }
}

fn is_alive(found: &ConsoleSession, now: Timestamp) -> bool {
    now < found.ends_at && now < found.seen_at.after(cookie::IDLE)
}

fn is_active(it: &Organization) -> bool {
    it.status == OrganizationStatus::Active
}

fn active_person(session: &Session) -> Option<&User> {
    let active = is_active(&session.organization) && is_active(&session.home);
    session.person().filter(|user| active && user.active)
}

/// A person in their own organization, or acting elsewhere for a reason.
fn person(session: &Session, user: &User, reason: Option<&str>) -> Option<Access> {
    let Session { organization, home, .. } = session;
    let away = organization.scope != home.scope;
    let (role, acting) = match reason {
        None if !away => (user.role, None),
        // Only the provider's admins may act; whoever stops being one stops acting.
        Some(reason) if away && user.role == Role::Admin && home.is_provider => {
            let home = OrganizationId(home.scope.column());
            (Role::Admin, Some(Acting { home, reason: reason.to_owned() }))
        }
        _ => return None,
    };
    let actor = Actor::User { id: user.id, email: user.email.clone(), acting };
    Some(Access::from_verified_token(organization.scope, role, actor))
}

/// A program: never in Global, never elsewhere than at home.
fn program(session: &Session, key: &ApiKey) -> Option<Access> {
    let organization = &session.organization;
    if !is_active(organization) || organization.scope == Scope::Global {
        return None;
    }
    let actor = Actor::ApiKey { id: key.id, name: key.name.clone() };
    Some(Access::from_verified_token(organization.scope, key.role, actor))
}
