//! A real API server on a private port over a fresh database, with people to sign in.

use api::{ApiParts, ApiState, Clock, ServerLimits, SigningKeys};
use domain::{
    Access, FilePath, Role, Scope, Timestamp, UserId,
    analysis::{Analyser, Analysing, Analysis, Diagnostic, Severity, SyntaxError, Workflow},
};
use jobs::Bells;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
};
use store::{NewUser, Reason};
use testkit::{Client, Reply, World, world::NOW};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const PASSWORD: &str = "correct horse battery staple";

/// Finds workflows in comments: `# workflow NAME {"parameters": "schema"}`, and below one
/// `# options {"schedule": "…"}`; a line `syntax error`
/// does not parse; a line with a tab draws a remark. For tests only.
pub struct CommentAnalyser;

impl Analyser for CommentAnalyser {
    fn analyse<'a>(&'a self, _: &'a FilePath, source: &'a [u8]) -> Analysing<'a> {
        Box::pin(async move { Ok(read_comments(&String::from_utf8_lossy(source))) })
    }
}

fn read_comments(source: &str) -> Analysis {
    let mut analysis = Analysis::default();
    for (line, text) in (1..).zip(source.lines()) {
        if text == "syntax error" {
            let message = "invalid syntax".to_owned();
            let text = Some(text.to_owned());
            let syntax_error = Some(SyntaxError { message, line, column: 8, text });
            return Analysis { syntax_error, ..Analysis::default() };
        }
        if text.contains('\t') {
            let (code, message) = ("tab".to_owned(), "a tab".to_owned());
            let severity = Severity::Warning;
            analysis.diagnostics.push(Diagnostic { severity, line, column: 0, code, message });
        }
        if let Some(options) = text.strip_prefix("# options ") {
            let last = analysis.workflows.last_mut().expect("a workflow above its options");
            last.options = serde_json::from_str(options).unwrap();
        }
        let Some((name, schema)) =
            text.strip_prefix("# workflow ").and_then(|text| text.split_once(' '))
        else {
            continue;
        };
        analysis.workflows.push(Workflow {
            name: name.to_owned(),
            function: name.replace('-', "_"),
            line,
            description: format!("Does {name}."),
            is_async: false,
            parameters: serde_json::from_str(schema).unwrap(),
            options: serde_json::Map::new(),
        });
    }
    analysis
}

/// A clock that stands until it is pushed.
pub struct StoppedClock(AtomicI64);

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

