//! One Ed25519 key as PKCS#8 in PEM, read and written.

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{SigningKey, pkcs8::DecodePrivateKey};
use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Both halves of a key, ready for use.
pub(super) struct Material {
    pub id: String,
    pub public: [u8; 32],
    pub seed: Zeroizing<[u8; 32]>,
    pub encoding: EncodingKey,
    pub decoding: DecodingKey,
}

/// What RFC 8410 puts before the 32 bytes of an Ed25519 key.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

fn pkcs8(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([PKCS8_PREFIX.as_slice(), seed].concat())
}

/// The text of a key's file.
pub(super) fn write(seed: &[u8; 32]) -> Zeroizing<String> {
    let body = Zeroizing::new(BASE64_STANDARD.encode(pkcs8(seed)));
    Zeroizing::new(format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        body.as_str()
    ))
}

/// The key of a file's text.
pub(super) fn read(text: &str) -> Option<Material> {
    let body: Zeroizing<String> =
        Zeroizing::new(text.lines().filter(|line| !line.starts_with("-----")).collect());
    let der = Zeroizing::new(BASE64_STANDARD.decode(body.trim()).ok()?);
    let key = SigningKey::from_pkcs8_der(&der).ok()?;
    let seed = Zeroizing::new(key.to_bytes());
    let public = key.verifying_key().to_bytes();
    let x = BASE64_URL_SAFE_NO_PAD.encode(public);
    Some(Material {
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
