//! How to make one of each thing, in any organization, with its mark in every text.

use crate::{
    common::PASSWORD,
    stage::{NOBODY, Stage},
    things::Thing,
};
use domain::{
    ApiKeyId, ConfigKey, ExecutionId, FilePath, Scope, Slug, UserId,
    analysis::Workflow,
    execution::{Failure, LogLevel, LogLine, Outcome, Status},
};
use reqwest::Method;
use serde_json::json;
use std::{sync::OnceLock, time::Duration};
use store::{
    Finished, NewApiKey, NewExecution, NewExecutionFile, NewUser, PinFile, Precondition, PutConfig,
    Reason, SetState, WriteFile,
};
use testkit::{
    document::Draft,
    world::{NOW, create_organization},
};
use uuid::Uuid;

impl Stage {
    /// The name of a new thing of `owner`'s; cursors are made by asking.
    pub async fn make(&self, thing: Thing, owner: Scope) -> String {
        let (n, mark) = (self.next(), self.mark(owner));
        match thing {
            Thing::User => self.user(owner, n).await.0,
            Thing::Email => self.user(owner, n).await.1,
            Thing::ApiKey => self.api_key(owner, n).await,
            Thing::Execution => self.execution(owner, n, None).await,
            Thing::IdempotencyKey => {
                let key = format!("k{n:05}{mark}");
                self.execution(owner, n, Some(&key)).await;
                key
            }
            Thing::File => self.file(owner, n, Vec::new()).await,
            Thing::Override => self.overriding(owner, n).await,
            Thing::Pin => self.pin(owner, n).await,
            Thing::Module => module(&self.file(owner, n, Vec::new()).await),
            Thing::Workflow => self.workflow(owner, n, json!({})).await,
            Thing::Scheduled => self.workflow(owner, n, json!({"schedule": "0 7 * * *"})).await,
            Thing::ConfigKey => self.config(owner, n).await,
            Thing::Running => self.running(owner).await,
            Thing::Organization => {
                let slug = format!("o{n:05}-{mark}");
                let scope = create_organization(&self.api.world.store, &slug).await;
                scope.column().to_string()
            }
            Thing::Slug => self.slug(owner).await,
            Thing::Cursor => unreachable!("cases.rs asks for cursors"),
        }
    }

    /// A name like those of [`Stage::make`] that nothing has.
    pub fn missing(&self, thing: Thing) -> String {
        let n = self.next();
        match thing {
            Thing::User | Thing::ApiKey | Thing::Execution | Thing::Organization => {
                Uuid::now_v7().to_string()
            }
            Thing::Email => email(n, NOBODY),
            Thing::IdempotencyKey => format!("k{n:05}{NOBODY}"),
            Thing::File | Thing::Override | Thing::Pin => path(n, NOBODY),
            Thing::Module => module(&path(n, NOBODY)),
            Thing::ConfigKey => key(n, NOBODY),
            Thing::Workflow | Thing::Scheduled | Thing::Running => format!("w{n:05}{NOBODY}"),
            Thing::Slug => NOBODY.to_owned(),
            Thing::Cursor => "A".repeat(43),
        }
    }

    /// A few of everything, so that every list has a second page.
    pub async fn furnish(&self, scope: Scope) {
        let lists = [
            Thing::User,
            Thing::ApiKey,
            Thing::Execution,
            Thing::Workflow,
            Thing::Scheduled,
            Thing::ConfigKey,
            Thing::Override,
            Thing::Pin,
        ];
        for thing in lists {
            for _ in 0..3 {
                self.make(thing, scope).await;
            }
        }
        for seconds in [301, 302, 303] {
            let body = json!({"executions": {"timeout_seconds": seconds}}).to_string();
            let headers = vec![("if-match".to_owned(), "*".to_owned())];
            let (method, target) = (Method::PATCH, "/api/org/settings".to_owned());
            let draft = Draft { method, target, headers, body: Some(body) };
            let reply = self.admin(scope).send(&draft).await;
            assert!(reply.status == 200 || scope == Scope::Global, "{reply:?}");
        }
    }

