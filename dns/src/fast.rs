//! The fast path: a question for the address of a service, by exact name, with at most a Client
//! Subnet option. It is read in one pass, and its reply is put together from bytes that were
//! prepared when the view was built. Whatever is unusual is left to the complete path, which says
//! the same, byte for byte, to whatever both understand.

use crate::arrival::{Arrival, Transport};
use crate::config::{EcsPolicy, ReplyConfig, UDP_PAYLOAD_MAX};
use crate::counters::{Event, Tally};
use crate::edns::{UDP_BYTES_MIN, code};
use crate::encode::OPT_UDP_BYTES;
use crate::prepared::WORD;
use crate::view::DnsView;
use crate::wire::{CLASS_IN, HEADER_BYTES, rtype};
use coverage::area::Found;
use coverage::{Asked, EndpointId, Prefix, ServiceId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of a prepared A record: pointer to the name, TYPE, CLASS, TTL, RDLENGTH, address.
const A_BYTES: usize = 16;
/// The same for AAAA.
const AAAA_BYTES: usize = 28;
/// Offset of the TTL in a prepared record.
const TTL_AT: usize = 6;
/// OPT without options.
const OPT_BYTES: usize = 11;
/// Octets of an option before its data, and of a Client Subnet option before its address.
const OPTION_BYTES: usize = 4;
const ECS_BYTES: usize = 4;
/// QR, opcode: a standard query has neither.
const NOT_A_QUERY: u8 = 0xf8;

/// Part of a message the fast path has read.
struct Read<'q> {
    /// Name, TYPE and CLASS as they came.
    question: &'q [u8],
    service: ServiceId,
    rtype: u16,
    edns: Option<Opt<'q>>,
}

/// An OPT record of a question.
struct Opt<'q> {
    udp_bytes_max: u16,
    /// The octet that has the DO bit.
    flags: u8,
    ecs: Option<Subnet<'q>>,
}

/// A Client Subnet option that names an address.
struct Subnet<'q> {
    /// Family, source, scope, address.
    payload: &'q [u8],
    addr: IpAddr,
}

/// A question that was read, and the client that it is answered for.
pub(crate) struct Staged<'q> {
    read: Read<'q>,
    /// The client's address, bits beyond what counts of it zero.
    pub(crate) addr: IpAddr,
    /// Longest scope that can make a difference, in bits.
    scope_max: u8,
}

/// Reads a question, or leaves the message to the complete path.
#[inline]
pub(crate) fn stage<'q>(
    message: &'q [u8],
    arrival: &Arrival,
    view: &DnsView,
    config: &ReplyConfig,
) -> Option<Staged<'q>> {
    if arrival.transport != Transport::Udp || !matches!(config.ecs, EcsPolicy::All) {
        return None;
    }
    let read = read(message, view)?;
    let subnet = read.edns.as_ref().and_then(|edns| edns.ecs.as_ref());
    let (addr, scope_max) = match subnet {
        None => (arrival.peer.ip().to_canonical(), 0),
        Some(Subnet { addr, .. }) => {
            let bits = if addr.is_ipv4() {
                config.ecs_bits.v4
            } else {
                config.ecs_bits.v6
            };
            (Prefix::around(*addr, bits)?.addr(), bits)
        }
    };
    Some(Staged {
        read,
        addr,
        scope_max,
    })
}

/// Answers a staged question into `out`, where the area table has `found` its client; `None` leaves
/// the message to the complete path. `message` is what was staged.
#[inline]
pub(crate) fn finish(
    message: &[u8],
    staged: &Staged<'_>,
    found: Found,
    view: &DnsView,
    out: &mut [u8],
    tally: &mut Tally,
) -> Option<usize> {
    let Staged {
        read,
        addr,
        scope_max,
    } = staged;
    let wanted = if read.rtype == rtype::A {
        Asked::Ipv4
    } else {
        Asked::Ipv6
    };
    let decision = view.snapshot.decide_at(read.service, *addr, found, wanted);
    let scope = decision.scope.min(*scope_max);
    let len = write(message, read, decision.endpoint, scope, view, out)?;
    tally.count(Event::Records);
    if read.edns.as_ref().is_some_and(|edns| edns.ecs.is_some()) {
        tally.count(Event::Ecs);
    }
    Some(len)
}

