//! The settings against the contract, a model by hand, and the schema as a client sees it.

use super::{Fault, Settings, Stored, schema};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The contract's table once more, by hand: section, key, default, lowest, highest.
const NUMBERS: [(&str, &str, u64, u64, u64); 7] = [
    ("executions", "timeout_seconds", 300, 1, 86_400),
    ("executions", "max_concurrent", 10, 1, 1_000),
    ("executions", "max_queued", 10_000, 1, 1_000_000),
    ("executions", "memory_mb", 512, 64, 16_384),
    ("executions", "weight", 1, 1, 100),
    ("executions", "retention_days", 30, 1, 3_650),
    ("modules", "max_file_kb", 1_024, 1, 10_240),
];
const TEXTS: [(&str, &[&str], &[&str]); 3] = [
    (
        "timezone",
        &["UTC", "Europe/Vienna", "America/Argentina/Ushuaia"],
        &["", "Vienna", "utc ", "+01:00"],
    ),
    ("currency", &["USD", "EUR", "JPY"], &["", "eur", "EURO", "XQQ", "978"]),
    (
        "locale",
        &["en-US", "de", "zh-Hant-TW", "es-419", "sl-rozaj-biske", "de-DE-u-co-phonebk", "en-x-us"],
        &["", "e", "english", "en_US", "en-", "-US", "en-USA", "de-DE-u", "en-US\n"],
    ),
];
const HOSTS: [&str; 9] = [
    "*",
    "*:443",
    "*.example.com",
    "api.example.com",
    "API.Example.com:8443",
    "localhost",
    "xn--bcher-kva.example",
    "203.0.113.7",
    "203.0.113.7:65535",
];
const NO_HOSTS: [&str; 18] = [
    "",
    "**",
    "*.",
    "*example.com",
    "a.*.com",
    "https://example.com",
    "example.com/",
    "example.com:",
    "example.com:0",
    "example.com:65536",
    "example.com:http",
    "example..com",
    ".example.com",
    "-a.example.com",
    "exa mple.com",
    "256.0.0.1",
    "1.2.3",
    "example.com\n",
];

fn fresh() -> Stored {
    Stored::read("{}")
}

fn pointers(faults: &[Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.pointer.as_str()).collect()
}

#[test]
fn the_defaults_are_the_contract_s() {
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    for (section, key, default, ..) in NUMBERS {
        assert_eq!(defaults[section][key], default, "{key}");
    }
    assert_eq!(
        defaults["regional"],
        json!({"timezone": "UTC", "currency": "USD", "locale": "en-US"})
    );
    assert_eq!(defaults["network"], json!({"allowed_hosts": ["*"]}));
    let leaves: usize =
        defaults.as_object().unwrap().values().map(|s| s.as_object().unwrap().len()).sum();
    assert_eq!(leaves, NUMBERS.len() + TEXTS.len() + 1, "nothing beside the contract");
    assert_eq!(fresh().settings, Settings::default());
}

#[test]
fn the_schema_has_defaults_ranges_and_descriptions() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(jsonschema::draft202012::meta::is_valid(schema));
    for (section, key, default, low, high) in NUMBERS {
        let number = &schema["properties"][section]["properties"][key];
        assert_eq!(number["type"], "integer", "{key}");
        assert_eq!((&number["minimum"], &number["maximum"]), (&json!(low), &json!(high)), "{key}");
        assert_eq!(number["default"], default, "{key}");
    }
    for (name, section) in schema["properties"].as_object().unwrap() {
        assert_eq!(section["additionalProperties"], false, "{name}");
        for (key, property) in section["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{name}.{key}");
            assert!(!property["default"].is_null(), "{name}.{key}");
        }
    }
}

#[test]
fn ranges_end_where_the_contract_says() {
    for (section, key, _, low, high) in NUMBERS {
        let faults = |value: Value| match fresh().patched(&json!({ section: { key: value } })) {
            Ok(_) => Vec::new(),
            Err(faults) => faults,
        };
        assert_eq!(faults(json!(low)), []);
        assert_eq!(faults(json!(high)), []);
        assert_eq!(faults(json!(high as f64)), [], "a whole number, however it is written");
        let detail = format!("must be a whole number from {low} to {high}");
        let fault = Fault { pointer: format!("/{section}/{key}"), detail };
        for bad in [
            json!(low - 1),
            json!(high + 1),
            json!(-1),
            json!(1.5),
            json!("5"),
            json!(true),
            json!([]),
        ] {
            assert_eq!(faults(bad.clone()), std::slice::from_ref(&fault), "{bad}");
        }
    }
}

