//! Addresses that are not of the public internet, in every form that carries one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is none that a run may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forbidden {
    /// This machine.
    Loopback,
    /// A network behind a router of its owner: RFC 1918, unique local, site-local.
    Private,
    /// Between a carrier and its customers (RFC 6598).
    Shared,
    /// The neighbours on the wire.
    LinkLocal,
    /// Where clouds tell machines their credentials.
    Metadata,
    /// "This host" (`0.0.0.0`), which systems take for loopback.
    Unspecified,
    /// Many at once, broadcast too.
    Multicast,
    /// Nothing that a route leads to: documentation, benchmarks, old tunnels, the future.
    Reserved,
}

impl Forbidden {
    /// What it is called in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::Shared => "an address of a carrier's own network",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "an address of cloud metadata",
            Self::Unspecified => "the unspecified address",
            Self::Multicast => "a multicast or broadcast address",
            Self::Reserved => "a reserved address",
        }
    }

    /// Whether a *name* that the operator let through may stand for it. Who answers for the name
    /// in DNS could point it elsewhere, and nobody means metadata by a name.
    pub fn may_be_named(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::Shared)
    }

    /// Whether there is a single machine to let through.
    pub fn may_be_let_through(self) -> bool {
        !matches!(self, Self::Unspecified | Self::Multicast)
    }
}

/// A network: an address, how many of its bits count, and what it is. The first that fits counts.
type Network<A> = (A, u32, Forbidden);

const fn v4(bytes: [u8; 4], bits: u32, what: Forbidden) -> Network<u32> {
    (u32::from_be_bytes(bytes), bits, what)
}

const fn v6(words: [u16; 4], bits: u32, what: Forbidden) -> Network<u128> {
    let [a, b, c, d] = words;
    (Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_bits(), bits, what)
}

const V4: [Network<u32>; 19] = [
    v4([0, 0, 0, 0], 32, Forbidden::Unspecified),
    v4([0, 0, 0, 0], 8, Forbidden::Reserved),
    v4([10, 0, 0, 0], 8, Forbidden::Private),
    // Alibaba's, within the carriers' network.
    v4([100, 100, 100, 200], 32, Forbidden::Metadata),
    v4([100, 64, 0, 0], 10, Forbidden::Shared),
    v4([127, 0, 0, 0], 8, Forbidden::Loopback),
    // Azure's, a public address that only its own machines reach.
    v4([168, 63, 129, 16], 32, Forbidden::Metadata),
    v4([169, 254, 169, 254], 32, Forbidden::Metadata),
    v4([169, 254, 0, 0], 16, Forbidden::LinkLocal),
    v4([172, 16, 0, 0], 12, Forbidden::Private),
    v4([192, 0, 0, 0], 24, Forbidden::Reserved),
    v4([192, 0, 2, 0], 24, Forbidden::Reserved),
    // The old relays of 6to4.
    v4([192, 88, 99, 0], 24, Forbidden::Reserved),
    v4([192, 168, 0, 0], 16, Forbidden::Private),
    v4([198, 18, 0, 0], 15, Forbidden::Reserved),
    v4([198, 51, 100, 0], 24, Forbidden::Reserved),
    v4([203, 0, 113, 0], 24, Forbidden::Reserved),
    v4([224, 0, 0, 0], 4, Forbidden::Multicast),
    v4([240, 0, 0, 0], 4, Forbidden::Reserved),
];

const V6: [Network<u128>; 13] = [
    (0, 128, Forbidden::Unspecified),
    (1, 128, Forbidden::Loopback),
    // Amazon's, within the unique local ones.
    (0xfd00_0ec2_0000_0000_0000_0000_0000_0254, 128, Forbidden::Metadata),
    v6([0xfc00, 0, 0, 0], 7, Forbidden::Private),
    v6([0xfe80, 0, 0, 0], 10, Forbidden::LinkLocal),
    v6([0xfec0, 0, 0, 0], 10, Forbidden::Private),
    v6([0xff00, 0, 0, 0], 8, Forbidden::Multicast),
    // The translator of a network of its own, wherever it leads.
    v6([0x64, 0xff9b, 1, 0], 48, Forbidden::Private),
    // Protocols, benchmarks, and Teredo, which carries IPv4 addresses twice.
    v6([0x2001, 0, 0, 0], 23, Forbidden::Reserved),
    v6([0x2001, 0xdb8, 0, 0], 32, Forbidden::Reserved),
    // 6to4, which carries an IPv4 address.
    v6([0x2002, 0, 0, 0], 16, Forbidden::Reserved),
    v6([0x3fff, 0, 0, 0], 20, Forbidden::Reserved),
    // The tests of the early IPv6 internet.
    v6([0x3ffe, 0, 0, 0], 16, Forbidden::Reserved),
];

/// What is routed as unicast at all; anything else is reserved.
const GLOBAL: Network<u128> = v6([0x2000, 0, 0, 0], 3, Forbidden::Reserved);
/// `::ffff:a.b.c.d`
const MAPPED: u128 = 0xffff_0000_0000;
/// `64:ff9b::a.b.c.d`: what a network without IPv4 makes of an IPv4 address.
const TRANSLATED: u128 = 0x0064_ff9b << 96;

/// Why a run may not reach this address; `None` for one of the public internet.
pub fn forbidden(address: IpAddr) -> Option<Forbidden> {
    match address {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<Forbidden> {
    if address.is_broadcast() {
        return Some(Forbidden::Multicast);
    }
    let bits = address.to_bits();
    let fits = |network: &&Network<u32>| (bits ^ network.0) >> (32 - network.1) == 0;
    V4.iter().find(fits).map(|(.., what)| *what)
}

fn forbidden_v6(address: Ipv6Addr) -> Option<Forbidden> {
    let bits = address.to_bits();
    let low = Ipv4Addr::from_bits(bits as u32);
    if matches!(bits & !0xffff_ffff, MAPPED | TRANSLATED) {
        return forbidden_v4(low);
    }
    let fits = |network: &Network<u128>| (bits ^ network.0) >> (128 - network.1) == 0;
    if let Some((.., what)) = V6.iter().find(|network| fits(network)) {
        return Some(*what);
    }
    if !fits(&GLOBAL) {
        return Some(Forbidden::Reserved);
    }
    // ISATAP: a tunnel to the IPv4 address in its lower half.
    let tunnel = (bits >> 32) as u32 & !0x0200_0000 == 0x0000_5efe;
    if tunnel { forbidden_v4(low) } else { None }
}
