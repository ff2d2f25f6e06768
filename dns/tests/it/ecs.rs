//! Client Subnet: right answers, honest scopes, strict reading.

use crate::message::{A, AAAA, TXT, addresses, ask, scope};
use crate::world;
use coverage::PrefixSet;
use dns::{DnsView, EcsPolicy, ReplyConfig, Transport};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SOA: &str = "auth example.com. 300 SOA ...";
const EAST: &str = "live.example.com. 60 A 192.0.2.1 | live.example.com. 60 A 192.0.2.2";
const WEST: &str = "live.example.com. 60 A 192.0.2.11";

#[test]
fn tailored_answers_carry_the_scope_they_hold_for() {
    let view = world::view();
    let live = |subnet: &str| ask("live.example.com.", A).subnet(subnet).of(&view);
    for (subnet, answer, scope) in [
        ("10.2.5.0/24", WEST, 16),
        // The exception is a /24, and its neighbours must not cover it.
        ("10.1.7.0/24", WEST, 24),
        ("10.1.6.0/24", EAST, 24),
        ("10.1.4.0/24", EAST, 23),
        ("10.1.0.0/24", EAST, 22),
        ("10.1.128.0/17", EAST, 17),
        // Of a range longer than /24 nothing is seen, and the scope says no more than was looked
        // at.
        ("10.1.9.0/24", EAST, 24),
        ("10.1.9.64/26", EAST, 24),
        ("10.1.9.64/32", EAST, 24),
        ("2001:db8:2::/48", "live.example.com. 60 A 192.0.2.11", 48),
    ] {
        let expected = format!("noerror aa rd | {answer} | edns ecs {subnet}/{scope}");
        assert_eq!(live(subnet), expected, "{subnet}");
    }
}

#[test]
fn what_does_not_depend_on_the_client_has_scope_zero() {
    let view = world::view();
    for (name, qtype, expected) in [
        (
            "same.example.com.",
            A,
            "| same.example.com. 60 A 192.0.2.11 ".to_owned(),
        ),
        ("same.example.com.", AAAA, format!("| {SOA} ")),
        ("live.example.com.", TXT, format!("| {SOA} ")),
        (
            "ns1.example.com.",
            A,
            "| ns1.example.com. 86400 A 192.0.2.53 ".to_owned(),
        ),
    ] {
        let reply = ask(name, qtype).subnet("10.1.0.0/16").of(&view);
        assert_eq!(
            reply,
            format!("noerror aa rd {expected}| edns ecs 10.1.0.0/16/0"),
            "{name}"
        );
    }
}

#[test]
fn a_missing_address_family_has_the_scope_of_its_area() {
    let view = world::view();
    let live = |subnet: &str| ask("x.w.example.com.", AAAA).subnet(subnet).of(&view);
    assert_eq!(
        live("10.2.5.0/24"),
        format!("noerror aa rd | {SOA} | edns ecs 10.2.5.0/24/16")
    );
    assert_eq!(
        live("10.1.128.0/17"),
        "noerror aa rd | x.w.example.com. 60 AAAA 2001:db8:f::1 | edns ecs 10.1.128.0/17/17"
    );
}

#[test]
fn opting_out_and_distrust_are_answered_by_the_peer() {
    let view = world::view();
    let east = format!("noerror aa rd | {EAST} | edns");
    let out = ask("live.example.com.", A)
        .subnet("0.0.0.0/0")
        .from("10.1.0.9");
    assert_eq!(out.of(&view), format!("{east} ecs 0.0.0.0/0/0"));
    let west = ask("live.example.com.", A)
        .subnet("10.2.0.0/16")
        .from("10.1.0.9");
    for policy in [
        EcsPolicy::Nobody,
        EcsPolicy::Peers(PrefixSet::parse(["192.0.2.0/24"]).unwrap()),
    ] {
        let config = ReplyConfig {
            ecs: policy,
            ..ReplyConfig::default()
        };
        assert_eq!(west.with(&view, &config), east);
    }
    assert_eq!(
        ask("live.example.com.", A).from("10.2.0.9").of(&view),
        format!("noerror aa rd | {WEST}")
    );
    assert_eq!(
        ask("live.example.com.", A)
            .from("::ffff:10.2.0.9")
            .of(&view),
        format!("noerror aa rd | {WEST}")
    );
    // Family 0 is echoed as it came; the other decoder refuses to read it.
    let family_0 = ask("live.example.com.", A)
        .option(8, &[0, 0, 0, 0])
        .from("10.1.0.9");
    let reply = family_0
        .reply(&view, &ReplyConfig::default(), Transport::Udp)
        .unwrap();
    assert!(reply.ends_with(&[0, 8, 0, 8 - 4, 0, 0, 0, 0]) && reply[3] & 0xf == 0);
}

