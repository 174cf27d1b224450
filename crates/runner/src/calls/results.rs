//! `results.file`: a result too large to stand in the execution, or one to be downloaded.

use super::{parse, refused, wrong};
use crate::{
    RunRequest,
    frames::Wrong,
    masking::Masking,
    media_type,
    sources::{SourceError, Sources, now},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use store::{MAX_EXECUTION_FILE, NewExecutionFile};

/// Bytes that all files of one execution may have.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Characters of a file's name.
const MAX_NAME: usize = 200;

#[derive(Deserialize)]
struct File {
    name: String,
    r#type: String,
    content: String,
}

/// Keeps a file whose base64 begins with `before`. Secrets in text are masked.
pub(super) async fn file(
    request: &RunRequest,
    sources: &Sources,
    masking: &Arc<Masking>,
    (before, arguments): (String, Value),
) -> Result<Value, Wrong> {
    let File { name, r#type, content } = parse(arguments)?;
    let name = masking.text(&name).into_owned();
    check(&name, &r#type)?;
    let content = STANDARD.decode(before + &content);
    let content = content.map_err(|error| wrong("ValueError", error.to_string()))?;
    if content.len() > MAX_EXECUTION_FILE {
        return Err(wrong("ValueError", format!("the file `{name}` is over 16 MiB")));
    }
    let content = masked(content, masking.clone()).await?;
    let size = content.len();
    let new = NewExecutionFile {
        name: &name,
        media_type: &r#type,
        content,
        max_bytes: MAX_BYTES,
        now: now(),
    };
    let kept = sources.scoped(&request.access).keep_execution_file(request.execution, new).await;
    match kept.map_err(|error| refused(SourceError::Failed(error)))? {
        true => Ok(json!({ "name": name, "type": r#type, "size": size })),
        false => Err(wrong("ValueError", "the files of an execution are over 64 MiB".to_owned())),
    }
}

fn check(name: &str, kind: &str) -> Result<(), Wrong> {
    let good = (1..=MAX_NAME).contains(&name.chars().count())
        && !name.chars().any(|letter| letter.is_control() || matches!(letter, '/' | '\\'))
        && !matches!(name, "." | "..");
    if !good {
        let text = "a file's name is 1 to 200 characters without slashes and control characters";
        return Err(wrong("ValueError", text.to_owned()));
    }
    match media_type::is(kind) {
        true => Ok(()),
        false => Err(wrong("ValueError", format!("`{kind}` is no content type"))),
    }
}

/// Beside the other runs: there may be 16 MiB.
async fn masked(content: Vec<u8>, masking: Arc<Masking>) -> Result<Vec<u8>, Wrong> {
    let work = move || match String::from_utf8(content) {
        Ok(text) => masking.text(&text).into_owned().into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    };
    let failed = |_| wrong("bifrost.BifrostError", "the file cannot be masked".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(failed)
}
