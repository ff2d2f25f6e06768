//! One test per rule, each with the sentence it stands for.

use crate::message::{A, Ask, NS, TXT, ask, reply_to, shown};
use crate::world;
use dns::{CookiePolicy, CookieSecrets, ReplyConfig, Transport};

const SOA: &str = "auth example.com. 300 SOA ...";

/// Each question gets the reply beside it.
fn check(cases: &[(Ask, &str)]) {
    let view = world::view();
    for (ask, expected) in cases {
        assert_eq!(&ask.of(&view), expected, "{ask:?}");
    }
}

#[test]
fn static_names_answer_with_their_records() {
    check(&[
        (
            ask("ns1.example.com.", A),
            "noerror aa rd | ns1.example.com. 86400 A 192.0.2.53",
        ),
        (
            ask("example.com.", NS),
            "noerror aa rd | example.com. 86400 NS ns1.example.com. | example.com. 86400 NS ns2.example.org.",
        ),
        (
            ask("example.com.", 6),
            "noerror aa rd | example.com. 3600 SOA ...",
        ),
        (
            ask("odd.example.com.", 65280),
            "noerror aa rd | odd.example.com. 60 Unknown AQID",
        ),
    ]);
}

#[test]
fn negative_answers_carry_the_soa_with_the_lesser_ttl() {
    // RFC 2308 section 5; RFC 8020: an empty non-terminal exists.
    check(&[
        (
            ask("nothing.example.com.", A),
            &format!("nxdomain aa rd | {SOA}"),
        ),
        (
            ask("ns1.example.com.", TXT),
            &format!("noerror aa rd | {SOA}"),
        ),
        (
            ask("ent.example.com.", A),
            &format!("noerror aa rd | {SOA}"),
        ),
        (
            ask("ent.example.com.", 255),
            &format!("noerror aa rd | {SOA}"),
        ),
        (ask("w.example.com.", A), &format!("noerror aa rd | {SOA}")),
        (
            ask("x.deep.ent.example.com.", A),
            &format!("nxdomain aa rd | {SOA}"),
        ),
    ]);
}

#[test]
fn names_of_others_and_transfers_and_classes_are_refused() {
    check(&[
        (ask("www.example.org.", A), "refused rd"),
        (ask("com.", NS), "refused rd"),
        (ask(".", NS), "refused rd"),
        (ask("example.com.", 252), "refused rd"),
        (ask("example.com.", 251), "refused rd"),
        (ask("id.server.", TXT).class(3), "refused rd"),
        (ask("ns1.example.com.", A).class(255), "refused rd"),
        (
            ask("www.example.org.", A).subnet("10.1.0.0/16"),
            "refused rd | edns",
        ),
        (ask("ns1.example.com.", 41), "formerr rd"),
    ]);
}

#[test]
fn wildcards_follow_rfc_4592() {
    check(&[
        (
            ask("a.wild.example.com.", TXT),
            "noerror aa rd | a.wild.example.com. 60 TXT synthesized",
        ),
        (
            ask("a.b.wild.example.com.", TXT),
            "noerror aa rd | a.b.wild.example.com. 60 TXT synthesized",
        ),
        (
            ask("a.wild.example.com.", A),
            &format!("noerror aa rd | {SOA}"),
        ),
        // Section 2.2.1: a name that exists is not synthesized, nor is anything below it.
        (
            ask("host.wild.example.com.", TXT),
            &format!("noerror aa rd | {SOA}"),
        ),
        (
            ask("x.host.wild.example.com.", TXT),
            &format!("nxdomain aa rd | {SOA}"),
        ),
        (
            ask("*.wild.example.com.", TXT),
            "noerror aa rd | *.wild.example.com. 60 TXT synthesized",
        ),
        (
            ask("wild.example.com.", TXT),
            &format!("noerror aa rd | {SOA}"),
        ),
        (
            ask("q.alias.example.com.", A),
            "noerror aa rd | q.alias.example.com. 60 CNAME www.example.com. | www.example.com. 120 CNAME \
             live.example.com. | live.example.com. 60 A 192.0.2.1 | live.example.com. 60 A 192.0.2.2",
        ),
    ]);
}

#[test]
fn aliases_are_followed_inside_the_zone_and_bounded() {
    let view = world::view();
    check(&[
        (
            ask("out.example.com.", A),
            "noerror aa rd | out.example.com. 60 CNAME www.example.org.",
        ),
        // RFC 6604 section 3: the code is that of the last name.
        (
            ask("lost.example.com.", A),
            &format!("nxdomain aa rd | lost.example.com. 60 CNAME nowhere.example.com. | {SOA}"),
        ),
        (
            ask("tomail.example.com.", A),
            &format!("noerror aa rd | tomail.example.com. 60 CNAME deep.ent.example.com. | {SOA}"),
        ),
        (
            ask("www.example.com.", 5),
            "noerror aa rd | www.example.com. 120 CNAME live.example.com.",
        ),
        (
            ask("loop1.example.com.", A),
            "noerror aa rd | loop1.example.com. 60 CNAME loop2.example.com. | loop2.example.com. 60 CNAME \
             loop1.example.com.",
        ),
    ]);
    let chain = ask("hop0.example.com.", A).of(&view);
    assert_eq!(chain.matches("CNAME").count(), dns::CHAIN_MAX, "{chain}");
}

