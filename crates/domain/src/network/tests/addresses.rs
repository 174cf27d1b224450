//! The classifier of addresses against the registries' tables, written as they write them.

use crate::network::{Forbidden, forbidden};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IANA's special-purpose registry of IPv4, and what clouds keep for themselves.
const SPECIAL_V4: [&str; 18] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "100.100.100.200/32",
];
/// What of 2000::/3 is special; everything outside of it is.
const SPECIAL_V6: [&str; 5] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "3ffe::/16"];

/// Whether an address is in a network, bit by bit.
fn within(address: &[u8], network: &str) -> bool {
    let (start, bits) = network.split_once('/').unwrap();
    let start: Vec<u8> = match start.parse().unwrap() {
        IpAddr::V4(start) => start.octets().to_vec(),
        IpAddr::V6(start) => start.octets().to_vec(),
    };
    let bit = |bytes: &[u8], at: usize| bytes[at / 8] & (0x80 >> (at % 8)) != 0;
    (0..bits.parse().unwrap()).all(|at| bit(address, at) == bit(&start, at))
}

fn special_v4(address: Ipv4Addr) -> bool {
    SPECIAL_V4.iter().any(|network| within(&address.octets(), network))
}

fn special_v6(address: Ipv6Addr) -> bool {
    let octets = address.octets();
    let carried = Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]);
    if within(&octets, "::ffff:0:0/96") || within(&octets, "64:ff9b::/96") {
        return special_v4(carried);
    }
    let tunnel = matches!(octets[8..12], [0 | 2, 0, 0x5e, 0xfe]) && special_v4(carried);
    let special = SPECIAL_V6.iter().any(|network| within(&octets, network));
    tunnel || special || !within(&octets, "2000::/3")
}

/// Addresses near the ends of a network, where mistakes are, and anywhere.
fn near(networks: &'static [&'static str]) -> impl Strategy<Value = u128> {
    let edge = (prop::sample::select(networks), any::<u128>(), 0..4u8);
    edge.prop_map(|(network, random, which)| {
        let (start, bits) = network.split_once('/').unwrap();
        let bits: u32 = bits.parse().unwrap();
        let (start, width) = match start.parse().unwrap() {
            IpAddr::V4(start) => (u128::from(start.to_bits()), 32),
            IpAddr::V6(start) => (start.to_bits(), 128),
        };
        let size = 1u128.checked_shl(width - bits).unwrap_or(0);
        match which {
            0 => start.wrapping_sub(1),
            1 => start.wrapping_add(size),
            2 => start.wrapping_add(size.wrapping_sub(1)),
            _ => start.wrapping_add(random & size.wrapping_sub(1)),
        }
    })
}

proptest! {
    #[test]
    fn ipv4_is_forbidden_exactly_where_the_registry_says_so(
        bits in prop_oneof![near(&SPECIAL_V4), any::<u32>().prop_map(u128::from)],
    ) {
        let address = Ipv4Addr::from_bits(bits as u32);
        prop_assert_eq!(forbidden(address.into()).is_some(), special_v4(address), "{}", address);
    }

    #[test]
    fn ipv6_is_forbidden_exactly_where_the_registry_says_so(
        bits in prop_oneof![
            near(&SPECIAL_V6),
            near(&["2000::/3", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "64:ff9b:1::/48",
                "::/96", "::ffff:0:0/96", "64:ff9b::/96", "100::/64", "5f00::/16"]),
            any::<u128>(),
            any::<u128>().prop_map(|bits| bits >> 3 | 1 << 125),
        ],
    ) {
        let address = Ipv6Addr::from_bits(bits);
        prop_assert_eq!(forbidden(address.into()).is_some(), special_v6(address), "{}", address);
    }

    #[test]
    fn what_carries_a_forbidden_ipv4_address_is_forbidden(
        bits in near(&SPECIAL_V4),
        prefix in prop::sample::select(vec![
            "::", "::ffff:0:0", "64:ff9b::", "::ffff:0:0:0", "2001:1234:5678:1:0:5efe::",
            "2a00:1450:4001:1:200:5efe::",
        ]),
    ) {
        let inner = Ipv4Addr::from_bits(bits as u32);
        prop_assume!(special_v4(inner));
        let prefix: Ipv6Addr = prefix.parse().unwrap();
        let address = Ipv6Addr::from_bits(prefix.to_bits() | u128::from(inner.to_bits()));
        prop_assert!(forbidden(address.into()).is_some(), "{}", address);
        let tunnel = Ipv6Addr::from_bits(0x2002 << 112 | u128::from(inner.to_bits()) << 80 | 1);
        prop_assert!(forbidden(tunnel.into()).is_some(), "{}", tunnel);
        let teredo = 0x2001_0000u128 << 96 | u128::from(!inner.to_bits());
        prop_assert!(forbidden(Ipv6Addr::from_bits(teredo).into()).is_some());
    }
}

#[test]
fn each_kind_has_its_name() {
    let kinds = [
        ("127.0.0.1", Forbidden::Loopback),
        ("::1", Forbidden::Loopback),
        ("::ffff:127.0.0.1", Forbidden::Loopback),
        ("10.1.2.3", Forbidden::Private),
        ("172.31.255.255", Forbidden::Private),
        ("fd12::1", Forbidden::Private),
        ("fec0::1", Forbidden::Private),
        ("64:ff9b:1::a00:1", Forbidden::Private),
        ("100.64.0.1", Forbidden::Shared),
        ("169.254.1.1", Forbidden::LinkLocal),
        ("fe80::1", Forbidden::LinkLocal),
        ("169.254.169.254", Forbidden::Metadata),
        ("64:ff9b::a9fe:a9fe", Forbidden::Metadata),
        ("fd00:ec2::254", Forbidden::Metadata),
        ("168.63.129.16", Forbidden::Metadata),
        ("100.100.100.200", Forbidden::Metadata),
        ("0.0.0.0", Forbidden::Unspecified),
        ("::", Forbidden::Unspecified),
        ("0.1.2.3", Forbidden::Reserved),
        ("::127.0.0.1", Forbidden::Reserved),
        ("2002:7f00:1::", Forbidden::Reserved),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Forbidden::Reserved),
        ("239.1.1.1", Forbidden::Multicast),
        ("255.255.255.255", Forbidden::Multicast),
        ("ff02::1", Forbidden::Multicast),
    ];
    for (address, kind) in kinds {
        assert_eq!(forbidden(address.parse().unwrap()), Some(kind), "{address}");
    }
    for address in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
        assert_eq!(forbidden(address.parse().unwrap()), None, "{address}");
    }
}
