//! Masking inside JSON text: in its strings and the names of its fields, and nowhere else, so that it
//! stays the JSON it was, in its order and with its numbers.

use std::borrow::Cow;

/// `text`, which is JSON, with `mask` applied to every string.
pub(super) fn mask(text: &str, mask: &dyn Fn(&str) -> Cow<'_, str>) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        masked.push_str(&rest[..start]);
        let length = length(&rest.as_bytes()[start..]);
        let token = &rest[start..start + length];
        masked.push_str(&string(token, mask));
        rest = &rest[start + length..];
    }
    masked.push_str(rest);
    masked
}

/// Bytes of the string at the start, quotes included.
fn length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn string<'a>(token: &'a str, mask: &dyn Fn(&str) -> Cow<'_, str>) -> Cow<'a, str> {
    let Ok(plain) = serde_json::from_str::<String>(token) else {
        // A lone surrogate: the child sends none, but nothing of it is trusted.
        return Cow::Owned("\"***\"".to_owned());
    };
    match mask(&plain) {
        Cow::Owned(masked) => Cow::Owned(serde_json::Value::from(masked).to_string()),
        Cow::Borrowed(_) => Cow::Borrowed(token),
    }
}