#[test]
fn cuts_lead_to_referrals_with_glue() {
    let referral = "auth sub.example.com. 3600 NS ns.sub.example.com. | auth sub.example.com. 3600 NS \
                    ns2.example.org. | add ns.sub.example.com. 3600 A 192.0.2.99";
    check(&[
        (
            ask("sub.example.com.", A),
            &format!("noerror rd | {referral}"),
        ),
        (
            ask("a.b.sub.example.com.", A),
            &format!("noerror rd | {referral}"),
        ),
        (
            ask("ns.sub.example.com.", A),
            &format!("noerror rd | {referral}"),
        ),
        (
            ask("sub.example.com.", 255),
            &format!("noerror rd | {referral}"),
        ),
        (
            ask("tosub.example.com.", A),
            &format!("noerror aa rd | tosub.example.com. 60 CNAME x.sub.example.com. | {referral}"),
        ),
        // RFC 7871 section 7.4: delegations have scope zero.
        (
            ask("sub.example.com.", A).subnet("10.1.0.0/16"),
            &format!("noerror rd | {referral} | edns ecs 10.1.0.0/16/0"),
        ),
    ]);
    // RFC 4035 section 3.1.4.1: DS is the parent's to answer.
    let ds = ask("sub.example.com.", 43).of(&world::view());
    assert!(
        ds.starts_with("noerror aa rd | sub.example.com. 3600 DS"),
        "{ds}"
    );
}

#[test]
fn any_is_answered_by_one_record() {
    // RFC 8482 section 4.2.
    for name in ["live.example.com.", "example.com.", "www.example.com."] {
        let reply = ask(name, 255).of(&world::view());
        assert_eq!(reply, format!("noerror aa rd | {name} 3600 HINFO RFC8482 "));
    }
}

#[test]
fn edns_follows_rfc_6891() {
    check(&[
        (
            ask("ns1.example.com.", TXT),
            &format!("noerror aa rd | {SOA}"),
        ),
        (
            ask("ns1.example.com.", TXT).edns(4096, 0),
            &format!("noerror aa rd | {SOA} | edns"),
        ),
        (
            ask("ns1.example.com.", TXT).edns(0, 0x8000),
            &format!("noerror aa rd | {SOA} | edns do"),
        ),
        (
            ask("ns1.example.com.", TXT).edns(512, 0x4000),
            &format!("noerror aa rd | {SOA} | edns"),
        ),
        (
            ask("ns1.example.com.", A).edns(1232, 100 << 16),
            "badvers rd | edns",
        ),
        (
            ask("ns1.example.com.", A)
                .edns(1232, 1 << 16)
                .option(8, &[9]),
            "badvers rd | edns",
        ),
        (
            ask("ns1.example.com.", TXT).option(65001, &[0]),
            &format!("noerror aa rd | {SOA} | edns"),
        ),
        (
            ask("ns1.example.com.", TXT).option(3, &[]),
            &format!("noerror aa rd | {SOA} | edns"),
        ),
        (
            ask("ns1.example.com.", TXT).option(11, &[]),
            &format!("noerror aa rd | {SOA} | edns"),
        ),
    ]);
}

#[test]
fn header_bits_are_copied_or_cleared() {
    check(&[
        (
            ask("ns1.example.com.", TXT).flags(0),
            &format!("noerror aa | {SOA}"),
        ),
        // AD, RA, Z, TC, AA and a response code in a question mean nothing.
        (
            ask("ns1.example.com.", TXT).flags(0x06ef),
            &format!("noerror aa | {SOA}"),
        ),
        (
            ask("ns1.example.com.", TXT).flags(0x0110),
            &format!("noerror aa rd cd | {SOA}"),
        ),
        // RFC 8906 section 3.1.3: NOTIMP for unknown opcodes, with RD clear.
        (ask("ns1.example.com.", A).flags(0x7900), "notimp"),
        (ask("ns1.example.com.", A).flags(0x2810), "notimp"),
    ]);
}

#[test]
fn the_question_comes_back_as_it_was() {
    let view = world::view();
    let ask = ask("LiVe.eXaMpLe.CoM.", A);
    let reply = ask
        .reply(&view, &ReplyConfig::default(), Transport::Udp)
        .unwrap();
    assert_eq!(reply[..2], [0xab, 0xcd]);
    assert_eq!(
        reply[12..][..world::name("LiVe.eXaMpLe.CoM.").len()],
        world::name("LiVe.eXaMpLe.CoM.")
    );
    assert_eq!(
        reply[12 + 18 + 4..][..2],
        [0xc0, 0x0c],
        "owners are compressed"
    );
}

