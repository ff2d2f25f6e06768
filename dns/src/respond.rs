//! From the bytes of a message to the bytes of its reply: the one function behind every transport.

use crate::answer::{Outcome, answer};
use crate::arrival::{Arrival, Transport};
use crate::client::Client;
use crate::config::{NSID_BYTES_MAX, ReplyConfig, UDP_PAYLOAD_MAX};
use crate::cookie::{CookiePolicy, CookieSecrets, Verdict};
use crate::counters::{Event, Tally};
use crate::edns::{CookieOption, Edns, UDP_BYTES_MIN};
use crate::encode::{Encoded, Reply, ReplyOpt, encode, encode_bare, rcode};
use crate::fast;
use crate::view::DnsView;
use crate::wire::{Fault, Parsed, Query, Rcode, parse};

/// Answers a message into `out`; the length of the reply, or `None` when there must be none. Pure
/// but for `tally`, in which the outcome is counted. 512 octets of `out` always suffice for a reply
/// with TC; UDP never needs more than 1232.
///
/// ```
/// use dns::{Arrival, DnsView, ReplyConfig, Tally, Transport, respond};
/// # use coverage::{Body, Snapshot, area::AreaTableBuilder};
/// # use coverage::{catalog::Catalog, map::CoverageMapBuilder};
/// # use std::sync::Arc;
/// # let map = CoverageMapBuilder::new(0, 1).finish()?;
/// # let body = Body { catalog: Catalog::default(), map };
/// # let table = Arc::new(AreaTableBuilder::new().finish()?);
/// # let (version, digest, created_at) = Default::default();
/// # let snapshot = Arc::new(Snapshot::new(version, digest, created_at, table, body)?);
///
/// let view = DnsView::build(snapshot)?; // without zones: every name is somebody else's
/// let question = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
/// let arrival = Arrival {
///     peer: "198.51.100.7:5353".parse()?,
///     transport: Transport::Udp,
///     now_s: 0,
/// };
/// let (config, mut tally) = (ReplyConfig::default(), Tally::default());
/// let mut out = [0; 512];
/// let len = respond(question, &arrival, &view, &config, &mut out, &mut tally);
/// assert_eq!(len, Some(question.len()));
/// assert_eq!(out[3] & 0xf, 5); // REFUSED
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn respond(
    message: &[u8],
    arrival: &Arrival,
    view: &DnsView,
    config: &ReplyConfig,
    out: &mut [u8],
    tally: &mut Tally,
) -> Option<usize> {
    fast::respond(message, arrival, view, config, out, tally)
        .or_else(|| respond_completely(message, arrival, view, config, out, tally))
}

/// The fast half of [`respond`]: `None` leaves a message to the complete path. Apart for tests that
/// hold the two against each other.
pub fn respond_fast(
    message: &[u8],
    arrival: &Arrival,
    view: &DnsView,
    config: &ReplyConfig,
    out: &mut [u8],
    tally: &mut Tally,
) -> Option<usize> {
    fast::respond(message, arrival, view, config, out, tally)
}

/// As [`respond`], without the fast path: the two say the same, byte for byte.
pub fn respond_completely(
    message: &[u8],
    arrival: &Arrival,
    view: &DnsView,
    config: &ReplyConfig,
    out: &mut [u8],
    tally: &mut Tally,
) -> Option<usize> {
    let encoded = match parse(message) {
        Parsed::Silence => None,
        Parsed::Bare(header, rcode) => {
            tally.count(error_event(rcode));
            encode_bare(header, rcode, out)
        }
        Parsed::Query(query) => respond_to(&query, arrival, view, config, out, tally),
    };
    let Some(Encoded { len, truncated }) = encoded else {
        tally.count(Event::Silent);
        return None;
    };
    if truncated {
        tally.count(Event::Truncated);
    }
    if arrival.transport != Transport::Udp {
        tally.count(Event::Tcp);
    }
    Some(len)
}