/// Answers into `out`, or leaves the message to the complete path.
#[inline]
pub(crate) fn respond(
    message: &[u8],
    arrival: &Arrival,
    view: &DnsView,
    config: &ReplyConfig,
    out: &mut [u8],
    tally: &mut Tally,
) -> Option<usize> {
    let staged = stage(message, arrival, view, config)?;
    let found = view.snapshot.table.lookup(staged.addr);
    finish(message, &staged, found, view, out, tally)
}

/// Reads a message; `None` for all that is not exactly what this path is for.
#[inline]
fn read<'q>(message: &'q [u8], view: &DnsView) -> Option<Read<'q>> {
    let header = message.first_chunk::<HEADER_BYTES>()?;
    // One question, nothing but an OPT record behind it.
    let counts = &header[4..];
    let has_edns = match counts {
        [0, 1, 0, 0, 0, 0, 0, 0] => false,
        [0, 1, 0, 0, 0, 0, 0, 1] => true,
        _ => return None,
    };
    if header[2] & NOT_A_QUERY != 0 {
        return None;
    }
    let body = &message[HEADER_BYTES..];
    let mut at = 0;
    loop {
        match *body.get(at)? {
            0 => break,
            len @ 1..=63 => at += 1 + usize::from(len),
            _ => return None,
        }
    }
    let (name, rest) = body.split_at_checked(at + 1)?;
    let (&[t0, t1, c0, c1], rest) = rest.split_first_chunk::<4>()?;
    let rtype = u16::from_be_bytes([t0, t1]);
    if !matches!(rtype, rtype::A | rtype::AAAA) || u16::from_be_bytes([c0, c1]) != CLASS_IN {
        return None;
    }
    if name.len() < WORD {
        return None;
    }
    let service = view.prepared.names.find(name)?;
    view.services[service.index()].whole.then_some(())?;
    let edns = if has_edns {
        Some(read_opt(rest)?)
    } else {
        rest.is_empty().then_some(())?;
        None
    };
    Some(Read {
        question: &body[..name.len() + 4],
        service,
        rtype,
        edns,
    })
}

/// Reads an OPT record that ends the message, with no option or with Client Subnet alone.
#[inline]
fn read_opt(bytes: &[u8]) -> Option<Opt<'_>> {
    let (fixed, options) = bytes.split_first_chunk::<OPT_BYTES>()?;
    // Root, OPT, size, extended code, version, flags, length of the options.
    let &[0, 0, 41, s0, s1, _, 0, flags, _, l0, l1] = fixed else {
        return None;
    };
    if usize::from(u16::from_be_bytes([l0, l1])) != options.len() {
        return None;
    }
    Some(Opt {
        udp_bytes_max: u16::from_be_bytes([s0, s1]).max(UDP_BYTES_MIN),
        flags: flags & 0x80,
        ecs: if options.is_empty() {
            None
        } else {
            Some(read_subnet(options)?)
        },
    })
}

/// Reads a Client Subnet option (RFC 7871 section 6) that is all there is and names an address.
#[inline]
fn read_subnet(options: &[u8]) -> Option<Subnet<'_>> {
    let (&[c0, c1, l0, l1], payload) = options.split_first_chunk::<OPTION_BYTES>()?;
    let (&[0, family, source, 0], octets) = payload.split_first_chunk::<ECS_BYTES>()? else {
        return None;
    };
    let fits = u16::from_be_bytes([c0, c1]) == code::ECS
        && usize::from(u16::from_be_bytes([l0, l1])) == payload.len()
        && octets.len() == usize::from(source.div_ceil(8));
    // Bits beyond the prefix must be zero.
    let beyond = octets.last()? & 0xff_u8.checked_shr(u32::from(source % 8)).unwrap_or(0);
    if !fits || (source % 8 != 0 && beyond != 0) {
        return None;
    }
    let addr = match (family, source) {
        (1, 1..=32) => {
            let mut addr = [0; 4];
            addr.get_mut(..octets.len())?.copy_from_slice(octets);
            IpAddr::V4(Ipv4Addr::from(addr))
        }
        (2, 1..=128) => {
            let mut addr = [0; 16];
            addr.get_mut(..octets.len())?.copy_from_slice(octets);
            IpAddr::V6(Ipv6Addr::from(addr))
        }
        _ => return None,
    };
    Some(Subnet { payload, addr })
}