#[test]
fn without_a_question_a_header_comes_back_or_nothing() {
    let view = world::view();
    let config = ReplyConfig::default();
    let reply = |message: &[u8]| {
        reply_to(
            message,
            [10, 0, 0, 1].into(),
            &view,
            &config,
            Transport::Udp,
        )
    };
    let whole = ask("ns1.example.com.", A).bytes();
    assert_eq!(reply(&whole[..11]), None);
    assert_eq!(reply(&[]), None);
    assert_eq!(
        reply(&whole[..12]).unwrap(),
        [0xab, 0xcd, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    let with = |at: usize, byte: u8| [&whole[..at], &[byte], &whole[at + 1..]].concat();
    assert_eq!(reply(&with(2, 0x81)), None, "responses are never answered");
    assert_eq!(shown(&reply(&with(5, 2)).unwrap()), "formerr rd");
    assert_eq!(shown(&reply(&with(5, 0)).unwrap()), "formerr rd");
    assert_eq!(
        shown(&reply(&[&whole[..], b"x"].concat()).unwrap()),
        "formerr rd"
    );
}

#[test]
fn what_does_not_fit_is_truncated() {
    let view = world::view();
    let config = ReplyConfig::default();
    check(&[
        (ask("big.example.com.", TXT), "noerror aa tc rd"),
        (
            ask("big.example.com.", TXT).edns(4096, 0),
            "noerror aa tc rd | edns",
        ),
    ]);
    let big = ask("big.example.com.", TXT).edns(4096, 0);
    let whole = big
        .reply(&view, &config, Transport::Tcp { idle_100ms: 100 })
        .unwrap();
    assert_eq!(shown(&whole).matches(" TXT ").count(), 12);
    for bytes_max in [0, 511, 512, 1232, 1400, 65535] {
        let reply = big
            .clone()
            .edns(bytes_max, 0)
            .reply(&view, &config, Transport::Udp)
            .unwrap();
        assert!(reply.len() <= usize::from(bytes_max).clamp(512, 1232));
    }
}

#[test]
fn identifiers_and_keepalives_are_given_to_those_who_ask() {
    let view = world::view();
    let named = ReplyConfig {
        nsid: Some(b"edge-7".as_slice().into()),
        ..ReplyConfig::default()
    };
    let nodata = |rest: &str| format!("noerror aa rd | {SOA} | edns{rest}");
    let plain = ask("ns1.example.com.", TXT).edns(1232, 0);
    assert_eq!(plain.with(&view, &named), nodata(""));
    assert_eq!(
        plain.clone().option(3, &[]).with(&view, &named),
        nodata(" nsid")
    );
    let empty = ReplyConfig {
        nsid: Some(Box::default()),
        ..ReplyConfig::default()
    };
    assert_eq!(
        plain.clone().option(3, &[]).with(&view, &empty),
        nodata(""),
        "never empty"
    );
    let tcp = Transport::Tcp { idle_100ms: 100 };
    let kept = plain
        .clone()
        .option(11, &[])
        .reply(&view, &named, tcp)
        .unwrap();
    assert_eq!(shown(&kept), nodata(" keepalive"));
    assert!(kept.ends_with(&[0, 11, 0, 2, 0, 100]));
    assert_eq!(
        shown(&plain.reply(&view, &named, tcp).unwrap()),
        nodata(""),
        "RFC 7828: only if asked"
    );
}

#[test]
fn cookies_are_issued_judged_and_enforced() {
    let view = world::view();
    let with = |policy| ReplyConfig {
        cookies: Some(CookieSecrets {
            current: [5; 16],
            also_accepted: None,
            policy,
        }),
        ..ReplyConfig::default()
    };
    let (lenient, enforce) = (with(CookiePolicy::Lenient), with(CookiePolicy::Enforce));
    let nodata = format!("noerror aa rd | {SOA} | edns cookie");
    let first = ask("ns1.example.com.", TXT).option(10, &[1; 8]);
    assert_eq!(first.with(&view, &lenient), nodata);
    assert_eq!(first.with(&view, &enforce), "badcookie rd | edns cookie");
    let tcp = Transport::Tcp { idle_100ms: 100 };
    assert_eq!(
        shown(&first.reply(&view, &enforce, tcp).unwrap()),
        nodata,
        "a connection proves enough"
    );
    let reply = first.reply(&view, &enforce, Transport::Udp).unwrap();
    let cookie = &reply[reply.len() - 24..];
    let again = ask("ns1.example.com.", TXT).option(10, cookie);
    assert_eq!(again.with(&view, &enforce), nodata);
    assert!(
        again
            .reply(&view, &enforce, Transport::Udp)
            .unwrap()
            .ends_with(cookie),
        "a fresh one is kept"
    );
    assert_eq!(
        again.from("10.9.9.8").with(&view, &enforce),
        "badcookie rd | edns cookie"
    );
    let short = ask("ns1.example.com.", TXT).option(10, &[1; 9]);
    assert_eq!(short.with(&view, &lenient), "formerr rd | edns");
    assert_eq!(
        short.of(&view),
        format!("noerror aa rd | {SOA} | edns"),
        "without secrets it is no cookie"
    );
    let none = ask("ns1.example.com.", TXT).edns(1232, 0);
    assert_eq!(
        none.with(&view, &enforce),
        format!("noerror aa rd | {SOA} | edns")
    );
}