/// Answers a question.
fn respond_to(
    query: &Query<'_>,
    arrival: &Arrival,
    view: &DnsView,
    config: &ReplyConfig,
    out: &mut [u8],
    tally: &mut Tally,
) -> Option<Encoded> {
    let edns = query.edns.as_ref();
    let mut opt = edns.map(|edns| ReplyOpt {
        dnssec_ok: edns.dnssec_ok,
        ..ReplyOpt::default()
    });
    let mut reply = Reply {
        header: query.header,
        question: query.question.wire,
        rcode: Rcode::NoError,
        answer: None,
        opt,
        bytes_max: bytes_max(edns, arrival.transport),
    };
    let error = match query.fault {
        Some(Fault::Malformed) => Some(Rcode::FormErr),
        Some(Fault::Version) => Some(Rcode::BadVers),
        None => edns
            .zip(opt.as_mut())
            .and_then(|(edns, opt)| options(edns, opt, arrival, config)),
    };
    if let Some(rcode) = error {
        tally.count(error_event(rcode));
        (reply.rcode, reply.opt) = (rcode, opt);
        return encode(&reply, out);
    }
    let ecs = edns.and_then(|edns| edns.ecs);
    let client = Client::choose(ecs, arrival.peer.ip(), &config.ecs, config.ecs_bits);
    let answer = answer(&query.question, &client, view);
    tally.count(outcome_event(answer.outcome));
    if let Some(ecs) = client.ecs {
        tally.count(Event::Ecs);
        // Refusals and errors say nothing about any subnet.
        if !matches!(answer.outcome, Outcome::Refused | Outcome::FormErr) {
            opt.iter_mut()
                .for_each(|opt| opt.ecs = Some((ecs, answer.scope)));
        }
    }
    reply.rcode = rcode(answer.outcome);
    reply.opt = opt;
    reply.answer = Some(&answer);
    encode(&reply, out)
}

/// Fills in the options that do not depend on the answer; an error where the question goes no
/// further.
fn options<'a>(
    edns: &Edns<'_>,
    opt: &mut ReplyOpt<'a>,
    arrival: &Arrival,
    config: &'a ReplyConfig,
) -> Option<Rcode> {
    // RFC 5001 section 2.3: only if asked; section 2.4: never empty. The bound keeps every reply
    // within 512 octets.
    opt.nsid = config
        .nsid
        .as_deref()
        .filter(|nsid| edns.nsid && (1..=NSID_BYTES_MAX).contains(&nsid.len()));
    if let Transport::Tcp { idle_100ms } = arrival.transport {
        // RFC 7828 section 3.2.1: ignored over UDP. Section 3.3.2: sent if asked for.
        opt.keepalive = edns.keepalive.then_some(idle_100ms);
    }
    let secrets = config.cookies.as_ref()?;
    cookie(edns.cookie?, secrets, opt, arrival)
}

/// Answers a cookie.
fn cookie(
    option: CookieOption,
    secrets: &CookieSecrets,
    opt: &mut ReplyOpt<'_>,
    arrival: &Arrival,
) -> Option<Rcode> {
    let peer = arrival.peer.ip();
    let (client, server, verdict) = match option {
        // RFC 7873 section 5.2.2: a cookie of an invalid length gets FORMERR.
        CookieOption::Malformed => return Some(Rcode::FormErr),
        CookieOption::Client(client) | CookieOption::Foreign(client) => {
            (client, None, Verdict::Wrong)
        }
        CookieOption::Full(client, server) => (
            client,
            Some(server),
            secrets.judge(client, server, peer, arrival.now_s),
        ),
    };
    let kept = server.filter(|_| verdict == Verdict::Fresh);
    opt.cookie = Some((
        client,
        kept.unwrap_or_else(|| secrets.issue(client, peer, arrival.now_s)),
    ));
    // RFC 7873 section 5.2.3 lets a server insist. A connection proves the address as well as a
    // cookie does.
    let insists = secrets.policy == CookiePolicy::Enforce && arrival.transport == Transport::Udp;
    (insists && verdict == Verdict::Wrong).then_some(Rcode::BadCookie)
}

/// Longest reply that the other side takes, in octets.
fn bytes_max(edns: Option<&Edns<'_>>, transport: Transport) -> usize {
    match transport {
        Transport::Udp => {
            let offered = edns.map_or(UDP_BYTES_MIN, |edns| edns.udp_bytes_max);
            usize::from(offered).min(UDP_PAYLOAD_MAX)
        }
        Transport::Tcp { .. } => usize::from(u16::MAX),
    }
}

/// Returns what an error counts as.
const fn error_event(rcode: Rcode) -> Event {
    match rcode {
        Rcode::NotImp => Event::NotImp,
        Rcode::BadVers => Event::BadVers,
        Rcode::BadCookie => Event::BadCookie,
        Rcode::Refused => Event::Refused,
        Rcode::NxDomain => Event::NxDomain,
        Rcode::FormErr | Rcode::NoError => Event::FormErr,
    }
}

/// Returns what an outcome counts as.
const fn outcome_event(outcome: Outcome) -> Event {
    match outcome {
        Outcome::Records => Event::Records,
        Outcome::NoData => Event::NoData,
        Outcome::NxDomain => Event::NxDomain,
        Outcome::Referral => Event::Referral,
        Outcome::Refused => Event::Refused,
        Outcome::FormErr => Event::FormErr,
    }
}
