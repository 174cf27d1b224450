//! The real program starts what is due by itself: once, however many of it there are.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use domain::{Access, FilePath, Scope, Slug, Timestamp, analysis::Workflow};
use serde_json::{Value, json};
use store::{Precondition, Reason, Store, WriteFile};
use testkit::{Client, Server, eventually, world::scheduled};

const SOURCE: &str = r#"
from bifrost import context, log, workflow

@workflow(schedule="@daily", missed="once")
def report(customer: str = "everybody") -> str:
    log.info("by itself")
    return f"{context.organization.slug}, {customer}"
"#;

/// The moment three minutes ago, and the schedule that had a tick a minute later.
fn missed_by_a_minute(now: Timestamp) -> (Timestamp, String) {
    let written = Timestamp(now.0 - 3 * 60_000_000);
    let minute = (written.0 / 60_000_000 + 1).rem_euclid(24 * 60);
    (written, format!("{} {} * * *", minute % 60, minute / 60))
}

/// Writes the file past the API, which would not believe when it was.
async fn write(server: &Server, workflow: Workflow, written: Timestamp) {
    let url = testkit::database::url(server.data_dir());
    let store = Store::open(&url).await.unwrap();
    let system = store.system(Reason::Organizations);
    let acme = system.organization_by_slug(&Slug::parse("acme").unwrap()).await.unwrap().unwrap();
    let write = WriteFile {
        path: FilePath::parse("report.py").unwrap(),
        content: SOURCE.as_bytes(),
        message: None,
        source: "operator",
        precondition: Precondition::Any,
        workflows: vec![workflow],
        now: written,
    };
    assert_ne!(acme.scope, Scope::Global);
    store.scoped(&Access::for_operator(acme.scope)).write_file(write).await.unwrap();
}

async fn executions(client: &Client) -> Vec<Value> {
    let reply = client.get("/api/executions").await;
    reply.body["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_runs_once_though_two_servers_look() {
    let server = Server::start(env!("CARGO_BIN_EXE_bifrost"));
    server.create_organization("acme");
    let other = server.beside(&[]);
    let ops = server.sign_in("acme", "ops").await;
    let (written, pattern) = missed_by_a_minute(now());
    write(&server, scheduled("report", &pattern, "once"), written).await;
    let schedule = eventually("it was started", async || {
        let schedule = ops.get("/api/schedules/report").await.body;
        schedule["last_execution_id"].is_string().then_some(schedule)
    })
    .await;
    let id = schedule["last_execution_id"].as_str().unwrap();
    let ended = eventually("it ends", async || {
        let execution = ops.get(&format!("/api/executions/{id}")).await.body;
        execution["finished_at"].is_string().then_some(execution)
    })
    .await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let said = (&ended["result"], &ended["requested_by"], &ended["inputs"]);
    assert_eq!(said, (&json!("acme, everybody"), &json!("schedule"), &json!({})));
    assert_eq!((&schedule["schedule"], &schedule["problem"]), (&json!(pattern), &json!(null)));
    // The other one too has looked since: it can tell when it starts next.
    let again = ops.at(&other.url).get("/api/schedules/report").await.body;
    assert_eq!(again["next_at"], schedule["next_at"]);
    assert_eq!(executions(&ops).await.len(), 1);
    // Written through the API, the analysis reads what the decorator says.
    let touched = format!("{SOURCE}# once more\n");
    let reply = ops.put_file("report.py", &touched).await;
    assert_eq!((reply.status, &reply.body["diagnostics"]), (200, &json!([])));
    let schedule = ops.get("/api/schedules/report").await.body;
    assert_eq!((&schedule["schedule"], &schedule["missed"]), (&json!("@daily"), &json!("once")));
    let bad = SOURCE.replace("@daily", "daily");
    let remark = ops.put_file("report.py", &bad).await.body["diagnostics"][0].clone();
    assert_eq!((&remark["code"], &remark["line"]), (&json!("bad-schedule"), &json!(5)));
}

fn now() -> Timestamp {
    jobs::Clock::now(&jobs::SystemClock)
}
