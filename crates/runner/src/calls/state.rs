//! `state.*`: what the runs of a workflow leave for those after them.

use super::{parse, refused, wrong};
use crate::{
    RunRequest,
    frames::Wrong,
    sources::{SourceError, Sources, now},
};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{MAX_STATE_KEY, MAX_STATE_VALUE, SetState, SetStateError, StoreError};

#[derive(Deserialize)]
struct Key {
    key: String,
}

#[derive(Deserialize)]
struct Set {
    key: String,
    value: Value,
    expected_version: Option<i64>,
}

#[derive(Deserialize)]
struct Keys {
    prefix: String,
}

/// Answers one of them for the workflow of the run.
pub(super) async fn answer(
    method: &str,
    request: &RunRequest,
    sources: &Sources,
    arguments: Value,
) -> Result<Value, Wrong> {
    match method {
        "get" => get(request, sources, parse(arguments)?).await,
        "set" => set(request, sources, parse(arguments)?).await,
        "delete" => {
            let Key { key } = parse(arguments)?;
            let scoped = sources.scoped(&request.access);
            let gone = scoped.delete_state(&request.workflow, checked(&key)?).await;
            gone.map(Value::from).map_err(failed)
        }
        "keys" => {
            let Keys { prefix } = parse(arguments)?;
            let keys = sources.scoped(&request.access).state_keys(&request.workflow).await;
            let keys = keys.map_err(failed)?.into_iter();
            Ok(keys.filter(|key| key.starts_with(&prefix)).collect::<Vec<_>>().into())
        }
        _ => Err(wrong("bifrost.BifrostError", format!("there is no method `state.{method}`"))),
    }
}

async fn get(request: &RunRequest, sources: &Sources, Key { key }: Key) -> Result<Value, Wrong> {
    let scoped = sources.scoped(&request.access);
    let found = scoped.state(&request.workflow, checked(&key)?).await.map_err(failed)?;
    Ok(match found {
        Some(entry) => json!({ "value": entry.value, "version": entry.version }),
        None => json!({ "value": null, "version": 0 }),
    })
}

async fn set(request: &RunRequest, sources: &Sources, set: Set) -> Result<Value, Wrong> {
    let value = set.value.to_string();
    if value.len() > MAX_STATE_VALUE {
        let text = "a value of the state is at most 64 KiB of JSON: write a file instead";
        return Err(wrong("ValueError", text.to_owned()));
    }
    let new = SetState {
        workflow: &request.workflow,
        key: checked(&set.key)?,
        value: &value,
        expected: set.expected_version,
        now: now(),
    };
    match sources.scoped(&request.access).set_state(new).await {
        Ok(version) => Ok(json!({ "version": version })),
        Err(error @ SetStateError::Conflict(_)) => {
            Err(wrong("bifrost.Conflict", error.to_string()))
        }
        Err(error @ SetStateError::TooMany) => Err(wrong("ValueError", error.to_string())),
        Err(SetStateError::Store(error)) => Err(failed(error)),
    }
}

fn checked(key: &str) -> Result<&str, Wrong> {
    let good =
        (1..=MAX_STATE_KEY).contains(&key.chars().count()) && !key.chars().any(char::is_control);
    let text = "a key of the state is 1 to 200 characters without control characters";
    good.then_some(key).ok_or_else(|| wrong("ValueError", text.to_owned()))
}

fn failed(error: StoreError) -> Wrong {
    refused(SourceError::Failed(error))
}
