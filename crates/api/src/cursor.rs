//! Cursors of lists: opaque, signed, and good only for the organization and list they came from.

use crate::keys::SigningKeys;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Scope;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;
use zeroize::Zeroizing;

const MAC_BYTES: usize = 16;

/// Seals positions into cursors and opens them again.
pub struct Cursors {
    keys: Arc<SigningKeys>,
}

type Secrets = [Zeroizing<[u8; 32]>];

/// A cursor that was edited, or that came from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of this list: start again without it")]
pub struct BadCursor;

impl Cursors {
    /// With the keys' secrets; that of the signing key seals, every one opens.
    pub fn new(keys: Arc<SigningKeys>) -> Self {
        Self { keys }
    }

    fn secrets(&self) -> Vec<Zeroizing<[u8; 32]>> {
        self.keys.current().derive("bifrost cursor v1")
    }

    /// The cursor that goes on after `position` in the list `kind` of `scope`.
    pub fn seal(&self, kind: &str, scope: Scope, position: &str) -> String {
        seal(&self.secrets(), kind, scope, position)
    }

    /// The position that `cursor` goes on after.
    pub fn open(&self, kind: &str, scope: Scope, cursor: &str) -> Result<String, BadCursor> {
        open(&self.secrets(), kind, scope, cursor)
    }
}

fn seal(secrets: &Secrets, kind: &str, scope: Scope, position: &str) -> String {
    let secret = secrets.first().map_or(&[0; 32], |secret| &**secret);
    let seal = mac(secret, kind, scope, position).finalize().into_bytes();
    BASE64_URL_SAFE_NO_PAD.encode([&seal[..MAC_BYTES], position.as_bytes()].concat())
}

fn open(secrets: &Secrets, kind: &str, scope: Scope, cursor: &str) -> Result<String, BadCursor> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| BadCursor)?;
    let (seal, position) = bytes.split_at_checked(MAC_BYTES).ok_or(BadCursor)?;
    let position = std::str::from_utf8(position).map_err(|_| BadCursor)?;
    let ours =
        |secret: &[u8; 32]| mac(secret, kind, scope, position).verify_truncated_left(seal).is_ok();
    if secrets.iter().any(|secret| ours(secret)) { Ok(position.to_owned()) } else { Err(BadCursor) }
}

fn mac(secret: &[u8; 32], kind: &str, scope: Scope, position: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap_or_else(|_| unreachable!());
    mac.update(scope.column().as_bytes());
    mac.update(&(kind.len() as u64).to_be_bytes());
    mac.update(kind.as_bytes());
    mac.update(position.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::OrganizationId;
    use uuid::Uuid;

    #[test]
    fn a_cursor_opens_only_where_it_was_sealed() {
        let secrets = [Zeroizing::new([7; 32])];
        let scope = |n| Scope::Organization(OrganizationId(Uuid::from_u128(n)));
        let cursor = seal(&secrets, "files", scope(1), "a/b.py");
        assert_eq!(open(&secrets, "files", scope(1), &cursor), Ok("a/b.py".to_owned()));
        assert_eq!(open(&secrets, "files", scope(2), &cursor), Err(BadCursor));
        assert_eq!(open(&secrets, "files", Scope::Global, &cursor), Err(BadCursor));
        assert_eq!(open(&secrets, "users", scope(1), &cursor), Err(BadCursor));
        let other = [Zeroizing::new([8; 32])];
        assert_eq!(open(&other, "files", scope(1), &cursor), Err(BadCursor));
        for text in ["", "x", "!!!!", "AAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(open(&secrets, "files", scope(1), text), Err(BadCursor), "{text}");
        }
        let rotated = [Zeroizing::new([8; 32]), Zeroizing::new([7; 32])];
        assert_eq!(open(&rotated, "files", scope(1), &cursor), Ok("a/b.py".to_owned()));
    }

    #[test]
    fn every_edited_bit_is_noticed() {
        let secrets = [Zeroizing::new([7; 32])];
        let sealed = seal(&secrets, "files", Scope::Global, "a/b.py");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut edited = bytes.clone();
            edited[bit / 8] ^= 1 << (bit % 8);
            let edited = BASE64_URL_SAFE_NO_PAD.encode(edited);
            assert_eq!(open(&secrets, "files", Scope::Global, &edited), Err(BadCursor), "{bit}");
        }
    }
}