    async fn user(&self, owner: Scope, n: u32) -> (String, String) {
        let mark = self.mark(owner);
        let id = UserId(Uuid::now_v7());
        let new = NewUser {
            id,
            email: email(n, mark),
            name: format!("{mark} {n}"),
            role: domain::Role::Viewer,
            password_hash: Some(password_hash()),
            now: NOW,
        };
        self.scoped(owner, mark).create_user(new).await.unwrap();
        (id.to_string(), email(n, mark))
    }

    async fn api_key(&self, owner: Scope, n: u32) -> String {
        let mark = self.mark(owner);
        let id = ApiKeyId(Uuid::now_v7());
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(id.0.as_bytes());
        let new = NewApiKey {
            id,
            hash,
            prefix: format!("bfk_{n:05}"),
            name: format!("{mark} {n}"),
            role: domain::Role::Viewer,
            expires_at: None,
            now: NOW,
        };
        self.scoped(owner, mark).create_api_key(new).await.unwrap();
        id.0.to_string()
    }

    async fn file(&self, owner: Scope, n: u32, workflows: Vec<Workflow>) -> String {
        let path = path(n, self.shared_mark(owner));
        self.write(owner, &path, workflows).await;
        path
    }

    /// Global's file, and over it the owner's.
    async fn overriding(&self, owner: Scope, n: u32) -> String {
        let path = self.file(Scope::Global, n, Vec::new()).await;
        if owner != Scope::Global {
            self.write(owner, &path, Vec::new()).await;
        }
        path
    }

    /// Global's file, which the owner holds at its first version.
    async fn pin(&self, owner: Scope, n: u32) -> String {
        let path = self.file(Scope::Global, n, Vec::new()).await;
        if owner != Scope::Global {
            let pin = PinFile {
                path: FilePath::parse(&path).unwrap(),
                version: 1,
                workflows: Vec::new(),
                now: NOW,
            };
            self.scoped(owner, self.mark(owner)).pin_file(pin).await.unwrap();
        }
        path
    }

    async fn write(&self, owner: Scope, path: &str, workflows: Vec<Workflow>) {
        let mark = self.shared_mark(owner);
        for version in 1..=2 {
            let content = format!("# {mark} {version}\n");
            let write = WriteFile {
                path: FilePath::parse(path).unwrap(),
                content: content.as_bytes(),
                message: Some(format!("why {mark}")),
                source: "operator",
                precondition: Precondition::Any,
                workflows: workflows.clone(),
                now: NOW,
            };
            self.scoped(owner, mark).write_file(write).await.unwrap();
        }
    }

    /// Every second one is a secret.
    async fn config(&self, owner: Scope, n: u32) -> String {
        let mark = self.shared_mark(owner);
        let key = key(n, mark);
        let put = PutConfig {
            key: ConfigKey::parse(&key).unwrap(),
            value: json!({"value": format!("value of {mark}")}),
            secret: n.is_multiple_of(2),
            precondition: Precondition::Any,
            now: NOW,
        };
        self.scoped(owner, mark).put_config(put).await.unwrap();
        key
    }

    async fn workflow(&self, owner: Scope, n: u32, options: serde_json::Value) -> String {
        let mark = self.shared_mark(owner);
        let name = format!("w{n:05}{mark}");
        let workflow = Workflow {
            name: name.clone(),
            function: format!("f_{mark}"),
            line: 1,
            description: format!("Does {mark}."),
            is_async: false,
            parameters: json!({
                "type": "object",
                "title": mark,
                "properties": {"tenant": {"x-options": format!("of_{mark}")}},
            }),
            options: options.as_object().cloned().unwrap_or_default(),
        };
        self.file(owner, n, vec![workflow]).await;
        for key in ["first", "second"] {
            let value = json!({"left": self.mark(owner)}).to_string();
            let (workflow, expected) = (name.as_str(), None);
            let set = SetState { workflow, key, value: &value, expected, now: NOW };
            self.scoped(owner, mark).set_state(set).await.unwrap();
        }
        name
    }

