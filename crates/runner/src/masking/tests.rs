//! What is masked, what is left, and that nothing is left of a secret where others touch it.

use super::*;
use base64::{Engine, prelude::BASE64_STANDARD};
use proptest::prelude::*;
use serde_json::json;

fn masking(secrets: &[&str]) -> Masking {
    let masking = Masking::default();
    for secret in secrets {
        masking.learn(&json!(secret)).unwrap();
    }
    masking
}

#[test]
fn without_secrets_a_text_is_not_even_looked_at() {
    let masking = Masking::default();
    assert!(matches!(masking.text("hunter2"), Cow::Borrowed("hunter2")));
    masking.learn(&json!({"pin": 123_456, "short": "abc", "on": true})).unwrap();
    assert!(masking.patterns().is_none(), "nothing in it is masked");
}

#[test]
fn every_text_of_a_secret_is_masked_however_deep() {
    let masking = Masking::default();
    masking
        .learn(&json!({"user": "ada@acme", "keys": [{"token": "tok-4711"}], "n": "abc"}))
        .unwrap();
    assert_eq!(masking.text("ada@acme has tok-4711 and abc"), "*** has *** and abc");
}

#[test]
fn secrets_that_overlap_leave_nothing_between() {
    let masking = masking(&["abcdef", "defghi", "cdef", "xabc"]);
    assert_eq!(masking.text("-abcdefghi-"), "-***-");
    assert_eq!(masking.text("xabcdef abcdefabcdef"), "*** ***");
}

#[test]
fn lines_of_a_key_are_masked_by_themselves() {
    let pem = "-----BEGIN KEY-----\nMIIEvQIBADAN\n  indented line\nshort\n-----END KEY-----\n";
    let masking = masking(&[pem]);
    assert_eq!(masking.text(pem), "***");
    assert_eq!(masking.text("got MIIEvQIBADAN"), "got ***");
    assert_eq!(masking.text("  | indented line"), "  | ***");
    assert_eq!(masking.text("short"), "short");
}

#[test]
fn json_keeps_its_form() {
    let masking = masking(&["hunter2\"", "naïve"]);
    let patterns = masking.patterns().unwrap();
    let mask = |text: &str| json::mask(text, &|text| patterns.mask(text));
    let text =
        r#"{"z":1.50,"hunter2\"":[1e400,"a hunter2\" b",12345678901234567890],"a":"na\u00efve"}"#;
    let masked = r#"{"z":1.50,"***":[1e400,"a *** b",12345678901234567890],"a":"***"}"#;
    assert_eq!(mask(text), masked);
    assert_eq!(mask(r#""\\""#), r#""\\""#);
    assert_eq!(mask(r#"["\ud800 hunter2\"","x"]"#), r#"["***","x"]"#);
    assert_eq!(mask("null"), "null");
}

#[test]
fn what_a_cut_leaves_of_a_secret_is_masked() {
    let secret = "the-secret-is-long-4711";
    let masking = masking(&[secret]);
    let filler = "x".repeat(MAYBE_CUT);
    for length in 4..secret.len() {
        let (begin, end) = (&secret[..length], &secret[secret.len() - length..]);
        assert_eq!(masking.text(&format!("{filler}{begin}")), format!("{filler}***"));
        let marked = masking.text(&format!("{filler}{begin}{CUT_MARK}")).into_owned();
        assert_eq!(marked, format!("{filler}***{CUT_MARK}"));
        let middle = format!("{filler}{begin}\n… 99 bytes left out …\n{end}{filler}");
        let masked = format!("{filler}***\n… 99 bytes left out …\n***{filler}");
        assert_eq!(masking.text(&middle), masked);
    }
    let euro = "€".repeat(10);
    let torn = masking_of(&euro).text(&format!("{filler}€€€")).into_owned();
    assert_eq!(torn, format!("{filler}***"));
}

fn masking_of(secret: &str) -> Masking {
    masking(&[secret])
}

#[test]
fn one_run_cannot_be_given_more_than_can_be_looked_for() {
    let masking = Masking::default();
    let large = |n: u32| json!(format!("{n:05}").repeat(12_000));
    masking.learn(&large(1)).unwrap();
    masking.learn(&large(1)).unwrap();
    masking.learn(&large(2)).unwrap();
    assert_eq!(masking.learn(&large(3)), Err(TooMany));
    let many: Vec<_> = (0..300).map(|n| format!("text {n}")).collect();
    assert_eq!(Masking::default().learn(&json!(many)), Err(TooMany));
}

proptest! {
    #[test]
    fn base64_is_found_at_every_alignment(
        before in proptest::collection::vec(any::<u8>(), 0..7),
        secret in "\\PC{6,40}",
        after in proptest::collection::vec(any::<u8>(), 0..7),
    ) {
        let bytes = [before.as_slice(), secret.as_bytes(), after.as_slice()].concat();
        let text = BASE64_STANDARD.encode(&bytes);
        let masked = masking(&[&secret]).text(&text).into_owned();
        prop_assert!(masked.contains("***"), "{text} {masked}");
        // What is left decodes to no four bytes of the secret.
        let left = masked.replace("***", "");
        prop_assert!(left.len() <= text.len() - (secret.len() * 8 / 6 - 2), "{text} {masked}");
    }

    #[test]
    fn a_plain_secret_is_never_left(
        secrets in proptest::collection::vec("[ab]{4,6}", 1..4),
        text in "[abc]{0,60}",
    ) {
        let borrowed: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let masking = masking(&borrowed);
        let masked = masking.text(&text);
        // A naive model: every character that any occurrence of any secret covers is gone.
        let mut covered = vec![false; text.len()];
        for secret in &secrets {
            for at in 0..text.len() {
                if text[at..].starts_with(secret.as_str()) {
                    covered[at..at + secret.len()].fill(true);
                }
            }
        }
        let mut expected = String::new();
        for (at, code) in text.char_indices() {
            match covered[at] {
                false => expected.push(code),
                true if at > 0 && covered[at - 1] => {}
                true => expected.push_str("***"),
            }
        }
        prop_assert_eq!(masked.into_owned(), expected);
    }
}
