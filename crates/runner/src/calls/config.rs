//! `config.get`: a value for the run to use, read anew at each call.

use super::{parse, refused, wrong};
use crate::{
    frames::Wrong,
    masking::{Masking, TooMany},
    sources::Sources,
};
use domain::{Access, ConfigKey};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use store::Revealed;

#[derive(Deserialize)]
struct Get {
    key: String,
}

/// `{"found": true, "value": …}`, or `{"found": false}`. A secret is masked before it is sent.
pub(super) async fn get(
    access: &Access,
    sources: &Sources,
    masking: &Arc<Masking>,
    arguments: Value,
) -> Result<Value, Wrong> {
    let Get { key } = parse(arguments)?;
    let key = ConfigKey::parse(&key);
    let key = key.map_err(|error| wrong("ValueError", format!("the key {error}")))?;
    let value = match sources.reveal(access, &key).await.map_err(refused)? {
        None => return Ok(json!({ "found": false })),
        Some(Revealed::Plain(json)) => read(&json)?,
        Some(Revealed::Secret(json)) => mask(read(json.expose_secret())?, masking.clone()).await?,
    };
    Ok(json!({ "found": true, "value": value }))
}

/// The value, masked from now on. What to look for is worked out beside the other runs: of a long
/// secret it is a lot.
async fn mask(value: Value, masking: Arc<Masking>) -> Result<Value, Wrong> {
    let learn = move || masking.learn(&value).map(|()| value);
    let learned = tokio::task::spawn_blocking(learn).await;
    let failed = |_| wrong("bifrost.BifrostError", "the secret cannot be masked".to_owned());
    let refused = |error: TooMany| wrong("bifrost.BifrostError", error.to_string());
    learned.map_err(failed)?.map_err(refused)
}

fn read(json: &str) -> Result<Value, Wrong> {
    // The parser's words could quote the value.
    let unreadable = |_| wrong("bifrost.BifrostError", "the value is not readable".to_owned());
    serde_json::from_str(json).map_err(unreadable)
}
