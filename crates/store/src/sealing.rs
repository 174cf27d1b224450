//! Sealing: what is kept secret in the database, bound to the one place where it belongs.
//!
//! XChaCha20-Poly1305 with a random nonce. The associated data names the organization, table, row,
//! field and key, each with its length in front, so that a sealed value that is copied anywhere
//! else does not open there. Pure: keys and nonces come from outside.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use domain::Scope;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of a nonce: long enough to be drawn at random for every value.
pub(crate) const NONCE_BYTES: usize = 24;
/// The form of what is sealed; the first byte of it.
const FORM: u8 = 1;

/// A key that seals. Gone from memory with the value; never shown.
#[derive(Clone)]
pub(crate) struct Key(Zeroizing<[u8; KEY_BYTES]>);

/// Where a sealed value belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Whose.
    pub owner: Scope,
    /// In which table.
    pub table: &'static str,
    /// In which row: its key within the organization.
    pub row: &'a str,
    /// In which column.
    pub field: &'static str,
    /// Under which data key; nil for what the master key seals.
    pub key: Uuid,
}

/// Sealed with another key, for another place, or damaged: nobody can tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed with another key, for another place, or damaged")]
pub(crate) struct DoesNotOpen;

impl Key {
    /// A key of these bytes, if they are as many as a key has.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// A fresh key.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(key.as_mut())?;
        Ok(Self(key))
    }

    /// The bytes, to be sealed or written to a key's file.
    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Seals `plain` for `place`. A nonce must never serve twice.
    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8], nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        let payload = Payload { msg: plain, aad: &place.bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        // The cipher refuses only what is over 256 GiB.
        [&[FORM], nonce.as_slice(), &sealed.unwrap_or_default()].concat()
    }

    /// What was sealed for `place`.
    pub(crate) fn open(
        &self,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let (nonce, text) = match sealed.split_first() {
            Some((&FORM, rest)) => rest.split_first_chunk::<NONCE_BYTES>().ok_or(DoesNotOpen)?,
            _ => return Err(DoesNotOpen),
        };
        let payload = Payload { msg: text, aad: &place.bytes() };
        let plain = self.cipher().decrypt(&XNonce::from(*nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| DoesNotOpen)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Place<'_> {
    /// The associated data. No two places have the same, because every part has its length.
    fn bytes(&self) -> Vec<u8> {
        let owner = self.owner.column();
        let parts: [&[u8]; 6] = [
            b"bifrost sealed",
            owner.as_bytes(),
            self.table.as_bytes(),
            self.row.as_bytes(),
            self.field.as_bytes(),
            self.key.as_bytes(),
        ];
        let framed = |part: &[u8]| [&(part.len() as u64).to_be_bytes(), part].concat();
        parts.into_iter().flat_map(framed).collect()
    }
}

/// A nonce for one value.
pub(crate) fn nonce() -> Result<[u8; NONCE_BYTES], getrandom::Error> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce)?;
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::OrganizationId;

    fn key(byte: u8) -> Key {
        Key::from_slice(&[byte; KEY_BYTES]).unwrap()
    }

    fn place(row: &str) -> Place<'_> {
        let owner = Scope::Organization(OrganizationId(Uuid::from_u128(1)));
        Place { owner, table: "config_values", row, field: "sealed", key: Uuid::from_u128(9) }
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let sealed = key(7).seal(place("a"), b"hunter2", [3; NONCE_BYTES]);
        assert_eq!(&**key(7).open(place("a"), &sealed).unwrap(), b"hunter2");
        let elsewhere = [
            ("another row", place("b")),
            (
                "another organization",
                Place {
                    owner: Scope::Organization(OrganizationId(Uuid::from_u128(2))),
                    ..place("a")
                },
            ),
            ("Global", Place { owner: Scope::Global, ..place("a") }),
            ("another table", Place { table: "data_keys", ..place("a") }),
            ("another field", Place { field: "value", ..place("a") }),
            ("another key id", Place { key: Uuid::from_u128(8), ..place("a") }),
            ("parts that run together alike", Place { row: "as", field: "ealed", ..place("a") }),
        ];
        for (what, place) in elsewhere {
            assert_eq!(key(7).open(place, &sealed), Err(DoesNotOpen), "{what}");
        }
        assert_eq!(key(8).open(place("a"), &sealed), Err(DoesNotOpen), "another key");
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_noticed() {
        let sealed = key(7).seal(place("a"), b"hunter2", [3; NONCE_BYTES]);
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key(7).open(place("a"), &changed), Err(DoesNotOpen), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(key(7).open(place("a"), &sealed[..length]), Err(DoesNotOpen), "{length}");
        }
    }

    #[test]
    fn the_same_value_looks_different_each_time_and_keys_are_not_shown() {
        let seal = || key(7).seal(place("a"), b"hunter2", nonce().unwrap());
        assert_ne!(seal(), seal());
        assert_eq!(format!("{:?}", key(7)), "Key(…)");
        assert_ne!(Key::random().unwrap().bytes(), Key::random().unwrap().bytes());
    }
}
