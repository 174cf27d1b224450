//! Words for what is wrong with a setting, and where.

use super::schema;
use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::Value;

/// One fault of a settings document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) into the document.
    pub pointer: String,
    /// What to send instead.
    pub detail: String,
}

/// For a key that is none of ours.
pub(super) const NO_SETTING: &str = "is no setting";

pub(super) fn of_error(error: &ValidationError<'_>) -> Vec<Fault> {
    let at = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|key| Fault { pointer: child(at, key), detail: NO_SETTING.to_owned() })
            .collect(),
        kind => vec![Fault { pointer: at.to_owned(), detail: wanted(at, kind) }],
    }
}

/// What may stand at `pointer`. The value itself is not repeated: it may be long.
fn wanted(pointer: &str, kind: &ValidationErrorKind) -> String {
    let number =
        |key| schema::at(pointer).and_then(|schema| schema.get(key)).and_then(Value::as_u64);
    match (pointer, kind) {
        ("/regional/timezone", _) => "must be an IANA time zone name, such as `Europe/Vienna`",
        ("/regional/currency", _) => "must be an ISO 4217 code in capitals, such as `EUR`",
        ("/regional/locale", _) => "must be a BCP 47 language tag, such as `de-AT`",
        ("/network/allowed_hosts", ValidationErrorKind::UniqueItems) => "must not repeat a pattern",
        ("/network/allowed_hosts", ValidationErrorKind::MaxItems { limit }) => {
            return format!("must not have more than {limit} patterns");
        }
        ("/network/allowed_hosts", _) => "must be a list of host patterns",
        _ if pointer.starts_with("/network/allowed_hosts/") => {
            "must be a host pattern: `*`, `*.example.com`, `api.example.com` or an IPv4 address, \
             each with `:port` or without"
        }
        _ => match (number("minimum"), number("maximum")) {
            (Some(low), Some(high)) => {
                return format!("must be a whole number from {low} to {high}");
            }
            _ => "must be a JSON object",
        },
    }
    .to_owned()
}

/// The pointer to `key` of the object at `pointer`.
pub(super) fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}
