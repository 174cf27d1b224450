//! `/api/environment`: which packages there are, and how far they are.

use crate::common::Api;
use domain::content_hash;
use serde_json::{Value, json};
use store::{EnvironmentNews, Reason};
use testkit::world::NOW;

const TEXT: &str = "idna==3.7\n";
const LOCK: &str = "idna==3.7 \\\n    --hash=sha256:aa\n";

/// What a server would say about Acme's file.
async fn tell(api: &Api, text: &str, news: EnvironmentNews) {
    let system = api.world.store.system(Reason::Environments);
    let hash = content_hash(text.as_bytes());
    system.tell_environment(api.world.acme, &hash, news, NOW).await.unwrap();
}

fn nothing() -> Value {
    json!({
        "status": "ready", "requirements": null, "packages": [], "packages_version": null,
        "python": "3.11.7", "built_at": null, "error": null, "progress": null
    })
}

#[tokio::test]
async fn it_tells_the_file_the_packages_and_how_far_they_are() {
    let api = Api::new().await;
    let (ops, viewer) = (api.sign_in("acme", "ops").await, api.sign_in("acme", "viewer").await);
    let shown = async || viewer.get("/api/environment").await.body;
    assert_eq!(shown().await, nothing());
    ops.put_file("requirements.txt", TEXT).await;
    let file = json!({ "scope": "org", "version": 1, "hash": content_hash(TEXT.as_bytes()) });
    let expected = json!({
        "status": "waiting", "requirements": file, "packages": [], "packages_version": null,
        "python": "3.11.7", "built_at": null, "error": null, "progress": null
    });
    assert_eq!(shown().await, expected);
    tell(&api, TEXT, EnvironmentNews::Building("Resolved 1 package".to_owned())).await;
    let building = shown().await;
    assert_eq!(
        (&building["status"], &building["progress"]),
        (&json!("building"), &json!("Resolved 1 package"))
    );
    let system = api.world.store.system(Reason::Environments);
    let hash = content_hash(TEXT.as_bytes());
    system.keep_lock(api.world.acme, &hash, LOCK).await.unwrap();
    tell(&api, TEXT, EnvironmentNews::Ready).await;
    let expected = json!({
        "status": "ready", "requirements": file, "packages_version": 1,
        "packages": [{ "name": "idna", "version": "3.7" }], "python": "3.11.7",
        "built_at": "2023-11-14T22:13:20.000000Z", "error": null, "progress": null
    });
    assert_eq!(shown().await, expected);
    ops.put_file("requirements.txt", "# nothing\n").await;
    let empty = shown().await;
    assert_eq!((&empty["status"], &empty["packages"]), (&json!("ready"), &json!([])));
}

#[tokio::test]
async fn a_file_that_cannot_be_built_says_why_and_which_packages_are_used_instead() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    ops.put_file("requirements.txt", TEXT).await;
    let system = api.world.store.system(Reason::Environments);
    system.keep_lock(api.world.acme, &content_hash(TEXT.as_bytes()), LOCK).await.unwrap();
    tell(&api, TEXT, EnvironmentNews::Ready).await;
    let remarks = ops.put_file("requirements.txt", "idna\n-e .\n").await.body;
    let remark = &remarks["diagnostics"][0];
    assert_eq!(
        (&remark["line"], &remark["code"], &remark["severity"]),
        (&json!(2), &json!("refused-option"), &json!("error"))
    );
    tell(&api, "idna\n-e .\n", EnvironmentNews::Failed("line 2".to_owned())).await;
    let shown = ops.get("/api/environment").await.body;
    assert_eq!((&shown["status"], &shown["error"]), (&json!("failed"), &json!("line 2")));
    assert_eq!(
        (&shown["packages"][0]["name"], &shown["packages_version"]),
        (&json!("idna"), &json!(1))
    );
    let again = ops.post("/api/environment/build", &json!({})).await;
    assert_eq!((again.status, &again.body["status"]), (202, &json!("waiting")));
    assert_eq!(again.body["error"], json!(null));
    let audit = api.sign_in("acme", "admin").await.get("/api/audit?action=environment.").await;
    assert_eq!(audit.body["items"][0]["action"], json!("environment.build"));
}

#[tokio::test]
async fn global_s_file_is_everybody_s_to_read_and_global_s_to_build() {
    let api = Api::new().await;
    let global = api.acting(None).await;
    global.put_file("requirements.txt", TEXT).await;
    let ops = api.sign_in("globex", "ops").await;
    let shown = ops.get("/api/environment").await.body;
    assert_eq!(shown["requirements"]["scope"], json!("global"));
    let refused = ops.post("/api/environment/build", &json!({})).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("inherited")));
    assert_eq!(global.post("/api/environment/build", &json!({})).await.status, 202);
    api.sign_in("acme", "ops").await.put_file("requirements.txt", "acme-only\n").await;
    assert_eq!(ops.get("/api/environment").await.body, shown);
}

#[tokio::test]
async fn there_is_nothing_to_build_without_a_file_and_not_for_everybody_with_one() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    let refused = ops.post("/api/environment/build", &json!({})).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("no_requirements")));
    let viewer = api.sign_in("acme", "viewer").await;
    assert_eq!(viewer.post("/api/environment/build", &json!({})).await.status, 403);
}
