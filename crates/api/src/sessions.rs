//! Whether a token still counts: its organization and person are there, active and unchanged.

use crate::{metrics, tokens::Claims};
use domain::{Access, Acting, Actor, OrganizationId, Role};
use moka::future::Cache;
use std::{sync::Arc, time::Duration};
use store::{Organization, OrganizationStatus, Reason, Session, Store, StoreError};
use uuid::Uuid;

/// A session may be this old, so that a busy client costs one look-up a second.
const MAX_AGE: Duration = Duration::from_millis(900);

/// Scope opened, scope the person belongs to, person.
type Key = (Uuid, Uuid, Uuid);

/// Looks sessions up and remembers them for less than a second.
pub struct Sessions {
    store: Store,
    recent: Cache<Key, Option<Arc<Session>>>,
}

impl Sessions {
    /// Over a store.
    pub fn new(store: Store) -> Self {
        Self { store, recent: Cache::builder().max_capacity(100_000).time_to_live(MAX_AGE).build() }
    }

    /// The access and the session that `claims` open now; `None` when they open nothing any more.
    pub async fn open(
        &self,
        claims: &Claims,
    ) -> Result<Option<(Access, Arc<Session>)>, Arc<StoreError>> {
        let key = (claims.scope().column(), claims.home().column(), claims.sub);
        let mut remembered = true;
        let look_up = async {
            remembered = false;
            let system = self.store.system(Reason::Session);
            let session = system.session(claims.scope(), claims.home(), claims.user()).await?;
            Ok(session.map(Arc::new))
        };
        let session = self.recent.try_get_with(key, look_up).await?;
        metrics::session_asked(remembered);
        Ok(session.and_then(|session| Some((access(claims, &session)?, session))))
    }

    /// Forgets all: somebody's rights have just changed on this node.
    pub fn forget(&self) {
        self.recent.invalidate_all();
    }
}

fn access(claims: &Claims, session: &Session) -> Option<Access> {
    let Session { organization, home, user } = session;
    let is_active = |it: &Organization| it.status == OrganizationStatus::Active;
    let active = is_active(organization) && is_active(home) && user.active;
    if !active || user.epoch != claims.epoch || organization.scope != claims.scope() {
        return None;
    }
    let role = match &claims.act {
        None => user.role,
        // Only the provider's admins may act; whoever stops being one stops acting.
        Some(_) if user.role == Role::Admin && home.is_provider => Role::Admin,
        Some(_) => return None,
    };
    let acting = claims.act.as_ref().map(|act| Acting {
        home: OrganizationId(act.org_id),
        reason: act.reason.clone(),
    });
    let actor = Actor::User { id: user.id, email: user.email.clone(), acting };
    Some(Access::from_verified_token(claims.scope(), role, actor))
}