impl StoppedClock {
    pub fn push(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

/// One wall that holds and one that does not.
pub fn isolation() -> api::Isolation {
    let wall = |name, required, holds: bool| {
        let how = if holds { "a filter" } else { "no device; load the module" };
        api::Wall { name, required, holds, how: how.to_owned() }
    };
    api::Isolation {
        whole: true,
        walls: vec![wall("system_calls", true, true), wall("machine", false, false)],
    }
}

/// A world with a server in front.
pub struct Api {
    pub world: World,
    pub bells: Bells,
    pub clock: Arc<StoppedClock>,
    pub url: String,
    people: Mutex<HashMap<String, UserId>>,
    _server: tokio::task::JoinHandle<()>,
}

impl Api {
    pub async fn new() -> Self {
        Self::with_limits(ServerLimits::default()).await
    }

    pub async fn with_limits(limits: ServerLimits) -> Self {
        let world = World::new().await;
        let bells = Bells::default();
        let clock = Arc::new(StoppedClock(AtomicI64::new(NOW.0)));
        let state = ApiState::new(ApiParts {
            store: world.store.clone(),
            cache: cache::Cache::memory(0),
            bells: bells.clone(),
            analyser: Arc::new(CommentAnalyser),
            environments: Arc::new(domain::environment::Elsewhere { python: "3.11.7".to_owned() }),
            isolation: isolation(),
            keys: SigningKeys::load_or_create(world.directory.path()).unwrap(),
            clock: clock.clone(),
            issuer: "https://bifrost.test".to_owned(),
            secure_cookies: false,
            leaving: api::Leaving::default(),
        });
        api::metrics::start();
        let router = api::router(state.unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(api::serve(listener, router, limits, CancellationToken::new()));
        let people = Mutex::default();
        Self { world, bells, clock, url, people, _server: server }
    }

    /// Nobody in particular.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.url, None)
    }

    pub async fn scope(&self, organization: &str) -> Scope {
        let slug = domain::Slug::parse(organization).unwrap();
        let system = self.world.store.system(Reason::Organizations);
        system.organization_by_slug(&slug).await.unwrap().unwrap().scope
    }

    /// The id of `ROLE@ORGANIZATION.test`, added when first asked for.
    pub async fn person(&self, organization: &str, role: &str) -> UserId {
        let email = format!("{role}@{organization}.test");
        let mut people = self.people.lock().await;
        if let Some(id) = people.get(&email) {
            return *id;
        }
        let id = UserId(Uuid::now_v7());
        let new = NewUser {
            id,
            email: email.clone(),
            name: format!("The {role}"),
            role: role.parse::<Role>().unwrap(),
            password_hash: Some(password_hash()),
            now: NOW,
        };
        let access = Access::for_operator(self.scope(organization).await);
        self.world.store.scoped(&access).create_user(new).await.unwrap();
        people.insert(email, id);
        id
    }

    /// The whole reply to a sign-in.
    pub async fn login(&self, organization: &str, email: &str, password: &str) -> Reply {
        let body = json!({"organization": organization, "email": email, "password": password});
        self.anonymous().post("/api/auth/login", &body).await
    }

    /// Somebody of `organization` with `role`, signed in.
    pub async fn sign_in(&self, organization: &str, role: &str) -> Client {
        self.person(organization, role).await;
        let email = format!("{role}@{organization}.test");
        let reply = self.login(organization, &email, PASSWORD).await;
        self.with_token(&reply)
    }

    /// A program with a key of `organization`.
    pub async fn with_key(&self, organization: &str, role: &str) -> Client {
        let admin = self.sign_in(organization, "admin").await;
        let reply = admin.post("/api/api-keys", &json!({"name": "ci", "role": role})).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        Client::new(&self.url, reply.body["key"].as_str())
    }

    /// The provider's admin acting in an organization, or in Global.
    pub async fn acting(&self, organization: Option<&str>) -> Client {
        let admin = self.sign_in("provider", "admin").await;
        let body = json!({"organization": organization, "reason": "a test"});
        let reply = admin.post("/api/auth/act", &body).await;
        self.with_token(&reply)
    }

    pub fn with_token(&self, reply: &Reply) -> Client {
        assert_eq!(reply.status, 200, "{reply:?}");
        Client::new(&self.url, reply.body["access_token"].as_str())
    }

    /// Lets remembered sessions grow old.
    pub async fn forget_sessions(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(1000)).await;
    }
}

/// Hashed once: it is slow, and equal everywhere.
fn password_hash() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| api::hash_password(PASSWORD).unwrap()).clone()
}

/// The same reply with ids, request ids and hashes replaced, to be compared whole.
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), canonical(value))).collect()
        }
        Value::String(text) if Uuid::parse_str(text).is_ok_and(|id| !id.is_nil()) => {
            json!("<id>")
        }
        Value::String(text) if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            json!("<hash>")
        }
        value => value.clone(),
    }
}

/// A refusal's status and code.
pub fn refusal(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.body["code"].as_str().unwrap_or("no code"))
}

/// The whole refusal that `status`, `code` and `detail` make.
pub fn problem(status: u16, title: &str, code: &str, detail: &str) -> Value {
    json!({
        "type": format!("urn:bifrost:problem:{code}"), "title": title, "status": status,
        "detail": detail, "code": code, "request_id": "<id>",
    })
}