#[test]
fn texts_are_what_their_standards_say() {
    let verdict =
        |key: &str, value: &str| fresh().patched(&json!({"regional": {key: value}})).is_ok();
    for (key, good, bad) in TEXTS {
        good.iter().for_each(|value| assert!(verdict(key, value), "{key} {value}"));
        bad.iter().for_each(|value| assert!(!verdict(key, value), "{key} {value:?}"));
    }
    let verdict =
        |value: &str| fresh().patched(&json!({"network": {"allowed_hosts": [value]}})).is_ok();
    HOSTS.iter().for_each(|host| assert!(verdict(host), "{host}"));
    NO_HOSTS.iter().for_each(|host| assert!(!verdict(host), "{host:?}"));
}

#[test]
fn every_fault_is_told_at_once() {
    let patch = json!({
        "regional": {"timezone": "Mars/Olympus", "currency": 3, "planet": null, "a/b~": 1},
        "executions": {"timeout_seconds": 0, "memory_mb": "much", "weight": 5},
        "network": {"allowed_hosts": ["ok.example", "http://no", 7, "ok.example"]},
        "modules": [],
        "extra": {"x": 1},
        "gone": null,
    });
    let faults = fresh().patched(&patch).unwrap_err();
    assert_eq!(
        pointers(&faults),
        [
            "/executions/memory_mb",
            "/executions/timeout_seconds",
            "/extra",
            "/gone",
            "/modules",
            "/network/allowed_hosts",
            "/network/allowed_hosts/1",
            "/network/allowed_hosts/2",
            "/regional/a~1b~0",
            "/regional/currency",
            "/regional/planet",
            "/regional/timezone",
        ]
    );
    for whole in [json!(null), json!([]), json!("x"), json!(3)] {
        assert_eq!(pointers(&fresh().patched(&whole).unwrap_err()), [""], "{whole}");
    }
}

