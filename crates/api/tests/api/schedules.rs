//! Schedules: shown through the cascade, switched by organization.

use crate::common::Api;
use serde_json::json;

/// A file whose one workflow has these options.
fn file(name: &str, options: &serde_json::Value) -> String {
    format!("# workflow {name} {{}}\n# options {options}\n")
}

#[tokio::test]
async fn a_schedule_is_shown_with_what_it_says_and_when_it_starts_next() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    let options =
        json!({"schedule": "30 7 * * mon-fri", "timezone": "Europe/Vienna", "missed": "once"});
    let written = ops.put_file("flows/report.py", &file("report", &options)).await;
    assert_eq!((written.status, &written.body["diagnostics"]), (201, &json!([])), "{written:?}");
    let shown = ops.get("/api/schedules/report").await;
    // It is Tuesday, the 14th of November 2023, 22:13 in UTC.
    let expected = json!({
        "workflow": "report", "scope": "org", "path": "flows/report.py",
        "schedule": "30 7 * * mon-fri", "timezone": "Europe/Vienna", "missed": "once",
        "enabled": true, "next_at": "2023-11-15T06:30:00.000000Z",
        "last_at": null, "last_execution_id": null, "problem": null,
    });
    assert_eq!((shown.status, &shown.body), (200, &expected));
    let list = ops.get("/api/schedules").await;
    assert_eq!(list.body, json!({"items": [expected], "next_cursor": null}));
    assert_eq!(api.sign_in("globex", "admin").await.get("/api/schedules/report").await.status, 404);
}

#[tokio::test]
async fn a_schedule_that_can_never_start_is_a_remark_on_the_file_and_a_problem_of_the_schedule() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    for (options, says) in [
        (json!({"schedule": "every day"}), "`every day` is no schedule"),
        (json!({"schedule": "0 7 * * *", "timezone": "Mars"}), "`Mars` is no time zone"),
        (json!({"schedule": "0 7 * * *", "missed": "all"}), "`missed` is `skip` or `once`"),
        (json!({"schedule": "0 0 31 6 *"}), "no day fits"),
    ] {
        let written = ops.put_file("report.py", &file("report", &options)).await;
        let remark = &written.body["diagnostics"][0];
        assert_eq!(
            (&remark["severity"], &remark["code"]),
            (&json!("error"), &json!("bad-schedule"))
        );
        assert!(remark["message"].as_str().unwrap().contains(says), "{remark}");
        let shown = ops.get("/api/schedules/report").await;
        assert!(shown.body["problem"].as_str().unwrap().starts_with(says), "{shown:?}");
        assert_eq!((&shown.body["enabled"], &shown.body["next_at"]), (&json!(true), &json!(null)));
    }
    let needs =
        "# workflow report {\"required\": [\"customer\"]}\n# options {\"schedule\": \"@daily\"}\n";
    let written = ops.put_file("report.py", needs).await;
    let message = written.body["diagnostics"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("`customer` needs a default value"), "{message}");
}

#[tokio::test]
async fn a_schedule_of_globals_is_off_until_somebody_of_the_organization_switches_it_on() {
    let api = Api::new().await;
    let global = api.acting(None).await;
    global.put_file("report.py", &file("report", &json!({"schedule": "0 7 * * *"}))).await;
    let ops = api.sign_in("acme", "ops").await;
    let path = "/api/schedules/report";
    let off = ops.get(path).await.body;
    assert_eq!(
        (&off["scope"], &off["enabled"], &off["next_at"]),
        (&json!("global"), &json!(false), &json!(null))
    );
    assert_eq!(
        api.sign_in("acme", "viewer").await.patch(path, &json!({"enabled": true})).await.status,
        403
    );
    let on = ops.patch(path, &json!({"enabled": true})).await;
    assert_eq!((on.status, &on.body["enabled"]), (200, &json!(true)));
    assert_eq!(on.body["next_at"], json!("2023-11-15T07:00:00.000000Z"));
    assert_eq!(ops.get(path).await.body, on.body);
    let globex = api.sign_in("globex", "ops").await;
    assert_eq!(globex.get(path).await.body["enabled"], json!(false));
    assert_eq!(ops.patch(path, &json!({"enabled": false})).await.body["next_at"], json!(null));
    // Twice the same is told once.
    ops.patch(path, &json!({"enabled": false})).await;
    let audit = api.sign_in("acme", "admin").await.get("/api/audit?action=schedule.").await;
    let told = audit.body["items"].as_array().unwrap().iter();
    let told: Vec<_> = told.map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["schedule.pause", "schedule.resume"]);
}

#[tokio::test]
async fn what_has_no_schedule_cannot_be_switched_and_a_body_says_one_thing() {
    let api = Api::new().await;
    let ops = api.sign_in("acme", "ops").await;
    ops.put_file("plain.py", "# workflow plain {}\n").await;
    let on = json!({"enabled": true});
    assert_eq!(ops.patch("/api/schedules/plain", &on).await.status, 404);
    assert_eq!(ops.patch("/api/schedules/nothing", &on).await.status, 404);
    ops.put_file("plain.py", &file("plain", &json!({"schedule": "@hourly"}))).await;
    for body in [json!({}), json!({"enabled": "yes"}), json!({"enabled": true, "next_at": null})] {
        let status = ops.patch("/api/schedules/plain", &body).await.status;
        assert!(status == 400 || status == 422, "{body}: {status}");
    }
}
