//! The document that clients are made from.

use crate::common::Api;
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};

/// Compares a golden file, or writes it when `UPDATE_GOLDEN` is set.
pub fn assert_golden(path: &Path, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == text, "{} is not up to date: run with UPDATE_GOLDEN=1", path.display());
}

#[tokio::test]
async fn the_document_is_served_and_kept() {
    let api = Api::new().await;
    let served = api.anonymous().get("/api/openapi.json").await.body;
    let text = api::openapi::text().unwrap();
    assert_eq!(served, serde_json::from_str::<Value>(&text).unwrap());
    assert_eq!(served["openapi"], "3.1.0");
    assert_golden(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json"), &text);
}

#[test]
fn every_operation_has_a_name_a_tag_and_a_refusal() {
    let document: Value = serde_json::from_str(&api::openapi::text().unwrap()).unwrap();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} twice");
            assert!(operation["tags"][0].is_string(), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let said = response["description"].as_str().unwrap_or_default();
                assert!(!said.is_empty(), "{method} {path} {status}");
            }
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            assert!(!path.contains('*'), "{path}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document: Value = serde_json::from_str(&api::openapi::text().unwrap()).unwrap();
    let mut todo = vec![&document];
    while let Some(value) = todo.pop() {
        match value {
            Value::Array(items) => todo.extend(items),
            Value::Object(fields) => {
                if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                    let pointer = target.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{target}");
                }
                todo.extend(fields.values());
            }
            _ => {}
        }
    }
}

#[test]
fn the_words_of_the_document_are_the_words_on_the_wire() {
    let document: Value = serde_json::from_str(&api::openapi::text().unwrap()).unwrap();
    let words = |name: &str| document["components"]["schemas"][name]["enum"].clone();
    let statuses = domain::execution::Status::ALL.map(|status| status.as_str());
    assert_eq!(words("ExecutionStatus"), serde_json::json!(statuses));
    assert_eq!(words("LogLevel"), serde_json::json!(["debug", "info", "warning", "error"]));
    assert_eq!(words("Role"), serde_json::json!(["viewer", "ops", "admin"]));
    assert_eq!(words("Scope"), serde_json::json!(["org", "global"]));
}

#[tokio::test]
async fn the_page_is_served_from_here() {
    let api = Api::new().await;
    let response = reqwest::get(format!("{}/api/docs/", api.url)).await.unwrap();
    assert_eq!(response.status(), 200);
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src 'self';"), "{policy}");
    let page = response.text().await.unwrap();
    assert!(page.contains("swagger-ui"), "{page}");
    assert!(!page.contains("//unpkg") && !page.contains("https://"), "nothing from elsewhere");
}