#[test]
fn bad_options_get_formerr_with_question_and_opt() {
    let view = world::view();
    let bad: [&[u8]; 10] = [
        &[],
        &[0, 1, 24],
        &[0, 1, 24, 0, 10, 1],
        &[0, 1, 24, 0, 10, 1, 0, 0],
        &[0, 1, 17, 0, 10, 1, 1],
        &[0, 1, 33, 0, 10, 1, 1, 1, 1],
        &[
            0, 2, 129, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0,
        ],
        &[0, 1, 24, 1, 10, 1, 0],
        &[0, 3, 0, 0],
        &[0, 0, 8, 0, 10],
    ];
    for payload in bad {
        let ask = ask("live.example.com.", A).option(8, payload);
        assert_eq!(ask.of(&view), "formerr rd | edns", "{payload:?}");
        let reply = ask
            .reply(&view, &ReplyConfig::default(), Transport::Udp)
            .unwrap();
        assert_eq!(reply[4..6], [0, 1], "the question is there");
    }
    let twice = ask("live.example.com.", A)
        .subnet("10.1.0.0/16")
        .subnet("10.1.0.0/16");
    assert_eq!(twice.of(&view), "formerr rd | edns");
}

#[test]
fn addresses_are_capped_and_shared_out_among_clients() {
    let view = world::view();
    let mut seen = std::collections::BTreeSet::new();
    for third in 0..64 {
        let ask = ask("many.example.com.", A).subnet(&format!("10.1.{third}.0/24"));
        let reply = ask
            .reply(&view, &ReplyConfig::default(), Transport::Udp)
            .unwrap();
        assert_eq!((addresses(&reply).len(), scope(&reply)), (2, Some(24)));
        seen.extend(addresses(&reply));
    }
    assert_eq!(seen.len(), 5, "every address serves somebody: {seen:?}");
}

/// Asks for a client through Client Subnet; addresses and scope.
fn tailored(view: &DnsView, name: &str, qtype: u16, addr: IpAddr) -> (Vec<String>, u8) {
    let bits = if addr.is_ipv4() { 32 } else { 128 };
    let ask = ask(name, qtype).subnet(&format!("{addr}/{bits}"));
    let reply = ask
        .reply(view, &ReplyConfig::default(), Transport::Udp)
        .unwrap();
    (addresses(&reply), scope(&reply).unwrap())
}

/// `addr` with all bits behind the first `scope` taken from `noise`.
fn neighbour(addr: IpAddr, scope: u8, noise: u128) -> IpAddr {
    match addr {
        IpAddr::V4(v4) => {
            let host = u32::MAX.checked_shr(scope.into()).unwrap_or(0);
            let noise = u32::try_from(noise >> 96).unwrap();
            Ipv4Addr::from(u32::from(v4) & !host | noise & host).into()
        }
        IpAddr::V6(v6) => {
            let host = u128::MAX.checked_shr(scope.into()).unwrap_or(0);
            Ipv6Addr::from(u128::from(v6) & !host | noise & host).into()
        }
    }
}

fn client() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::from(bits.to_be_bytes())),
        (0_u32..0x4_0000).prop_map(|low| IpAddr::from((0x0a00_0000 | low).to_be_bytes())),
        (0_u128..1 << 82).prop_map(|low| Ipv6Addr::from(0x2001_0db8_u128 << 96 | low).into()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// RFC 7871 section 7.2.1: an answer holds for every address that its scope covers.
    #[test]
    fn scopes_are_honest(addr in client(), noise in any::<u128>(), name in 0_usize..4, v6 in any::<bool>()) {
        let view = VIEW.with(Clone::clone);
        let name = ["live.example.com.", "split.example.com.", "many.example.com.", "www.example.com."][name];
        let qtype = if v6 { AAAA } else { A };
        let (answer, scope) = tailored(&view, name, qtype, addr);
        let other = neighbour(addr, scope, noise);
        prop_assert_eq!((&answer, scope), (&tailored(&view, name, qtype, other).0, scope), "{} {}", addr, other);
    }
}

thread_local! {
    static VIEW: std::rc::Rc<DnsView> = std::rc::Rc::new(world::view());
}
