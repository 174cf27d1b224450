//! Contents of files on the wire: text as it is, everything else in base64.

use base64::{DecodeError, Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How `content` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Encoding {
    /// As text.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// As base64 (RFC 4648, with padding).
    #[serde(rename = "base64")]
    Base64,
}

/// The bytes that a client sent.
pub fn decode(encoding: Encoding, content: String) -> Result<Vec<u8>, DecodeError> {
    match encoding {
        Encoding::Utf8 => Ok(content.into_bytes()),
        Encoding::Base64 => BASE64_STANDARD.decode(content),
    }
}

/// What a client gets for bytes: text unless they are no text, or hold a NUL.
pub fn encode(content: Vec<u8>) -> (Encoding, String) {
    if content.contains(&0) {
        return (Encoding::Base64, BASE64_STANDARD.encode(content));
    }
    match String::from_utf8(content) {
        Ok(text) => (Encoding::Utf8, text),
        Err(error) => (Encoding::Base64, BASE64_STANDARD.encode(error.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were_sent() {
        for bytes in [b"".as_slice(), b"text", "größe".as_bytes(), b"a\0b", b"\xff\xfe"] {
            let (encoding, content) = encode(bytes.to_vec());
            assert_eq!(decode(encoding, content).unwrap(), bytes);
        }
        assert_eq!(encode(b"a\0b".to_vec()).0, Encoding::Base64);
        assert!(decode(Encoding::Base64, "not base64!".to_owned()).is_err());
    }
}
