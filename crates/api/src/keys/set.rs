//! The keys of one moment: which one signs, which ones verify, what is derived from them.

use super::{KeysError, OVERLAP, RETIRE_AFTER, pem::Material};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use zeroize::Zeroizing;

/// One key.
#[derive(Clone)]
pub struct Key {
    material: Arc<Material>,
    path: PathBuf,
    since: Timestamp,
}

impl Key {
    /// A key that has been at `path` since a moment.
    pub(super) fn new(material: Material, path: PathBuf, since: Timestamp) -> Self {
        Self { material: Arc::new(material), path, since }
    }

    /// Its id in the heads of tokens: the RFC 7638 thumbprint.
    pub fn id(&self) -> &str {
        &self.material.id
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn signs_from(&self) -> Timestamp {
        self.since.after(OVERLAP)
    }
}

/// The keys of one moment, in order of name.
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<Key>,
    signing: usize,
}

impl KeySet {
    /// The keys as they stand at `now`: the last one that everybody knows by then signs. While
    /// there is none, the first does.
    pub(super) fn new(keys: Vec<Key>, now: Timestamp) -> Self {
        let signing = keys.iter().rposition(|key| key.signs_from() <= now).unwrap_or(0);
        Self { keys, signing }
    }

    /// The same keys at another moment.
    pub(super) fn at(&self, now: Timestamp) -> Self {
        Self::new(self.keys.clone(), now)
    }

    /// Whether another key signs at `now`.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let newer = self.keys.iter().skip(self.signing + 1);
        newer.rev().any(|key| key.signs_from() <= now)
    }

    /// The last key in order of name.
    pub(super) fn newest(&self) -> Option<&Key> {
        self.keys.last()
    }

    /// The key `id`, if it may be removed.
    pub(super) fn retirable(&self, id: &str) -> Result<&Key, KeysError> {
        let found = self.keys.iter().position(|key| key.id() == id);
        let at = found.ok_or_else(|| KeysError::Unknown(id.to_owned()))?;
        if at == self.signing { Err(KeysError::Signs(id.to_owned())) } else { Ok(&self.keys[at]) }
    }

    /// Keys of which no token can be alive any more.
    pub(super) fn out_of_use(&self, now: Timestamp) -> Vec<&Key> {
        let Some(signing) = self.keys.get(self.signing) else { return Vec::new() };
        if signing.signs_from().after(RETIRE_AFTER) > now {
            return Vec::new();
        }
        self.keys[..self.signing].iter().collect()
    }

    /// The key that signs, and its id.
    pub(crate) fn signing(&self) -> Option<(&str, &EncodingKey)> {
        self.keys.get(self.signing).map(|key| (key.id(), &key.material.encoding))
    }

    /// The key of an id, from our own table and nowhere else.
    pub(crate) fn verifying(&self, id: &str) -> Option<&DecodingKey> {
        self.keys.iter().find(|key| key.id() == id).map(|key| &key.material.decoding)
    }

    /// Secrets for `purpose`, one per key, the signing key's first.
    pub(crate) fn derive(&self, purpose: &str) -> Vec<Zeroizing<[u8; 32]>> {
        let others = self.keys.iter().enumerate().filter(|(at, _)| *at != self.signing);
        let others = others.map(|(_, key)| key);
        let ordered = self.keys.get(self.signing).into_iter().chain(others);
        ordered.map(|key| derive(&key.material.seed, purpose)).collect()
    }

    /// The public halves as a JSON Web Key Set (RFC 7517).
    pub fn jwks(&self) -> Value {
        let keys = self.keys.iter().map(|key| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                "kid": key.id(), "x": BASE64_URL_SAFE_NO_PAD.encode(key.material.public),
            })
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(Key::id)).finish()
    }
}

fn derive(seed: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(seed).unwrap_or_else(|_| unreachable!());
    mac.update(purpose.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}
