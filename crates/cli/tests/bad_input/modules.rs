//! Modules that cannot be imported: the run says why, in Python's own words and a few more.

use crate::stage::{Stage, failed, workflow};
use axum::http::Method;
use serde_json::json;

/// Writes a file of Acme although it does not parse.
async fn put_invalid(stage: &Stage, path: &str, body: serde_json::Value) {
    let path = format!("/api/files/content/{path}?allow_invalid=true");
    let reply = stage.acme.send(stage.acme.request(Method::PUT, &path).json(&body)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

#[tokio::test]
async fn a_module_that_does_not_parse_fails_its_import_only() {
    let stage = Stage::new().await;
    put_invalid(&stage, "shared/broken.py", json!({ "content": "x = 1\ny = (\n" })).await;
    let execution = stage.run("import shared.broken").await;
    failed(&execution, "failed", "SyntaxError", "'(' was never closed");
    let traceback = execution["error"]["traceback"].as_str().unwrap();
    assert!(traceback.contains("bifrost://acme/shared/broken.py\", line 2"), "{traceback}");
    assert!(traceback.contains("y = ("), "{traceback}");
    let caught =
        "try:\n    import shared.broken\nexcept SyntaxError as error:\n    return error.lineno";
    assert_eq!(stage.run(caught).await["result"], 2);
    stage.still_works().await;
}

#[tokio::test]
async fn bytes_that_are_no_text_fail_as_in_python() {
    let stage = Stage::new().await;
    let latin = json!({ "content": "eCA9ICfkJwo=", "encoding": "base64" });
    put_invalid(&stage, "latin.py", latin).await;
    put_invalid(&stage, "nul.py", json!({ "content": "x = 1\0\n" })).await;
    let execution = stage.run("import latin").await;
    failed(&execution, "failed", "SyntaxError", "can't decode byte 0xe4");
    let execution = stage.run("import nul").await;
    failed(&execution, "failed", "SyntaxError", "cannot contain null bytes");
    let declared = json!({
        "content": "IyBjb2Rpbmc6IGxhdGluLTEKeCA9ICfkJwo=", "encoding": "base64"
    });
    let request = stage.acme.request(Method::PUT, "/api/files/content/declared.py");
    assert_eq!(stage.acme.send(request.json(&declared)).await.status, 201);
    assert_eq!(stage.run("import declared\nreturn declared.x").await["result"], "ä");
    stage.still_works().await;
}

#[tokio::test]
async fn an_import_of_nothing_names_both_scopes_and_the_nearest() {
    let stage = Stage::new().await;
    assert_eq!(stage.global.put_file("shared/halopsa.py", "x = 1").await.status, 201);
    let execution = stage.run("import shared.halopas").await;
    let words = "No module named 'shared.halopas' (searched Acme's files and Global; \
                 did you mean 'shared.halopsa'?)";
    failed(&execution, "failed", "ModuleNotFoundError", words);
    let execution = stage.run("import quite_unlike_anything").await;
    let words = "No module named 'quite_unlike_anything' (searched Acme's files and Global)";
    failed(&execution, "failed", "ModuleNotFoundError", words);
    let execution = stage.run("from shared.halopsa import y").await;
    failed(&execution, "failed", "ImportError", "cannot import name 'y' from 'shared.halopsa'");
    stage.still_works().await;
}

#[tokio::test]
async fn a_circle_of_imports_is_told_as_one() {
    let stage = Stage::new().await;
    let acme = &stage.acme;
    assert_eq!(acme.put_file("ring/a.py", "from ring.b import y\nx = 1").await.status, 201);
    assert_eq!(acme.put_file("ring/b.py", "from ring.a import x\ny = 2").await.status, 201);
    let execution = stage.run("import ring.a").await;
    failed(&execution, "failed", "ImportError", "partially initialized module 'ring.a'");
    failed(&execution, "failed", "ImportError", "circular import");
    // A workflow's own module, too.
    let source = format!("import main as again\n{}", workflow("return again.main is main"));
    assert_eq!(stage.run_source(&source).await["result"], true);
    stage.still_works().await;
}
