//! Which notations of a host are read, and that none of them is read as another host.

use crate::network::{BadHost, BadPrivateHost, BadTarget, Forbidden, Host, PrivateHosts, Target};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

#[test]
fn an_address_has_one_notation_and_every_other_is_refused() {
    let numbers = [
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "0177.0.0.01",
        "127.0.0.01",
        "127.0.0.0x1",
        "0",
        "0x",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "127.0.0.1.0x7f",
        "a.b.1",
        "00000000000000000000177.1",
        "4294967296",
        "0X7F.1",
        "127.0.0.256",
        "169.254.43518",
        "0xA9FEA9FE",
        "025177524776",
        "example.0",
        "127.1.",
    ];
    for text in numbers {
        assert_eq!(Host::parse(text), Err(BadHost::Notation), "{text}");
    }
    let malformed = [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "-a.b",
        "a-.b",
        "a b",
        "a/b",
        "a%2eb",
        "127.0.0.1%00",
        "::1",
        "[::1",
        "::1]",
        "[::1%lo]",
        "[::1%25eth0]",
        "[]",
        "[127.0.0.1]",
        "[::ffff:127.1]",
        "a@b",
        "a:b",
        "a\tb",
        "a\0b",
        "[::1].",
        "a..",
        "127.0.0.1..",
        "*",
        "*.a",
        "{a}",
        "a\\b",
        "a#b",
        "a?b",
        "a,b",
        "[::00001]",
    ];
    for text in malformed {
        assert_eq!(Host::parse(text), Err(BadHost::Malformed), "{text:?}");
    }
    for text in ["１２７.0.0.1", "①②⑦.0.0.1", "bücher.example", "127。0。0。1", "ⓛocalhost"]
    {
        assert_eq!(Host::parse(text), Err(BadHost::NotAscii), "{text}");
    }
    assert_eq!(Host::parse(&"a".repeat(64)), Err(BadHost::Malformed));
    assert_eq!(Host::parse(&["a"; 128].join(".")), Err(BadHost::Malformed));
    assert!(Host::parse(&["a"; 127].join(".")).is_ok());
}

#[test]
fn names_are_lower_case_and_have_no_dot_at_the_end() {
    let name = |text: &str| Host::Name(text.to_owned());
    for (text, host) in [
        ("API.Example.COM", name("api.example.com")),
        ("api.example.com.", name("api.example.com")),
        ("localhost", name("localhost")),
        ("my_bucket.s3.example", name("my_bucket.s3.example")),
        ("XN--bcher-kva.example", name("xn--bcher-kva.example")),
        ("1e100.net", name("1e100.net")),
        ("0xbad.example", name("0xbad.example")),
        ("1.1.1.1", Host::Address("1.1.1.1".parse().unwrap())),
        ("127.0.0.1.", Host::Address("127.0.0.1".parse().unwrap())),
        ("[2001:DB8::1]", Host::Address("2001:db8::1".parse().unwrap())),
        ("[::ffff:127.0.0.1]", Host::Address("127.0.0.1".parse().unwrap())),
        ("[0:0:0:0:0:ffff:7f00:1]", Host::Address("127.0.0.1".parse().unwrap())),
    ] {
        assert_eq!(Host::parse(text), Ok(host), "{text}");
    }
}

#[test]
fn a_port_is_decimal_and_never_zero() {
    for text in
        ["a", "a:", "a:0", "a:65536", "a:+80", "a:-1", "a: 80", "a:80 ", "a:0x50", "a:http", ""]
    {
        assert_eq!(text.parse::<Target>(), Err(BadTarget::Port), "{text:?}");
    }
    assert_eq!("[::1]:0443".parse::<Target>().unwrap().to_string(), "[::1]:443");
    assert_eq!("127.1:80".parse::<Target>(), Err(BadTarget::Host(BadHost::Notation)));
}

proptest! {
    #[test]
    fn whatever_is_read_is_read_again_as_the_same(text in "[\\[\\]a-fA-F0-9xX.:-]{0,40}") {
        if let Ok(host) = Host::parse(&text) {
            prop_assert_eq!(Host::parse(&host.to_string()), Ok(host));
        }
    }

    #[test]
    fn no_name_is_an_address_for_the_system_s_own_reader(text in "(0[xX])?[0-9a-fA-FxX.]{1,20}") {
        // `inet_aton` takes one to four numbers in C notation; a name must never be that.
        let number = |part: &str| {
            let hex = part.strip_prefix("0x").or(part.strip_prefix("0X"));
            match hex {
                Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
                None => !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()),
            }
        };
        let numeric = text.split('.').count() <= 4 && text.split('.').all(number);
        let name = matches!(Host::parse(&text), Ok(Host::Name(_)));
        prop_assert!(!(numeric && name), "{}", text);
    }

    #[test]
    fn every_address_is_read_as_itself(bits in any::<u32>(), port in 1..=u16::MAX) {
        let address = IpAddr::V4(Ipv4Addr::from_bits(bits));
        let target = Target { host: Host::Address(address), port };
        prop_assert_eq!(format!("{address}:{port}").parse(), Ok(target));
    }
}

#[test]
fn the_operator_s_pairs_are_exact_and_no_name_stands_for_metadata() {
    let hosts: PrivateHosts = "db.internal:5432, 169.254.169.254:80,[::1]:8080,".parse().unwrap();
    let lets = |target: &str, what| hosts.let_through(&target.parse().unwrap(), what);
    for what in [Forbidden::Loopback, Forbidden::Private, Forbidden::Shared] {
        assert!(lets("DB.internal.:5432", what));
        assert!(!lets("db.internal:5433", what) && !lets("internal:5432", what));
        assert!(!lets("a.db.internal:5432", what));
    }
    for what in [Forbidden::Metadata, Forbidden::LinkLocal, Forbidden::Unspecified] {
        assert!(!lets("db.internal:5432", what));
    }
    assert!(lets("169.254.169.254:80", Forbidden::Metadata));
    assert!(!lets("169.254.169.254:81", Forbidden::Metadata));
    assert!(lets("[::1]:8080", Forbidden::Loopback));
    assert!(
        !"[::]:8080"
            .parse::<PrivateHosts>()
            .unwrap()
            .let_through(&"[::]:8080".parse().unwrap(), Forbidden::Unspecified,)
    );
    let shown = hosts.to_string();
    assert_eq!(shown.split(", ").count(), 3, "{shown}");
    assert_eq!(shown.parse::<PrivateHosts>().unwrap(), hosts);
    assert!(PrivateHosts::default().is_empty() && "".parse() == Ok(PrivateHosts::default()));
    let refused: BadPrivateHost = "db:1,intranet".parse::<PrivateHosts>().unwrap_err();
    assert!(refused.to_string().starts_with("`intranet` is no private host"), "{refused}");
}