#[test]
fn null_returns_a_key_or_a_section_to_its_default() {
    let patch = json!({"executions": {"timeout_seconds": 60, "max_queued": 5}, "modules": {"max_file_kb": 9}});
    let changed = fresh().patched(&patch).unwrap();
    assert_eq!(changed.settings.executions.timeout_seconds, 60);
    let one = changed.patched(&json!({"executions": {"timeout_seconds": null}})).unwrap();
    assert_eq!(
        (one.settings.executions.timeout_seconds, one.settings.executions.max_queued),
        (300, 5)
    );
    let section = changed.patched(&json!({"executions": null})).unwrap();
    assert_eq!(section.text(), r#"{"modules":{"max_file_kb":9}}"#);
    let all = json!({"regional": null, "executions": null, "network": null, "modules": null});
    assert_eq!(changed.patched(&all).unwrap(), fresh());
    let by_value = changed.patched(
        &json!({"executions": {"timeout_seconds": 300, "max_queued": 10000}, "modules": null}),
    );
    assert_eq!(by_value.unwrap().text(), "{}", "a default is not kept, and follows the default");
}

#[test]
fn what_another_version_wrote_is_passed_over_and_kept() {
    let newer = r#"{"executions":{"timeout_seconds":60,"memory_mb":999999,"gpu":2},"billing":{"plan":"x"}}"#;
    let read = Stored::read(newer);
    assert_eq!(pointers(&read.faults), ["/billing", "/executions/gpu", "/executions/memory_mb"]);
    let executions = &read.settings.executions;
    assert_eq!((executions.timeout_seconds, executions.memory_mb), (60, 512));
    let patched = read.patched(&json!({"executions": {"timeout_seconds": null}})).unwrap();
    assert_eq!(
        patched.text(),
        r#"{"billing":{"plan":"x"},"executions":{"gpu":2,"memory_mb":999999}}"#
    );
    let mended = patched.patched(&json!({"executions": {"memory_mb": 1024}})).unwrap();
    assert_eq!(mended.settings.executions.memory_mb, 1024);
}

#[test]
fn hosts_that_cannot_be_read_allow_nobody() {
    let hosts = |text: &str| Stored::read(text).settings.network.allowed_hosts;
    assert_eq!(hosts("{}"), ["*"]);
    assert_eq!(hosts(r#"{"network":{"allowed_hosts":["a.test","cidr:10.0.0.0/8"]}}"#), ["a.test"]);
    for text in [
        r#"{"network":{"allowed_hosts":"a.test"}}"#,
        r#"{"network":7}"#,
        r#"{"network":{"allowed_hosts":{"allow":["a.test"]}}}"#,
        "[]",
        "7",
        "",
        "{",
    ] {
        assert_eq!(hosts(text), [""; 0], "{text}");
        let after = Stored::read(text).patched(&json!({"modules": {"max_file_kb": 5}})).unwrap();
        assert_eq!(
            after.settings.network.allowed_hosts, [""; 0],
            "{text} after a change elsewhere"
        );
        let opened = Stored::read(text).patched(&json!({"network": null})).unwrap();
        assert_eq!(opened.settings.network.allowed_hosts, ["*"], "{text} after being asked to");
    }
    // What the version at hand does not know beside them changes nothing.
    assert_eq!(hosts(r#"{"network":{"allowed_hosts":["a.test"],"proxy":1}}"#), ["a.test"]);
}

/// A value for a key, and whether it is good there.
fn leaf(section: &'static str, key: &'static str) -> BoxedStrategy<(Value, bool)> {
    let number = NUMBERS.iter().find(|number| number.1 == key);
    let known: BoxedStrategy<(Value, bool)> = match number {
        Some(&(.., low, high)) => prop_oneof![
            (low..=high).prop_map(|n| (json!(n), true)),
            Just((json!(high + 1), false)),
            Just((json!(low - 1), false)),
            Just((json!(low as f64 + 0.5), false)),
        ]
        .boxed(),
        None if key == "allowed_hosts" => {
            let host = prop_oneof![
                prop::sample::select(HOSTS.to_vec()).prop_map(|host| (host, true)),
                prop::sample::select(NO_HOSTS.to_vec()).prop_map(|host| (host, false)),
            ];
            prop::collection::btree_set(host, 0..4)
                .prop_map(|hosts| {
                    let good = hosts.iter().all(|(_, good)| *good);
                    (hosts.into_iter().map(|(host, _)| host).collect(), good)
                })
                .boxed()
        }
        None => {
            let text = TEXTS.iter().find(|text| text.0 == key);
            let (good, bad) =
                text.map_or((vec![], vec!["?"]), |text| (text.1.to_vec(), text.2.to_vec()));
            let all: Vec<_> = good
                .into_iter()
                .map(|text| (json!(text), true))
                .chain(bad.into_iter().map(|text| (json!(text), false)))
                .collect();
            prop::sample::select(all).boxed()
        }
    };
    let unknown = section == "none" || key == "none";
    prop_oneof![
        8 => known,
        1 => Just((Value::Null, true)),
        1 => prop::sample::select(vec![json!({}), json!({"a": 1}), json!(false)]).prop_map(|value| (value, false)),
    ]
    .prop_map(move |(value, good)| (value, good && !unknown))
    .boxed()
}

/// A patch, and the pointers of what is wrong with it but for what lies inside lists.
fn patch() -> impl Strategy<Value = (Value, Vec<String>)> {
    let keys = NUMBERS.iter().map(|number| (number.0, number.1));
    let keys = keys.chain(TEXTS.iter().map(|text| ("regional", text.0)));
    let others = [("network", "allowed_hosts"), ("executions", "none"), ("none", "weight")];
    let keys: Vec<_> = keys.chain(others).collect();
    prop::sample::subsequence(keys, 0..6)
        .prop_flat_map(|keys| {
            let leaves = keys.into_iter();
            leaves
                .map(|(section, key)| (Just(section), Just(key), leaf(section, key)))
                .collect::<Vec<_>>()
        })
        .prop_map(|leaves| {
            let (mut patch, mut wrong) = (Map::new(), Vec::new());
            for (section, key, (value, good)) in leaves {
                let fields = patch.entry(section).or_insert_with(|| json!({}));
                fields[key] = value;
                if !good {
                    let whole = if section == "none" { String::new() } else { format!("/{key}") };
                    wrong.push(format!("/{section}{whole}"));
                }
            }
            wrong.sort();
            (Value::Object(patch), wrong)
        })
}

proptest! {
    #[test]
    fn the_verdict_is_the_model_s_and_the_schema_s((patch, wrong) in patch(), (first, _) in patch()) {
        let stored = fresh().patched(&first).unwrap_or_else(|_| fresh());
        let mut document = serde_json::to_value(&stored.settings).unwrap();
        json_patch::merge(&mut document, &patch);
        // As a client would check it that has nothing but the schema.
        let by_schema = jsonschema::validator_for(schema()).unwrap().is_valid(&document);
        match stored.patched(&patch) {
            Ok(after) => {
                prop_assert_eq!(wrong, Vec::<String>::new());
                prop_assert!(by_schema);
                let expected: Settings = serde_json::from_value(document).unwrap();
                prop_assert_eq!(&after.settings, &expected);
                prop_assert_eq!(Stored::read(&after.text()), after, "what is kept is what counts");
            }
            Err(faults) => {
                let mut told: Vec<_> = pointers(&faults)
                    .iter()
                    .map(|pointer| pointer.split('/').take(3).collect::<Vec<_>>().join("/"))
                    .collect();
                told.dedup();
                prop_assert_eq!(told, wrong);
                // A `null` for an unknown key leaves no trace in the document.
                let traceless = pointers(&faults).iter().all(|at| patch.pointer(at).is_some_and(Value::is_null));
                prop_assert!(!by_schema || traceless);
            }
        }
    }

    #[test]
    fn anything_kept_can_be_read_and_changed(text in ".{0,40}", (first, _) in patch()) {
        for text in [text, first.to_string()] {
            let read = Stored::read(&text);
            let after = read.patched(&json!({"executions": {"max_queued": 7}})).unwrap();
            prop_assert_eq!(after.settings.executions.max_queued, 7);
            prop_assert_eq!(Stored::read(&after.text()), after);
        }
    }
}
