//! Configuration values: what a key may be called, what a value may be, and what can be a secret.

use serde_json::Value;

/// The name of a configuration value: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`, such as `halopsa.api_key`.
/// Case counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigKey(String);

/// Why a text is not a key. It does not quote the text, which may be a value in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a key: use 1 to 128 characters of A-Z, a-z, 0-9, `.`, `_` and `-`, beginning with a \
     letter or digit"
)]
pub struct BadConfigKey;

/// Why a value is not taken. It never quotes the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadConfigValue {
    /// Over [`MAX_VALUE`].
    #[error("use at most 64 KiB, counted as JSON")]
    TooLarge,
    /// Over [`MAX_DEPTH`].
    #[error("use at most 64 levels of objects and arrays")]
    TooDeep,
    /// Nothing in it could be masked in a log.
    #[error("a secret is a text of at least 4 characters, or an object or array that holds one")]
    NothingToMask,
}

/// Most bytes of a value's JSON.
pub const MAX_VALUE: usize = 64 * 1024;
/// Most levels of a value; a frame to a child has at most 100.
pub const MAX_DEPTH: usize = 64;
/// Texts of fewer characters are not masked: they would be found in half of all words.
pub const MIN_MASKED: usize = 4;

impl ConfigKey {
    /// Reads a key.
    pub fn parse(text: &str) -> Result<Self, BadConfigKey> {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let bytes = text.as_bytes();
        let well_formed = (1..=128).contains(&bytes.len())
            && bytes[0].is_ascii_alphanumeric()
            && bytes.iter().copied().all(inner);
        if well_formed { Ok(Self(text.to_owned())) } else { Err(BadConfigKey) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ConfigKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The JSON text of a value that may be kept, as a secret or in the open.
pub fn admit(value: &Value, secret: bool) -> Result<String, BadConfigValue> {
    if depth(value) > MAX_DEPTH {
        return Err(BadConfigValue::TooDeep);
    }
    let json = value.to_string();
    if json.len() > MAX_VALUE {
        return Err(BadConfigValue::TooLarge);
    }
    if secret && !texts(value).iter().any(|text| is_masked(text)) {
        return Err(BadConfigValue::NothingToMask);
    }
    Ok(json)
}

/// Whether a text is long enough to be masked where it is a secret.
pub fn is_masked(text: &str) -> bool {
    text.chars().nth(MIN_MASKED - 1).is_some()
}

/// Every text in a value, however deep; names of fields are none.
pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_plain_names() {
        for good in ["a", "halopsa.api_key", "0", "A-b_c.d", &"k".repeat(128)] {
            assert!(ConfigKey::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".a", "_a", "-a", "a b", "a/b", "é", "a\n", &"k".repeat(129)] {
            assert_eq!(ConfigKey::parse(bad), Err(BadConfigKey), "{bad}");
        }
    }

    #[test]
    fn a_secret_has_a_text_that_can_be_masked() {
        for good in [json!("four"), json!({"user": "me", "password": "hunter2"}), json!(["long"])] {
            assert_eq!(admit(&good, true), Ok(good.to_string()));
        }
        for bad in [json!("abc"), json!(""), json!(123_456), json!(null), json!({"longer": "abc"})]
        {
            assert_eq!(admit(&bad, true), Err(BadConfigValue::NothingToMask), "{bad}");
            assert!(admit(&bad, false).is_ok(), "{bad}");
        }
    }

    #[test]
    fn values_have_a_size_and_a_depth() {
        let text = |length: usize| json!("x".repeat(length));
        assert!(admit(&text(MAX_VALUE - 2), false).is_ok());
        assert_eq!(admit(&text(MAX_VALUE - 1), false), Err(BadConfigValue::TooLarge));
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        assert!(admit(&nested(MAX_DEPTH), false).is_ok());
        assert_eq!(admit(&nested(MAX_DEPTH + 1), false), Err(BadConfigValue::TooDeep));
    }
}
