//! What is kept under the key of a file, and what has to hold before it is believed.

use crate::key::word;
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::Scope;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// A file as the database's index has it. The cache is asked for exactly this content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where.
    pub path: String,
    /// Counts from 1.
    pub version: u32,
    /// SHA-256 of the content.
    pub hash: [u8; 32],
    /// Bytes of the content.
    pub size: u64,
}

/// Why a value is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Not a value of this cache, or longer than the file can be.
    Unreadable,
    /// Speaks of another organization or of another path than its key.
    Foreign,
    /// Its content is not what its own hash says.
    Altered,
    /// Sound, but not the content that the database has now.
    Stale,
}

impl Dropped {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Foreign => "foreign",
            Self::Altered => "altered",
            Self::Stale => "stale",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Value<'a> {
    org: Cow<'a, str>,
    path: Cow<'a, str>,
    version: u32,
    hash: Cow<'a, str>,
    encoding: Encoding,
    content: Cow<'a, str>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Encoding {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

/// The most bytes that the value of a file has.
pub(crate) fn longest(file: &File) -> usize {
    usize::try_from(file.size).unwrap_or(usize::MAX / 4).saturating_mul(2).saturating_add(4096)
}

/// The value of a file.
pub(crate) fn encode(owner: Scope, file: &File, content: &[u8]) -> Vec<u8> {
    let value = |encoding, content| {
        let (path, hash) = (file.path.as_str().into(), hex::encode(file.hash).into());
        let org = word(owner).into();
        let value = Value { org, path, version: file.version, hash, encoding, content };
        // Strings and a number: there is nothing that JSON could not say.
        serde_json::to_vec(&value).unwrap_or_default()
    };
    if let Ok(text) = std::str::from_utf8(content) {
        let text = value(Encoding::Utf8, text.into());
        // Text of control characters grows when it is escaped.
        if text.len() <= longest(file) {
            return text;
        }
    }
    value(Encoding::Base64, BASE64_STANDARD.encode(content).into())
}

/// The content of `file`, if `bytes` are a sound value of it. The hash that decides is the one of
/// the database; whatever else the value says can only speak against it.
pub(crate) fn decode(owner: Scope, file: &File, bytes: &[u8]) -> Result<Vec<u8>, Dropped> {
    let value: Value<'_> = serde_json::from_slice(bytes).map_err(|_| Dropped::Unreadable)?;
    if value.org != word(owner) || value.path != file.path {
        return Err(Dropped::Foreign);
    }
    let content = match value.encoding {
        Encoding::Utf8 => value.content.into_owned().into_bytes(),
        Encoding::Base64 => {
            let decoded = BASE64_STANDARD.decode(value.content.as_bytes());
            decoded.map_err(|_| Dropped::Unreadable)?
        }
    };
    let hash: [u8; 32] = Sha256::digest(&content).into();
    match (value.hash == hex::encode(hash), hash == file.hash) {
        (true, true) => Ok(content),
        (true, false) => Err(Dropped::Stale),
        (false, _) => Err(Dropped::Altered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn file(path: &str, content: &[u8]) -> File {
        let size = content.len() as u64;
        File { path: path.to_owned(), version: 3, hash: Sha256::digest(content).into(), size }
    }

    #[test]
    fn every_content_comes_back_and_fits_its_bound() {
        let owner = Scope::from_column(Uuid::from_u128(1));
        let escaped = "\u{1}".repeat(100_000);
        for content in [&b""[..], b"x = 1\n", b"\xff\x00", "größe".as_bytes(), escaped.as_bytes()]
        {
            let file = file(&"ä\"".repeat(300), content);
            let value = encode(owner, &file, content);
            assert!(value.len() <= longest(&file), "{} bytes", value.len());
            assert_eq!(decode(owner, &file, &value).as_deref(), Ok(content));
        }
    }

    #[test]
    fn a_value_is_readable_for_people() {
        let value = encode(Scope::Global, &file("a.py", b"x = 1\n"), b"x = 1\n");
        let value: serde_json::Value = serde_json::from_slice(&value).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "org": "global", "path": "a.py", "version": 3, "encoding": "utf-8",
                "content": "x = 1\n",
                "hash": domain::content_hash(b"x = 1\n"),
            })
        );
    }

    #[test]
    fn what_is_not_the_content_of_the_index_is_dropped_with_its_reason() {
        let [acme, globex] = [1, 2].map(|id| Scope::from_column(Uuid::from_u128(id)));
        let (wanted, other) = (file("a.py", b"right"), file("a.py", b"wrong"));
        let right = encode(acme, &wanted, b"right");
        let text = String::from_utf8(right.clone()).unwrap();
        let altered = text.replace("right", "wrong").into_bytes();
        let cases = [
            (encode(globex, &wanted, b"right"), Dropped::Foreign),
            (encode(Scope::Global, &wanted, b"right"), Dropped::Foreign),
            (encode(acme, &file("b.py", b"right"), b"right"), Dropped::Foreign),
            (encode(acme, &other, b"wrong"), Dropped::Stale),
            (altered, Dropped::Altered),
            (encode(acme, &wanted, b"wrong"), Dropped::Altered),
            (encode(acme, &other, b"right"), Dropped::Altered),
            (right[..right.len() - 1].to_vec(), Dropped::Unreadable),
            (text.replace("utf-8", "rot13").into_bytes(), Dropped::Unreadable),
            (
                text.replace("utf-8", "base64").replace("right", "=").into_bytes(),
                Dropped::Unreadable,
            ),
            (b"".to_vec(), Dropped::Unreadable),
            (b"\x80\x04pickle".to_vec(), Dropped::Unreadable),
        ];
        for (number, (value, why)) in cases.into_iter().enumerate() {
            assert_eq!(decode(acme, &wanted, &value), Err(why), "case {number}");
        }
    }
}
