//! Frames under random bytes and at their limits.

use super::*;
use proptest::prelude::*;
use tokio_util::{bytes::BytesMut, codec::Decoder};

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        let mut codec = codec();
        while let Ok(Some(frame)) = codec.decode(&mut buffer) {
            let _parsed = Incoming::parse(&frame);
        }
        let _parsed = Incoming::parse(&bytes);
    }

    #[test]
    fn near_frames_never_panic(kind in "log|call|modules|result|part|error|x", rest in "[\\[\\]{}\",:a-z0-9]{0,40}") {
        let _parsed = Incoming::parse(format!("{{\"type\":\"{kind}\",{rest}}}").as_bytes());
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_large_value_comes_back_from_its_parts(text in "\\PC{1,100}", size in 400_000..2_000_000_usize) {
        let value = serde_json::to_string(&text.repeat(size / text.len())).unwrap();
        let large = large_frames(&value).unwrap();
        let Some(parts) = large.parts else { return Ok(()) };
        let mut joining = Joining::new(parts);
        let mut whole = None;
        for frame in &large.frames {
            prop_assert!(frame.len() <= MAX_FRAME);
            let Ok(Incoming::Part(part)) = Incoming::parse(frame) else { panic!("not a part") };
            whole = joining.push(&part).unwrap();
        }
        prop_assert_eq!(whole, Some(value));
    }
}

#[test]
fn depth_is_counted_outside_of_texts_only() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(is_shallow(deep(100).as_bytes()));
    assert!(!is_shallow(deep(101).as_bytes()));
    let text = serde_json::to_string(&format!("\"\\{}", deep(500))).unwrap();
    assert!(is_shallow(text.as_bytes()));
    let frame = format!(r#"{{"type":"result","value":{}}}"#, deep(100));
    assert_eq!(Incoming::parse(frame.as_bytes()).unwrap_err(), BadFrame::TooDeep);
}

#[test]
fn values_over_the_limits_are_refused() {
    assert_eq!(large_frames(&"1".repeat(MAX_JOINED + 1)).unwrap_err(), BadFrame::JoinedTooLarge);
    let mut joining = Joining::new(99);
    let part = "1".repeat(MAX_JOINED);
    assert_eq!(joining.push(&part).unwrap(), None);
    assert_eq!(joining.push("1").unwrap_err(), BadFrame::JoinedTooLarge);
}

#[test]
fn results_say_inline_or_parts_but_not_both() {
    let result = |json: &str| match Incoming::parse(json.as_bytes())? {
        Incoming::Result(large, _) => Ok(large),
        other => panic!("{other:?}"),
    };
    let inline = |text: &str| Ok(Large::Inline(text.to_owned()));
    assert_eq!(result(r#"{"type":"result","value": {"a": 1.50}}"#), inline(r#"{"a": 1.50}"#));
    assert_eq!(result(r#"{"type":"result","value":null}"#), inline("null"));
    assert_eq!(result(r#"{"type":"result","parts":2}"#), Ok(Large::Parts(2)));
    for bad in [r#"{"type":"result","parts":0}"#, r#"{"type":"result","value":1,"parts":1}"#] {
        assert_eq!(result(bad), Err(BadFrame::PartOutOfPlace));
    }
    assert!(result(r#"{"type":"result","value":NaN}"#).is_err());
}

#[derive(serde::Deserialize)]
struct Fixture {
    valid: bool,
    #[serde(default)]
    json: serde_json::Value,
    hex: String,
    #[serde(default)]
    why: String,
}

#[test]
fn frames_of_the_shared_fixture() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../python/tests/fixtures/protocol/frames.json");
    let fixtures: Vec<Fixture> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for fixture in fixtures {
        let mut buffer = BytesMut::from(&hex::decode(&fixture.hex).unwrap()[..]);
        let frame = codec().decode(&mut buffer);
        let Ok(Some(frame)) = frame else {
            assert!(!fixture.valid, "{}", fixture.json);
            continue;
        };
        let to_child = matches!(fixture.json["type"].as_str(), Some("cancel" | "reply"));
        let parsed = Incoming::parse(&frame);
        assert_eq!(parsed.is_ok(), fixture.valid && !to_child, "{} {}", fixture.why, fixture.json);
    }
}
