//! Canaries: finding a mark in bytes, however it is written.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use std::io::Read;

/// A way to write a mark, and the bytes it has then, in lower case.
struct Form {
    name: &'static str,
    bytes: Vec<u8>,
}

/// Looks for marks.
pub struct Search {
    forms: Vec<(String, Vec<Form>)>,
}

/// At most so much is unpacked of one stream.
const UNPACKED: u64 = 16 << 20;

impl Search {
    /// For `marks`: words of letters and digits, eight or more, without case.
    pub fn new<'a>(marks: impl IntoIterator<Item = &'a str>) -> Self {
        let forms = marks.into_iter().map(|mark| (mark.to_owned(), forms(mark)));
        Self { forms: forms.collect() }
    }

    /// Which mark `bytes` have, and in which form.
    pub fn find(&self, bytes: &[u8]) -> Option<String> {
        self.look(bytes).or_else(|| {
            unpacked(bytes)
                .into_iter()
                .find_map(|inner| self.look(&inner).map(|found| format!("{found}, compressed")))
        })
    }

    fn look(&self, bytes: &[u8]) -> Option<String> {
        let lower = bytes.to_ascii_lowercase();
        for (mark, forms) in &self.forms {
            for form in forms {
                if contains(&lower, &form.bytes) {
                    return Some(format!("`{mark}`, {}", form.name));
                }
            }
        }
        None
    }
}

/// Without case: base64 of a mark in lower case, compared in lower case, is found by chance once
/// in 36^10 places.
fn forms(mark: &str) -> Vec<Form> {
    assert!(mark.len() >= 8 && mark.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{mark}");
    let mut forms = Vec::new();
    let mut add = |name, text: String| {
        forms.push(Form { name, bytes: text.to_ascii_lowercase().into_bytes() });
    };
    add("plain", mark.to_owned());
    add("reversed", mark.chars().rev().collect());
    add("hex", mark.bytes().map(|byte| format!("{byte:02x}")).collect());
    add("URL-encoded", mark.bytes().map(|byte| format!("%{byte:02x}")).collect());
    add("JSON-escaped", mark.bytes().map(|byte| format!("\\u{byte:04x}")).collect());
    add("as a list of numbers", list(mark, ","));
    add("as a list of numbers", list(mark, ", "));
    add("in UTF-16", mark.bytes().flat_map(|byte| [char::from(byte), '\0']).collect());
    for case in [mark.to_owned(), mark.to_uppercase(), capital(mark)] {
        for (name, offset) in [("base64 +0", 0), ("base64 +1", 1), ("base64 +2", 2)] {
            for text in aligned(&case, offset) {
                add(name, text);
            }
        }
    }
    forms
}

fn list(mark: &str, glue: &str) -> String {
    mark.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(glue)
}

fn capital(mark: &str) -> String {
    mark[..1].to_uppercase() + &mark[1..]
}

/// What base64 of a text has in it wherever the mark starts `offset` bytes after a full group:
/// the characters that depend on the mark alone.
fn aligned(mark: &str, offset: usize) -> [String; 2] {
    let padded = [vec![0; offset], mark.as_bytes().to_vec()].concat();
    let whole = padded.len() / 3 * 4;
    let skipped = if offset == 0 { 0 } else { 4 };
    [
        BASE64_STANDARD_NO_PAD.encode(&padded)[skipped..whole].to_owned(),
        BASE64_URL_SAFE_NO_PAD.encode(&padded)[skipped..whole].to_owned(),
    ]
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else { return false };
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        from += at + 1;
        if bytes[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// Every stream of gzip or zlib that starts anywhere, and the whole as bare deflate.
fn unpacked(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut streams = vec![all(DeflateDecoder::new(bytes))];
    for at in 0..bytes.len().saturating_sub(1) {
        match (bytes[at], bytes[at + 1]) {
            (0x1f, 0x8b) => streams.push(all(GzDecoder::new(&bytes[at..]))),
            (0x78, 0x01 | 0x5e | 0x9c | 0xda) => streams.push(all(ZlibDecoder::new(&bytes[at..]))),
            _ => {}
        }
    }
    streams
}

fn all(reader: impl Read) -> Vec<u8> {
    let mut out = Vec::new();
    // What cannot be unpacked to its end is searched as far as it went.
    let _broken = reader.take(UNPACKED).read_to_end(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::BASE64_STANDARD;
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use std::io::Write;

    const MARK: &str = "qxacme7vk31j5w";

    fn planted() -> Vec<(&'static str, Vec<u8>)> {
        let text = format!("{{\"a\":\"before {MARK} after\"}}").into_bytes();
        let escaped: String = MARK.bytes().map(|b| format!("\\u00{b:02X}")).collect();
        let percent: String = MARK.bytes().map(|b| format!("%{b:02X}")).collect();
        let hex: String = text.iter().map(|b| format!("{b:02X}")).collect();
        let reversed: Vec<u8> = text.iter().rev().copied().collect();
        let utf16: Vec<u8> = MARK.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&text).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&text).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(&text).unwrap();
        vec![
            ("plain", text.clone()),
            ("upper case", text.to_ascii_uppercase()),
            ("JSON-escaped", escaped.into_bytes()),
            ("URL-encoded", percent.into_bytes()),
            ("hex", hex.into_bytes()),
            ("reversed", reversed),
            ("UTF-16", utf16),
            ("numbers", format!("{:?}", MARK.as_bytes()).into_bytes()),
            ("gzip", [b"noise".to_vec(), gzip.finish().unwrap()].concat()),
            ("zlib", [b"noise".to_vec(), zlib.finish().unwrap()].concat()),
            ("deflate", deflate.finish().unwrap()),
        ]
    }

    #[test]
    fn a_planted_mark_is_found_in_every_form_and_a_missing_one_in_none() {
        let (search, other) = (Search::new([MARK]), Search::new(["qxglobex4t8zzpw"]));
        let mut forms = planted();
        for offset in 0..3 {
            for mark in [MARK.to_owned(), capital(MARK), MARK.to_uppercase()] {
                let text = format!("{}{mark}!", &"xyz"[..offset]);
                forms.push(("base64", BASE64_STANDARD.encode(&text).into_bytes()));
                forms.push(("base64url", BASE64_URL_SAFE_NO_PAD.encode(&text).into_bytes()));
            }
        }
        for (name, bytes) in forms {
            assert!(search.find(&bytes).is_some(), "{name} is not found");
            assert_eq!(other.find(&bytes), None, "{name}");
        }
    }
}
