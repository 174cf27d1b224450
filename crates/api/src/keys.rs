//! The Ed25519 keys that sign access tokens: files in the data directory, newest signs, all verify.

use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{SigningKey, pkcs8::DecodePrivateKey};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The keys of this installation.
///
/// They are `signing-keys/NNNN.pem` (PKCS#8) under the data directory. The last in order of name
/// signs; every one verifies, so that a new key can be added before an old one is removed.
pub struct SigningKeys {
    keys: Vec<Key>,
}

struct Key {
    id: String,
    public: [u8; 32],
    seed: Zeroizing<[u8; 32]>,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The directory or a file cannot be read or made.
    #[error("`{path}`: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a PKCS#8 Ed25519 key.
    #[error("`{path}` is not an Ed25519 private key in PEM", path = .0.display())]
    Malformed(PathBuf),
    /// Somebody besides the owner could read it.
    #[error("`{path}` can be read by others: chmod 600 it", path = .0.display())]
    Exposed(PathBuf),
    /// The machine has no randomness to give.
    #[error("no randomness: {0}")]
    Randomness(getrandom::Error),
}

impl SigningKeys {
    /// Reads the keys under the data directory `data`, and makes the first one if there is none.
    pub fn load_or_create(data: &Path) -> Result<Self, KeysError> {
        let directory = data.join("signing-keys");
        make_directory(&directory).map_err(at(&directory))?;
        if pem_files(&directory)?.is_empty() {
            create(&directory, 1)?;
        }
        Self::load(&directory)
    }

    /// Adds a new key that signs from the next start on. The old ones go on verifying.
    pub fn rotate(data: &Path) -> Result<Self, KeysError> {
        let keys = Self::load_or_create(data)?;
        let directory = data.join("signing-keys");
        create(&directory, keys.keys.len() + 1)?;
        Self::load(&directory)
    }

    fn load(directory: &Path) -> Result<Self, KeysError> {
        let files = pem_files(directory)?;
        Ok(Self { keys: files.iter().map(|path| read(path)).collect::<Result<_, _>>()? })
    }

    /// The key that signs, and its id.
    pub(crate) fn signing(&self) -> Option<(&str, &EncodingKey)> {
        self.keys.last().map(|key| (key.id.as_str(), &key.encoding))
    }

    /// The key of an id, from our own table and nowhere else.
    pub(crate) fn verifying(&self, id: &str) -> Option<&DecodingKey> {
        self.keys.iter().find(|key| key.id == id).map(|key| &key.decoding)
    }

    /// Secrets for `purpose`, one per key, the signing key's first.
    pub(crate) fn derive(&self, purpose: &str) -> Vec<Zeroizing<[u8; 32]>> {
        self.keys.iter().rev().map(|key| derive(&key.seed, purpose)).collect()
    }

    /// The public halves as a JSON Web Key Set (RFC 7517).
    pub fn jwks(&self) -> Value {
        let keys = self.keys.iter().map(|key| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                "kid": key.id, "x": BASE64_URL_SAFE_NO_PAD.encode(key.public),
            })
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

fn derive(seed: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(seed).unwrap_or_else(|_| unreachable!());
    mac.update(purpose.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeysError {
    let path = path.to_owned();
    move |source| KeysError::File { path, source }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn pem_files(directory: &Path) -> Result<Vec<PathBuf>, KeysError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(at(directory))? {
        let path = entry.map_err(at(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Writes a new key aside and links it into place: whole or not at all, and never over another.
fn create(directory: &Path, number: usize) -> Result<(), KeysError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(KeysError::Randomness)?;
    let aside = directory.join(format!("{number:04}.{}.new", uuid::Uuid::new_v4()));
    let path = directory.join(format!("{number:04}.pem"));
    write_private(&aside, &pem(&seed)).map_err(at(&aside))?;
    let linked = fs::hard_link(&aside, &path);
    fs::remove_file(&aside).map_err(at(&aside))?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.map_err(at(&path)),
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What RFC 8410 puts before the 32 bytes of an Ed25519 key.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

fn pkcs8(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([PKCS8_PREFIX.as_slice(), seed].concat())
}

fn pem(seed: &[u8; 32]) -> Zeroizing<String> {
    let body = Zeroizing::new(BASE64_STANDARD.encode(pkcs8(seed)));
    Zeroizing::new(format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        body.as_str()
    ))
}

fn read(path: &Path) -> Result<Key, KeysError> {
    let mode = fs::metadata(path).map_err(at(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeysError::Exposed(path.to_owned()));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(at(path))?);
    parse(&text).ok_or_else(|| KeysError::Malformed(path.to_owned()))
}

fn parse(text: &str) -> Option<Key> {
    let body: Zeroizing<String> =
        Zeroizing::new(text.lines().filter(|line| !line.starts_with("-----")).collect());
    let der = Zeroizing::new(BASE64_STANDARD.decode(body.trim()).ok()?);
    let key = SigningKey::from_pkcs8_der(&der).ok()?;
    let seed = Zeroizing::new(key.to_bytes());
    let public = key.verifying_key().to_bytes();
    let x = BASE64_URL_SAFE_NO_PAD.encode(public);
    Some(Key {
        id: thumbprint(&x),
        encoding: EncodingKey::from_ed_der(&pkcs8(&seed)),
        decoding: DecodingKey::from_ed_components(&x).ok()?,
        public,
        seed,
    })
}

/// RFC 7638: the id says which key it is, whatever its file is called.
fn thumbprint(x: &str) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_private_and_rotate_with_overlap() {
        let data = tempfile::tempdir().unwrap();
        let first = SigningKeys::load_or_create(data.path()).unwrap();
        let again = SigningKeys::load_or_create(data.path()).unwrap();
        assert_eq!(first.jwks(), again.jwks());
        let path = data.path().join("signing-keys/0001.pem");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let rotated = SigningKeys::rotate(data.path()).unwrap();
        let (old, new) = (first.signing().unwrap().0, rotated.signing().unwrap().0);
        assert_ne!(old, new);
        assert!(rotated.verifying(old).is_some());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
    }

    #[test]
    fn keys_that_others_can_read_or_that_are_none_are_refused() {
        let data = tempfile::tempdir().unwrap();
        SigningKeys::load_or_create(data.path()).unwrap();
        let path = data.path().join("signing-keys/0001.pem");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(SigningKeys::load_or_create(data.path()), Err(KeysError::Exposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "nonsense").unwrap();
        assert!(matches!(SigningKeys::load_or_create(data.path()), Err(KeysError::Malformed(_))));
    }
}
