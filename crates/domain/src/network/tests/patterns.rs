//! `network.allowed_hosts` against a table and a naive model.

use crate::network::{AllowedHosts, Target};
use proptest::prelude::*;

fn allows(patterns: &[&str], target: &str) -> bool {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    AllowedHosts::new(&patterns).allows(&target.parse::<Target>().unwrap())
}

#[test]
fn each_pattern_covers_what_the_settings_page_says() {
    let table: [(&str, &[&str], &[&str]); 8] = [
        ("*", &["a.example:1", "8.8.8.8:53", "[2606:4700::1]:443"], &[]),
        ("*:443", &["a.example:443", "8.8.8.8:443"], &["a.example:80", "8.8.8.8:80"]),
        (
            "*.example.com",
            &["a.example.com:1", "A.B.Example.com.:65535"],
            &["example.com:1", "badexample.com:1", "a.example.com.evil:1", "1.2.3.4:1"],
        ),
        ("*.Example.com:8443", &["a.example.com:8443"], &["a.example.com:443"]),
        (
            "Example.com",
            &["example.com:80", "EXAMPLE.com:443"],
            &["a.example.com:80", "example.com.evil:80", "xexample.com:80", "example.co:80"],
        ),
        ("example.com:443", &["example.com:443"], &["example.com:80"]),
        (
            "203.0.113.7",
            &["203.0.113.7:80", "[::ffff:203.0.113.7]:80"],
            &["203.0.113.70:80", "a203.0.113.7.example:80"],
        ),
        ("203.0.113.7:22", &["203.0.113.7:22"], &["203.0.113.7:23"]),
    ];
    for (pattern, covered, not) in table {
        covered.iter().for_each(|target| assert!(allows(&[pattern], target), "{pattern} {target}"));
        not.iter().for_each(|target| assert!(!allows(&[pattern], target), "{pattern} {target}"));
    }
    assert!(!allows(&[], "example.com:443"));
    assert!(allows(&["a.test", "*.b.test:80", "c.test"], "x.b.test:80"));
}

#[test]
fn what_is_no_pattern_allows_nobody() {
    for pattern in
        ["", "**", "*.", "*:", "*:0", "*:x", "*.*", "*.1.2.3.4", "1.2.3", "a.*", "*a", "http://a"]
    {
        assert!(!allows(&[pattern], "1.2.3.4:80") && !allows(&[pattern], "a.b:80"), "{pattern}");
    }
}

/// The words of the settings page, one by one.
fn model(pattern: &str, target: &str) -> bool {
    let (host, port) = target.rsplit_once(':').unwrap();
    let (pattern, wanted) = pattern.split_once(':').unwrap_or((pattern, port));
    let host: Vec<_> = host.split('.').collect();
    let parts: Vec<_> = pattern.split('.').collect();
    let covered = match parts.split_first() {
        Some((&"*", [])) => true,
        Some((&"*", rest)) => host.len() > rest.len() && host[host.len() - rest.len()..] == *rest,
        _ => host == parts,
    };
    covered && wanted == port
}

proptest! {
    #[test]
    fn patterns_cover_what_the_model_does(
        pattern in "(\\*|(\\*\\.)?(a|b|ab)(\\.(a|b|ba)){0,3})(:(80|443))?",
        target in "(a|b|ab)(\\.(a|b|ba)){0,4}:(80|443)",
    ) {
        prop_assert_eq!(allows(&[&pattern], &target), model(&pattern, &target));
        let upper = pattern.to_uppercase();
        prop_assert_eq!(allows(&[&upper], &target), model(&pattern, &target));
    }
}
