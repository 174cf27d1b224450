//! A server with three organizations and Global, where every text of everybody carries a mark, and
//! the eight callers that every operation meets.

use crate::common::Api;
use domain::{Access, Actor, Role, Scope, UserId};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};
use store::Scoped;
use testkit::{marks::Search, peek::Peek, raw::Sender, world::create_organization};
use uuid::Uuid;

/// Marks have one length, so that replies which repeat one have too.
const ACME: &str = "qxacme77vk31j5w";
const GLOBEX: &str = "qxglobex4t8zzpw";
/// Names of organizations: their own, and the provider's to know.
pub const ACME_SLUG: &str = "sqacme4x1tn8e2h";
pub const GLOBEX_SLUG: &str = "sqglobex9r6d3yu";
const VENDOR: &str = "qxvendor9d2mm1k";
/// In what everybody may read of Global.
const SHARED: &str = "qxshared5h8rr3c";
/// In what only Global itself may.
const PRIVATE: &str = "qxglobal0p6ww2n";
/// Nobody's.
pub const NOBODY: &str = "qxnobody3f7bb9s";

/// Somebody who calls.
pub struct Caller {
    pub name: &'static str,
    /// Where they are; for nobody, where what they ask for is.
    pub scope: Scope,
    pub role: Option<Role>,
    pub sender: Sender,
    /// Finds what is not theirs to see.
    pub search: Search,
}

/// Everything.
pub struct Stage {
    pub api: Api,
    pub acme: Scope,
    pub globex: Scope,
    pub provider: Scope,
    pub callers: Vec<Caller>,
    pub peek: Peek,
    admins: BTreeMap<Uuid, Sender>,
    counter: Cell<u32>,
    /// The workflow that everything runs, of each scope.
    pub running: RefCell<BTreeMap<Uuid, String>>,
}

impl Stage {
    pub async fn new() -> Self {
        let api = Api::new().await;
        let acme = create_organization(&api.world.store, ACME_SLUG).await;
        let globex = create_organization(&api.world.store, GLOBEX_SLUG).await;
        let provider = api.scope("provider").await;
        let peek = Peek::new(api.world.directory.path()).await;
        let (callers, admins) = (Vec::new(), BTreeMap::new());
        let (counter, running) = (Cell::default(), RefCell::default());
        let mut stage =
            Self { api, acme, globex, provider, callers, peek, admins, counter, running };
        stage.callers = stage.eight().await;
        for caller in stage.callers.iter().filter(|it| it.role == Some(Role::Admin)) {
            stage.admins.insert(caller.scope.column(), caller.sender.clone());
        }
        for scope in [acme, globex, provider, Scope::Global] {
            stage.furnish(scope).await;
        }
        stage
    }

    async fn eight(&self) -> Vec<Caller> {
        let mut all = vec![self.caller("nobody", self.acme, None, "").await];
        for (name, role) in [("viewer", Role::Viewer), ("ops", Role::Ops), ("admin", Role::Admin)] {
            let token = self.token(ACME_SLUG, name).await;
            all.push(self.caller(name, self.acme, Some(role), &token).await);
        }
        let token = self.token("provider", "admin").await;
        let admin = Some(Role::Admin);
        all.push(self.caller("provider", self.provider, admin, &token).await);
        let acting = self.act(&token, Some(ACME_SLUG)).await;
        all.push(self.caller("acting here", self.acme, admin, &acting).await);
        let acting = self.act(&token, None).await;
        all.push(self.caller("acting in Global", Scope::Global, admin, &acting).await);
        let token = self.token(GLOBEX_SLUG, "admin").await;
        all.push(self.caller("another's admin", self.globex, admin, &token).await);
        all
    }

    async fn caller(
        &self,
        name: &'static str,
        scope: Scope,
        role: Option<Role>,
        token: &str,
    ) -> Caller {
        let token = Some(token).filter(|token| !token.is_empty());
        let sender = Sender::new(&self.api.url, token);
        // Nobody may see nothing of anybody.
        let mut own = if role.is_some() { vec![self.mark(scope), SHARED] } else { Vec::new() };
        match scope {
            _ if role.is_none() => {}
            scope if scope == self.acme => own.push(ACME_SLUG),
            scope if scope == self.globex => own.push(GLOBEX_SLUG),
            _ => own.extend([ACME_SLUG, GLOBEX_SLUG]),
        }
        let all = [ACME, GLOBEX, VENDOR, SHARED, PRIVATE, ACME_SLUG, GLOBEX_SLUG];
        let search = Search::new(all.into_iter().filter(|mark| !own.contains(mark)));
        Caller { name, scope, role, sender, search }
    }

    async fn token(&self, organization: &str, role: &str) -> String {
        self.api.person(organization, role).await;
        let email = format!("{role}@{organization}.test");
        let reply = self.api.login(organization, &email, crate::common::PASSWORD).await;
        reply.body["access_token"].as_str().expect("signed in").to_owned()
    }

    async fn act(&self, token: &str, organization: Option<&str>) -> String {
        let body = serde_json::json!({"organization": organization, "reason": "a test"});
        let admin = testkit::Client::new(&self.api.url, Some(token));
        let reply = admin.post("/api/auth/act", &body).await;
        reply.body["access_token"].as_str().expect("acting").to_owned()
    }

    /// The mark of what only `scope` may see.
    pub fn mark(&self, scope: Scope) -> &'static str {
        match scope {
            Scope::Global => PRIVATE,
            scope if scope == self.acme => ACME,
            scope if scope == self.globex => GLOBEX,
            _ => VENDOR,
        }
    }

    /// The mark of files and workflows of `scope`.
    pub fn shared_mark(&self, scope: Scope) -> &'static str {
        if scope == Scope::Global { SHARED } else { self.mark(scope) }
    }

    /// Somebody else than `scope`, and not Global.
    pub fn stranger_to(&self, scope: Scope) -> Scope {
        if scope == self.acme { self.globex } else { self.acme }
    }

    /// The admin of `scope`.
    pub fn admin(&self, scope: Scope) -> &Sender {
        &self.admins[&scope.column()]
    }

    /// The store as somebody with a marked address sees it.
    pub fn scoped(&self, scope: Scope, mark: &str) -> Scoped {
        let id = UserId(Uuid::from_u128(7));
        let actor = Actor::User { id, email: format!("author@{mark}.test"), acting: None };
        let access = Access::from_verified_token(scope, Role::Admin, actor);
        self.api.world.store.scoped(&access)
    }

    pub fn next(&self) -> u32 {
        self.counter.set(self.counter.get() + 1);
        self.counter.get()
    }
}
