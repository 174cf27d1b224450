//! An organization with something in every table.

use domain::{
    ApiKeyId, ConfigKey, ExecutionId, Role, Scope, UserId,
    analysis::Workflow,
    audit::Event,
    execution::{LogLevel, LogLine, Outcome, Status},
};
use std::time::Duration;
use store::{
    EnvironmentNews, Finished, NewApiKey, NewConsoleSession, NewExecution, NewExecutionFile,
    NewRefreshToken, NewUser, PinFile, Precondition, PutConfig, Reason, SetState, UpdateSettings,
};
use testkit::{
    World,
    world::{NOW, workflow},
};
use uuid::Uuid;

pub const CANARY: &str = "canary-7f3a";

/// Something in as many tables as the store can fill, with the canary in every text.
pub async fn fill(world: &World, scope: Scope) {
    let workflow = Workflow {
        name: CANARY.to_owned(),
        function: "run".to_owned(),
        line: 1,
        description: CANARY.to_owned(),
        is_async: false,
        parameters: serde_json::json!({ "type": "object" }),
        options: [("schedule".to_owned(), "@daily".into())].into_iter().collect(),
    };
    let long = format!("# {CANARY}\n").repeat(2_000);
    world.write_with(scope, "workflows/a.py", &long, vec![workflow]).await;
    for number in 0..5 {
        world.write(scope, &format!("{CANARY}/{number}.py"), CANARY).await;
    }
    hold(world, scope).await;
    world.write(scope, "requirements.txt", "idna\n").await;
    let hash = domain::content_hash(b"idna\n");
    let failed = EnvironmentNews::Failed(CANARY.to_owned());
    let environments = world.store.system(Reason::Environments);
    environments.tell_environment(scope, &hash, failed, NOW).await.unwrap();
    let scoped = world.scoped(scope);
    let id = UserId(Uuid::now_v7());
    let user = NewUser {
        id,
        email: format!("{CANARY}@acme.test"),
        name: CANARY.to_owned(),
        role: Role::Admin,
        password_hash: Some(CANARY.to_owned()),
        now: NOW,
    };
    let user = scoped.create_user(user).await.unwrap();
    let key = NewApiKey {
        id: ApiKeyId(Uuid::now_v7()),
        hash: [1; 32],
        prefix: CANARY.to_owned(),
        name: CANARY.to_owned(),
        role: Role::Ops,
        expires_at: None,
        now: NOW,
    };
    scoped.create_api_key(key).await.unwrap();
    let system = world.store.system(Reason::SignIn);
    let family = Uuid::now_v7();
    let token = NewRefreshToken { hash: [2; 32], family, user: id, expires_at: NOW, now: NOW };
    system.create_refresh_token(scope, token, &user.actor()).await.unwrap();
    let session = NewConsoleSession { hash: [3; 32], user: id, epoch: 1, ends_at: NOW, now: NOW };
    system.create_console_session(scope, session, &user.actor()).await.unwrap();
    let event = Event::done("test.canary", CANARY);
    let audit = world.store.system(Reason::Audit);
    audit.append_audit(scope, &user.actor(), event, NOW).await.unwrap();
    set(world, scope).await;
    world.store.system(Reason::Schedule).plan_schedules(10).await.unwrap();
    run_one_and_queue_one(world, scope).await;
}

/// Settings with a history, a plain value and a sealed one with its data key.
async fn set(world: &World, scope: Scope) {
    let scoped = world.scoped(scope);
    let patch = serde_json::json!({ "executions": { "timeout_seconds": 60 } });
    let precondition = Precondition::Any;
    let update = UpdateSettings { patch: &patch, precondition, may_set_weight: false, now: NOW };
    scoped.update_settings(update).await.unwrap();
    for (name, secret) in [("canary_plain", false), ("canary_sealed", true)] {
        let key = ConfigKey::parse(name).unwrap();
        let value = serde_json::json!(CANARY);
        let put = PutConfig { key, value, secret, precondition, now: NOW };
        scoped.put_config(put).await.unwrap();
    }
}

/// More log lines than one batch takes, and an execution that waits.
async fn run_one_and_queue_one(world: &World, scope: Scope) {
    let scoped = world.scoped(scope);
    let entry = scoped.workflow(CANARY).await.unwrap().unwrap();
    let new = || NewExecution {
        id: ExecutionId(Uuid::now_v7()),
        workflow: &entry,
        inputs: serde_json::json!({ CANARY: CANARY }),
        idempotency_key: None,
        place: store::Place::default(),
        max_queued: 10,
        now: NOW,
    };
    let id = scoped.enqueue(new()).await.unwrap().execution.id;
    finish_one(world).await;
    leave(world, scope, id).await;
    scoped.enqueue(new()).await.unwrap();
}

/// A file of an execution, and state.
async fn leave(world: &World, scope: Scope, id: ExecutionId) {
    let scoped = world.scoped(scope);
    let (name, content) = (CANARY, CANARY.as_bytes().to_vec());
    let file =
        NewExecutionFile { name, media_type: "text/plain", content, max_bytes: 1_000, now: NOW };
    assert!(scoped.keep_execution_file(id, file).await.unwrap());
    let value = format!("\"{CANARY}\"");
    let set = SetState { workflow: CANARY, key: CANARY, value: &value, expected: None, now: NOW };
    scoped.set_state(set).await.unwrap();
}

/// Runs the execution that waits for longest, of whichever organization.
pub async fn finish_one(world: &World) {
    let system = world.store.system(Reason::Claim);
    let claims = system.claim(Uuid::now_v7(), 1, Duration::from_secs(10), NOW).await.unwrap();
    let line = || LogLine { time: NOW, level: LogLevel::Info, message: CANARY.to_owned() };
    let logs = (0..1200).map(|_| line()).collect();
    let result = Some(format!("\"{CANARY}\""));
    let outcome = Outcome { status: Status::Succeeded, result, result_type: None, failure: None };
    let finished = Finished { outcome, modules: Vec::new(), logs, now: NOW };
    let claimed = world.store.scoped(&claims.claims[0].access);
    assert!(claimed.finish(&claims.claims[0], finished).await.unwrap().is_some());
}

/// A file of Global, with a workflow, that the organization holds.
async fn hold(world: &World, scope: Scope) {
    let held = vec![workflow("held")];
    let written = world.write_with(Scope::Global, "held/flow.py", "1", held.clone()).await;
    let (path, version) = (written.entry.path, written.entry.version);
    let pin = PinFile { path, version, workflows: held, now: NOW };
    world.scoped(scope).pin_file(pin).await.unwrap();
}