/// Puts the reply together; `None` when it has no address or does not fit.
#[inline]
fn write(
    message: &[u8],
    asked: &Read<'_>,
    endpoint: EndpointId,
    scope: u8,
    view: &DnsView,
    out: &mut [u8],
) -> Option<usize> {
    let [v4, v6] = &view.prepared.records[endpoint.index()];
    let (records, record_bytes) = match asked.rtype {
        rtype::A => (&**v4, A_BYTES),
        _ => (&**v6, AAAA_BYTES),
    };
    let subnet = asked.edns.as_ref().and_then(|edns| edns.ecs.as_ref());
    let opt_bytes = asked.edns.as_ref().map_or(0, |_| OPT_BYTES)
        + subnet.map_or(0, |subnet| OPTION_BYTES + subnet.payload.len());
    let answer_at = HEADER_BYTES + asked.question.len();
    let len = answer_at + records.len() + opt_bytes;
    let bytes_max = asked
        .edns
        .as_ref()
        .map_or(UDP_BYTES_MIN, |edns| edns.udp_bytes_max);
    let count = records.len() / record_bytes;
    if count == 0 || len > usize::from(bytes_max).min(UDP_PAYLOAD_MAX) {
        return None;
    }
    let out = out.get_mut(..len)?;
    let (id, recursion, checking) = ([message[0], message[1]], message[2] & 1, message[3] & 0x10);
    out[..2].copy_from_slice(&id);
    // QR, AA and RD as it came; CD as it came, NOERROR.
    (out[2], out[3]) = (0x84 | recursion, checking);
    out[4..HEADER_BYTES].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::from(asked.edns.is_some())]);
    out[6..8].copy_from_slice(&u16::try_from(count).ok()?.to_be_bytes());
    out[HEADER_BYTES..answer_at].copy_from_slice(asked.question);
    let (answer, opt) = out[answer_at..].split_at_mut(records.len());
    // The set begins where the question's identifier says, so that clients which take the first
    // spread out.
    let first = usize::from(u16::from_be_bytes(id)) % count * record_bytes;
    let (head, tail) = answer.split_at_mut(records.len() - first);
    head.copy_from_slice(&records[first..]);
    tail.copy_from_slice(&records[..first]);
    let ttl = view.services[asked.service.index()].ttl_s.to_be_bytes();
    for record in answer.chunks_exact_mut(record_bytes) {
        record[TTL_AT..TTL_AT + 4].copy_from_slice(&ttl);
    }
    if let Some(edns) = &asked.edns {
        write_opt(edns, scope, opt);
    }
    Some(len)
}

/// Writes the OPT record into exactly the room that it needs.
#[inline]
fn write_opt(edns: &Opt<'_>, scope: u8, out: &mut [u8]) {
    let Some((fixed, options)) = out.split_first_chunk_mut::<OPT_BYTES>() else {
        return;
    };
    let [s0, s1] = OPT_UDP_BYTES.to_be_bytes();
    // Bounded by the longest Client Subnet option: 24 octets.
    let rdlen = u8::try_from(options.len()).unwrap_or(0);
    *fixed = [0, 0, 41, s0, s1, 0, 0, edns.flags, 0, 0, rdlen];
    let Some(subnet) = &edns.ecs else { return };
    let [c0, c1] = code::ECS.to_be_bytes();
    let payload_len = u8::try_from(subnet.payload.len()).unwrap_or(0);
    if let Some((head, payload)) = options.split_first_chunk_mut::<OPTION_BYTES>() {
        *head = [c0, c1, 0, payload_len];
        payload.copy_from_slice(subnet.payload);
        // RFC 7871 section 7.2.1: all but the scope as it came.
        payload[3] = scope;
    }
}
