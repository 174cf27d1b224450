//! `bifrost admin rotate-signing-key` and `retire-signing-key`.

use crate::{arguments::Places, talk};
use api::SigningKeys;
use serde_json::json;

/// Adds a key.
pub fn rotate(places: Places, as_json: bool) -> anyhow::Result<()> {
    let data = places.resolve()?;
    data.create_directory()?;
    let kid = SigningKeys::rotate(&data.keys)?;
    match as_json {
        true => talk::print_json(&json!({ "kid": kid })),
        false => talk::print(&format!("added {kid}; it signs in a few seconds")),
    }
    Ok(())
}

/// Removes the key `kid`, or all that are out of use.
pub fn retire(places: Places, kid: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    let retired = SigningKeys::retire(&places.resolve()?.keys, kid)?;
    if as_json {
        talk::print_json(&json!({ "retired": retired }));
    } else if retired.is_empty() {
        talk::print("every key is in use");
    }
    for kid in retired.iter().filter(|_| !as_json) {
        talk::print(&format!("retired {kid}"));
    }
    Ok(())
}