    async fn running(&self, owner: Scope) -> String {
        let known = self.running.borrow().get(&owner.column()).cloned();
        if let Some(name) = known {
            return name;
        }
        let name = self.workflow(owner, self.next(), json!({})).await;
        self.running.borrow_mut().insert(owner.column(), name.clone());
        name
    }

    /// Every second one has ended, every fourth one badly.
    async fn execution(&self, owner: Scope, n: u32, key: Option<&str>) -> String {
        let mark = self.mark(owner);
        let scoped = self.scoped(owner, mark);
        let name = self.running(owner).await;
        let workflow = scoped.workflow(&name).await.unwrap().expect("just made");
        let id = ExecutionId(Uuid::now_v7());
        let new = NewExecution {
            id,
            workflow: &workflow,
            inputs: json!({"given": mark, mark: 1}),
            idempotency_key: key.map(str::to_owned),
            place: store::Place::default(),
            max_queued: 1_000_000,
            now: NOW,
        };
        scoped.enqueue(new).await.unwrap();
        let line = |text: &str| LogLine {
            time: NOW,
            level: LogLevel::Info,
            message: format!("{text} {mark}"),
        };
        scoped.append_logs(id, &[line("one"), line("two")]).await.unwrap();
        for name in ["result.md", "table.json"] {
            let file = NewExecutionFile {
                name,
                media_type: "text/markdown",
                content: format!("# {mark}\n").into_bytes(),
                max_bytes: 1_000,
                now: NOW,
            };
            assert!(scoped.keep_execution_file(id, file).await.unwrap());
        }
        if n.is_multiple_of(2) {
            self.finish(mark, n.is_multiple_of(4)).await;
        }
        id.to_string()
    }

    /// Ends everything that waits.
    async fn finish(&self, mark: &str, badly: bool) {
        let system = self.api.world.store.system(Reason::Claim);
        let lease = Duration::from_secs(60);
        for claim in system.claim(Uuid::now_v7(), 100, lease, NOW).await.unwrap().claims {
            // What was waiting may be another's: its own mark goes into its own result.
            let own = self.mark(claim.access.scope());
            let failure = Failure {
                kind: "ValueError".to_owned(),
                message: format!("no {own}"),
                traceback: format!("Traceback {own}"),
                details: None,
            };
            let outcome = match badly && own == mark {
                true => Outcome {
                    status: Status::Failed,
                    result: None,
                    result_type: None,
                    failure: Some(failure),
                },
                false => Outcome {
                    status: Status::Succeeded,
                    result: Some(json!({"result": own}).to_string()),
                    result_type: Some("text/markdown".to_owned()),
                    failure: None,
                },
            };
            let finished = Finished { outcome, modules: Vec::new(), logs: Vec::new(), now: NOW };
            let scoped = self.api.world.store.scoped(&claim.access);
            assert!(scoped.finish(&claim, finished).await.unwrap().is_some());
        }
    }

    async fn slug(&self, scope: Scope) -> String {
        let system = self.api.world.store.system(Reason::Organizations);
        let found = system.organization(scope).await.unwrap().expect("an organization");
        let slug: Slug = found.slug;
        slug.to_string()
    }
}

fn email(n: u32, mark: &str) -> String {
    format!("u{n:05}@{mark}.test")
}

fn path(n: u32, mark: &str) -> String {
    format!("{mark}/f{n:05}.py")
}

fn key(n: u32, mark: &str) -> String {
    format!("k{n:05}_{mark}")
}

fn module(path: &str) -> String {
    path.trim_end_matches(".py").replace('/', ".")
}

fn password_hash() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| api::hash_password(PASSWORD).unwrap()).clone()
}
