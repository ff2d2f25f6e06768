//! Two encoders, one answer: the server's replies are byte for byte those that a second reader and
//! encoder put together.

use crate::message::{A, AAAA, ask};
use crate::random::{mutate, names, question};
use crate::reread::{Expected, expected};
use crate::world::{catalog, snapshot};
use coverage::Prefix;
use dns::{
    Arrival, DnsView, EcsBits, EcsPolicy, Outcome, ReplyConfig, Tally, Transport, respond,
    respond_completely, respond_fast,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use testkit::Random;

/// The world, and the same with endpoints that are aliases: out of the zone, back into it in a
/// circle, into a delegated part of it, and to a name that does not exist.
pub(crate) fn views() -> Vec<DnsView> {
    let aliases: [&[(usize, &str)]; 4] = [
        &[],
        &[(1, "cdn.example.net.")],
        &[(0, "www.example.com."), (2, "q.alias.example.com.")],
        &[
            (0, "x.sub.example.com."),
            (1, "nowhere.example.com."),
            (2, "many.example.com."),
        ],
    ];
    let build = |aliases: &[(usize, &str)]| {
        let mut catalog = catalog();
        for &(endpoint, alias) in aliases {
            let endpoint = &mut catalog.endpoints[endpoint];
            endpoint.ipv4.clear();
            endpoint.ipv6.clear();
            endpoint.alias = Some(alias.to_owned());
        }
        DnsView::build(snapshot(catalog, 0)).unwrap()
    };
    aliases.into_iter().map(build).collect()
}

/// Configurations that differ in all that shapes a reply but cookies.
pub(crate) fn configs() -> Vec<ReplyConfig> {
    let peers = coverage::PrefixSet::parse(["10.0.0.0/8", "2001:db8::/32"]).unwrap();
    let named = |bytes: &[u8]| Some(Box::from(bytes));
    vec![
        ReplyConfig::default(),
        ReplyConfig {
            nsid: named(b"edge-7"),
            ecs_bits: EcsBits { v4: 32, v6: 64 },
            ..ReplyConfig::default()
        },
        ReplyConfig {
            nsid: named(&[b'n'; dns::NSID_BYTES_MAX]),
            ecs: EcsPolicy::Peers(peers),
            ..ReplyConfig::default()
        },
        ReplyConfig {
            ecs_bits: EcsBits { v4: 9, v6: 30 },
            ..ReplyConfig::default()
        },
    ]
}

/// Returns where a question comes from: mostly UDP, from peers of both families and of both in one.
pub(crate) fn arrival(random: &mut Random) -> Arrival {
    let peers: [IpAddr; 5] = [
        "10.1.0.9",
        "::ffff:10.2.0.9",
        "2001:db8:1:700::5",
        "203.0.113.9",
        "2a00::1",
    ]
    .map(|text| text.parse().unwrap());
    let transport = if random.one_in(4) {
        Transport::Tcp { idle_100ms: 100 }
    } else {
        Transport::Udp
    };
    Arrival {
        peer: SocketAddr::new(random.pick(&peers), 53),
        transport,
        now_s: 0,
    }
}

/// The complete path by itself says what the server says, and counts it alike; so does the fast
/// path where it answers at all. Whether it did.
pub(crate) fn both_paths(
    message: &[u8],
    arrival: &Arrival,
    view: &DnsView,
    config: &ReplyConfig,
    reply: Option<&[u8]>,
) -> bool {
    let (mut out, mut complete, mut fast) = (vec![0xdd; 65535], Tally::default(), Tally::default());
    let len = respond_completely(message, arrival, view, config, &mut out, &mut complete);
    assert_eq!(
        len.map(|len| &out[..len]),
        reply,
        "complete path: {message:x?}"
    );
    let len = respond_fast(message, arrival, view, config, &mut out, &mut fast);
    if let Some(len) = len {
        assert_eq!(Some(&out[..len]), reply, "fast path: {message:x?}");
        assert_eq!(fast, complete, "{message:x?}");
    }
    len.is_some()
}

/// A question as most resolvers ask it: for a service's address, with a client subnet or without.
fn plain(random: &mut Random) -> Vec<u8> {
    let names = [
        "live.example.com.",
        "LIVE.example.com.",
        "split.Example.COM.",
        "many.example.com.",
    ];
    let mut ask = ask(random.pick(&names), random.pick(&[A, AAAA]));
    if random.one_in(5) {
        return ask.bytes();
    }
    let [a, b, c, len] = [(); 4].map(|()| random.byte());
    let subnet = if random.one_in(3) {
        let addr = Ipv6Addr::from([0x2001, 0xdb8, a.into(), b.into(), c.into(), 0, 0, 1]);
        Prefix::around(addr.into(), len % 128 + 1)
    } else {
        Prefix::around(Ipv4Addr::new(10, a % 4, b, c).into(), len % 32 + 1)
    };
    ask = ask.subnet(&subnet.unwrap().to_string());
    ask.bytes()
}

#[test]
fn the_fast_path_takes_its_share_and_says_what_the_complete_path_says() {
    let (views, configs, names) = (views(), configs(), names());
    let (mut random, mut taken) = (Random::new(7), 0);
    for _ in 0..100_000 {
        let message = if random.one_in(2) {
            question(&mut random, &names)
        } else {
            plain(&mut random)
        };
        let view = &views[random.below(views.len())];
        let config = &configs[random.below(configs.len())];
        let arrival = arrival(&mut random);
        let mut out = vec![0xee; 65535];
        let len = respond(
            &message,
            &arrival,
            view,
            config,
            &mut out,
            &mut Tally::default(),
        );
        let reply = len.map(|len| &out[..len]);
        taken += u32::from(both_paths(&message, &arrival, view, config, reply));
    }
    assert!(
        taken > 2_000,
        "the fast path was hardly ever taken: {taken} times"
    );
}

/// Asks the server and the second opinion; what was expected.
pub(crate) fn compare(
    message: &[u8],
    arrival: &Arrival,
    view: &DnsView,
    config: &ReplyConfig,
) -> Expected {
    let mut out = vec![0xee; 65535];
    let len = respond(
        message,
        arrival,
        view,
        config,
        &mut out,
        &mut Tally::default(),
    );
    let reply = len.map(|len| &out[..len]);
    both_paths(message, arrival, view, config, reply);
    let expected = expected(message, arrival, view, config);
    match &expected {
        Expected::Silence => assert_eq!(reply, None, "{message:x?}"),
        Expected::Bare(rcode) => {
            let kept = if message[2] & 0x78 == 0 {
                [1, 0x10]
            } else {
                [0x78, 0]
            };
            let flags = [
                0x80 | message[2] & kept[0],
                message[3] & kept[1] | rcode.rcode().to_int(),
            ];
            let bare = [&message[..2], &flags, &[0; 8]].concat();
            assert_eq!(reply, Some(&bare[..]), "{message:x?}");
        }
        Expected::Bytes(bytes, _) => {
            assert_eq!(
                reply,
                Some(&bytes[..]),
                "{message:x?} by {arrival:?} under {config:?}"
            );
        }
        Expected::Unsure => assert!(reply.is_some_and(|reply| reply[..2] == message[..2])),
    }
    expected
}

/// Things a run came across, by name.
type Seen = BTreeMap<String, u32>;

/// Compares `rounds` questions from a seed, each bent as `bend` likes.
fn run(seed: u64, rounds: u32, mut bend: impl FnMut(&mut Random, &mut Vec<u8>)) -> Seen {
    let (views, configs, names) = (views(), configs(), names());
    let (mut random, mut seen) = (Random::new(seed), Seen::new());
    for _ in 0..rounds {
        let mut message = question(&mut random, &names);
        bend(&mut random, &mut message);
        let (view, config) = (
            &views[random.below(views.len())],
            &configs[random.below(configs.len())],
        );
        let what = match compare(&message, &arrival(&mut random), view, config) {
            Expected::Bytes(bytes, why) => {
                let cut = if bytes[2] & 2 != 0 { " truncated" } else { "" };
                format!("{why:?}{cut}")
            }
            Expected::Bare(rcode) => format!("Bare({rcode:?})"),
            other => format!("{other:?}"),
        };
        *seen.entry(what).or_default() += 1;
    }
    seen
}

/// Demands that the run was about something: how often each of these came up at least.
fn demand(seen: &Seen, least: &[(&str, u32)]) {
    for (what, times) in least {
        assert!(
            seen.get(*what).is_some_and(|seen| seen >= times),
            "too little of {what}: {seen:?}"
        );
    }
}

#[test]
fn a_second_encoder_writes_the_same_replies() {
    let seen = run(1, 100_000, |_, _| {});
    let outcomes = [
        Outcome::Records,
        Outcome::NoData,
        Outcome::NxDomain,
        Outcome::Referral,
        Outcome::Refused,
    ];
    for outcome in outcomes {
        demand(&seen, &[(&format!("Ok({outcome:?})"), 2_000)]);
    }
    demand(
        &seen,
        &[
            ("Ok(Records) truncated", 200),
            ("Err(Rcode::FORMERR)", 500),
            ("Err(Rcode::BADVERS)", 500),
            ("Ok(FormErr)", 500),
        ],
    );
    assert_eq!(seen.get("Unsure"), None, "{seen:?}");
}

#[test]
fn a_second_reader_understands_bent_questions_alike() {
    let others: Vec<_> = (0..50)
        .map(|seed| question(&mut Random::new(seed), &names()))
        .collect();
    let seen = run(2, 100_000, |random, message| {
        mutate(random, message, &others)
    });
    demand(
        &seen,
        &[
            ("Silence", 500),
            ("Bare(Rcode::NOTIMP)", 200),
            ("Bare(Rcode::FORMERR)", 5_000),
            ("Err(Rcode::FORMERR)", 5_000),
        ],
    );
    demand(
        &seen,
        &[
            ("Ok(Records)", 1_000),
            ("Ok(NxDomain)", 1_000),
            ("Err(Rcode::BADVERS)", 100),
        ],
    );
    let unsure = seen.get("Unsure").copied().unwrap_or_default();
    assert!(unsure < 1_000, "{unsure} of 100000 could not be judged");
}
