//! The name of a content: its SHA-256.

use sha2::{Digest, Sha256};

/// SHA-256 in lower-case hex, as versions, bundles and execution records name contents.
pub fn content_hash(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}
