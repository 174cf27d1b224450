//! The sources of real packages, and their way into Global.

use axum::http::Method;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use testkit::Client;

/// Writes in flight at the same time.
const AT_ONCE: usize = 16;

/// Contents by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Where the helper files of this test are.
pub fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages")
}

/// Downloads what the lock file names, unless an earlier run has.
pub fn fetch() -> Files {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    let output = Command::new("python3")
        .arg(here().join("fetch.py"))
        .args([here().join("lock.txt"), cache])
        .output()
        .expect("python3 starts");
    assert!(
        output.status.success(),
        "the packages of `tests/packages/lock.txt` could not be downloaded; this test needs a \
         package index, and pip says:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    read(Path::new(String::from_utf8(output.stdout).unwrap().trim()))
}

/// Every file below a directory.
pub fn read(root: &Path) -> Files {
    let mut files = Files::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

/// Writes all files; what was refused, by path.
pub async fn store(who: &Client, files: &Files) -> Vec<(String, Value)> {
    let refused = stream::iter(files).map(|(path, content)| put(who, path, content));
    refused.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await
}

async fn put(who: &Client, path: &str, content: &[u8]) -> Option<(String, Value)> {
    let body = match std::str::from_utf8(content) {
        Ok(text) => json!({ "content": text }),
        Err(_) => json!({ "content": base64(content), "encoding": "base64" }),
    };
    let request = who.request(Method::PUT, &format!("/api/files/content/{path}"));
    let reply = who.send(request.json(&body)).await;
    (reply.status != 201).then(|| (path.to_owned(), reply.body))
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(bytes)
}
