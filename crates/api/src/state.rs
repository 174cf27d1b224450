//! What every handler shares.

use crate::{
    cursor::Cursors,
    denials::Denials,
    inputs::Inputs,
    keys::SigningKeys,
    passwords::{PasswordError, Passwords},
    routes::isolation::Isolation,
    sessions::Sessions,
    sign_in_limit::SignInLimit,
    tokens::Tokens,
};
use axum::extract::FromRef;
use cache::Cache;
use domain::{Timestamp, analysis::Analyser, environment::Builder};
use jobs::{Bells, Clock};
use std::{ops::Deref, sync::Arc};
use store::{Scoped, Store};
use tokio_util::sync::CancellationToken;

/// What the command line hands over.
pub struct ApiParts {
    /// Everything that lasts.
    pub store: Store,
    /// Where contents of files are kept beside the store.
    pub cache: Cache,
    /// Wakes workers, and tells of executions that move.
    pub bells: Bells,
    /// Reads Python before it is written.
    pub analyser: Arc<dyn Analyser>,
    /// Builds the packages that files ask for.
    pub environments: Arc<dyn Builder>,
    /// The walls around this process's runs.
    pub isolation: Isolation,
    /// Signs access tokens.
    pub keys: SigningKeys,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The name of this installation in its tokens.
    pub issuer: String,
    /// Whether people reach the server over TLS only: cookies are then kept from plain HTTP.
    pub secure_cookies: bool,
    /// How it is told to go.
    pub leaving: Leaving,
}

/// The two steps in which a server goes.
#[derive(Clone, Debug, Default)]
pub struct Leaving {
    /// It says that it is not ready, and answers all the same.
    pub announced: CancellationToken,
    /// It takes no more connections, and ends what would go on for long.
    pub stopping: CancellationToken,
}

/// What tells how a process is, whether it answers the API or not.
#[derive(Clone)]
pub struct Vitals {
    /// Whose database must answer.
    pub store: Store,
    /// Whose state is told.
    pub cache: Cache,
    /// Whether it was told to go.
    pub leaving: Leaving,
}

impl FromRef<ApiState> for Vitals {
    fn from_ref(state: &ApiState) -> Self {
        let (store, cache) = (state.store.clone(), state.cache.clone());
        Self { store, cache, leaving: state.leaving.clone() }
    }
}

/// What every handler shares. Cheap to clone.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

/// The inside of [`ApiState`].
pub struct Shared {
    pub(crate) store: Store,
    pub(crate) cache: Cache,
    pub(crate) bells: Bells,
    pub(crate) analyser: Arc<dyn Analyser>,
    pub(crate) environments: Arc<dyn Builder>,
    pub(crate) isolation: Arc<Isolation>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: Tokens,
    pub(crate) cursors: Cursors,
    pub(crate) sessions: Sessions,
    pub(crate) passwords: Passwords,
    pub(crate) sign_in_limit: SignInLimit,
    pub(crate) inputs: Inputs,
    pub(crate) denials: Denials,
    pub(crate) secure_cookies: bool,
    pub(crate) leaving: Leaving,
}

impl ApiState {
    /// Puts the parts together. Hashes one password, which takes some 20 ms.
    pub fn new(parts: ApiParts) -> Result<Self, PasswordError> {
        let keys = Arc::new(parts.keys);
        Ok(Self(Arc::new(Shared {
            sessions: Sessions::new(parts.store.clone()),
            denials: Denials::new(parts.store.clone()),
            store: parts.store,
            cache: parts.cache,
            bells: parts.bells,
            analyser: parts.analyser,
            environments: parts.environments,
            isolation: Arc::new(parts.isolation),
            clock: parts.clock,
            cursors: Cursors::new(keys.clone()),
            tokens: Tokens::new(keys, parts.issuer),
            passwords: Passwords::new()?,
            sign_in_limit: SignInLimit::default(),
            inputs: Inputs::default(),
            secure_cookies: parts.secure_cookies,
            leaving: parts.leaving,
        })))
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The store as the signed-in person may see it.
    pub(crate) fn scoped(&self, signed: &crate::extract::Signed) -> Scoped {
        self.store.scoped(&signed.access)
    }
}

impl Deref for ApiState {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}
