//! The forms in which a secret is looked for: as it is, and as Python writes it down elsewhere.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use domain::config::MIN_MASKED;
use std::{collections::BTreeSet, fmt::Write};

/// Lines of a secret that are looked for by themselves have at least so many characters.
const MIN_LINE: usize = 8;

/// Longer texts are looked for in one kind of quotes only, not in quotes within quotes.
const MAX_TWICE: usize = 2048;

/// And longer ones than this not in quotes within quotes within quotes.
const MAX_THRICE: usize = 256;

/// What Python's `urllib.parse.quote` and JavaScript's `encodeURIComponent` leave as it is.
const UNQUOTED: [&str; 3] = ["_.-~/", "_.-~", "-_.!~*'()"];

/// A set of byte strings.
#[derive(Default)]
pub(super) struct Forms(BTreeSet<Vec<u8>>);

impl Forms {
    /// Adds all forms of one text.
    pub(super) fn add(&mut self, text: &str) {
        self.written(text);
        self.quoted_for_urls(text);
        self.encoded(text.as_bytes());
        let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let attribute = html.replace('"', "&quot;").replace('\'', "&#x27;");
        for form in [html, attribute] {
            escapes(&form).into_iter().for_each(|escaped| self.insert(escaped));
            self.insert(form);
        }
        let lines = text.lines().map(str::trim).filter(|line| *line != text);
        for line in lines.filter(|line| line.chars().count() >= MIN_LINE) {
            self.written(line);
        }
    }

    /// All of them.
    pub(super) fn all(self) -> Vec<Vec<u8>> {
        self.0.into_iter().collect()
    }

    fn insert(&mut self, form: impl Into<Vec<u8>>) {
        let form = form.into();
        if form.len() >= MIN_MASKED {
            self.0.insert(form);
        }
    }

    /// As it is, in JSON, as `repr` and `ascii` have it, and each of these in each of them again:
    /// a text of JSON in a field of JSON, or in the message of a `KeyError`.
    fn written(&mut self, text: &str) {
        let once = escapes(text);
        let within = |forms: &BTreeSet<String>, longest| -> BTreeSet<String> {
            let quoted = forms.iter().filter(|_| text.len() <= longest);
            quoted.flat_map(|form| escapes(form)).collect()
        };
        let twice = within(&once, MAX_TWICE);
        let thrice = within(&twice, MAX_THRICE);
        once.into_iter().chain(twice).chain(thrice).for_each(|form| self.insert(form));
        self.insert(text);
    }

    fn quoted_for_urls(&mut self, text: &str) {
        for unquoted in UNQUOTED {
            for upper in [true, false] {
                let quoted = quote(text, unquoted, upper);
                self.insert(quoted.replace("%20", "+"));
                self.insert(quoted);
            }
        }
    }

    /// In hex, and in base64 wherever it stands among other bytes.
    fn encoded(&mut self, bytes: &[u8]) {
        self.insert(hex::encode(bytes));
        self.insert(hex::encode_upper(bytes));
        for before in 0..3 {
            let padded = [&[0; 2][..before], bytes].concat();
            // Characters that hold bits of other bytes are left out at both ends.
            let (first, last) = ([0, 2, 3][before], padded.len() * 8 / 6);
            for text in
                [BASE64_STANDARD_NO_PAD.encode(&padded), BASE64_URL_SAFE_NO_PAD.encode(&padded)]
            {
                self.insert(&text.as_bytes()[first..last]);
            }
        }
    }
}

/// A text in all kinds of quotes, without the quotes.
fn escapes(text: &str) -> BTreeSet<String> {
    let plain = json(text, false);
    let mut forms = BTreeSet::from([json(text, true), plain.replace('/', "\\/"), plain]);
    for quote in [None, Some('\''), Some('"')] {
        forms.insert(repr(text, quote, |code| code.to_string()));
        forms.insert(repr(text, quote, escape));
        forms.insert(repr(text, quote, |code| {
            let bytes = code.encode_utf8(&mut [0; 4]).to_owned().into_bytes();
            bytes.into_iter().map(|byte| format!("\\x{byte:02x}")).collect()
        }));
    }
    forms
}

/// The inside of a JSON string, with or without characters beyond ASCII.
fn json(text: &str, ascii: bool) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inside = &quoted[1..quoted.len() - 1];
    if !ascii {
        return inside.to_owned();
    }
    let mut escaped = String::with_capacity(inside.len());
    for code in inside.chars() {
        // Python escapes DEL too, which JSON need not.
        if code.is_ascii() && code != '\u{7f}' {
            escaped.push(code);
            continue;
        }
        for unit in code.encode_utf16(&mut [0; 2]) {
            // Writing to a text does not fail.
            let _written = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

/// The inside of Python's `repr`, with this quote escaped; `beyond` writes what is not ASCII.
fn repr(text: &str, quote: Option<char>, beyond: impl Fn(char) -> String) -> String {
    let one = |code: char| match code {
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        code if Some(code) == quote => format!("\\{code}"),
        ' '..='~' => code.to_string(),
        code if code.is_ascii() => format!("\\x{:02x}", u32::from(code)),
        code => beyond(code),
    };
    text.chars().map(one).collect()
}

/// A character as Python's `ascii` writes it.
fn escape(code: char) -> String {
    match u32::from(code) {
        number @ 0..=0xff => format!("\\x{number:02x}"),
        number @ 0x100..=0xffff => format!("\\u{number:04x}"),
        number => format!("\\U{number:08x}"),
    }
}

fn quote(text: &str, unquoted: &str, upper: bool) -> String {
    let one = |byte: u8| match char::from(byte) {
        code if code.is_ascii_alphanumeric() || unquoted.contains(code) => code.to_string(),
        _ if upper => format!("%{byte:02X}"),
        _ => format!("%{byte:02x}"),
    };
    text.bytes().map(one).collect()
}
