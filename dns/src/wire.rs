//! Questions off the wire: a hardened reader over borrowed bytes. It never panics, copies only the
//! lower-cased name and takes time linear in the message. Whatever is wrong with a message, it says
//! as much of it as a good error needs.

use crate::edns::{self, Edns};
use crate::name::{self, NameBuf};

/// Length of a message header (RFC 1035 section 4.1.1).
pub(crate) const HEADER_BYTES: usize = 12;
/// Class IN.
pub(crate) const CLASS_IN: u16 = 1;
/// Opcode QUERY.
const OPCODE_QUERY: u8 = 0;

/// Type codes that this server treats in a way of their own.
pub(crate) mod rtype {
    /// IPv4 address.
    pub(crate) const A: u16 = 1;
    /// Name server, or a zone cut.
    pub(crate) const NS: u16 = 2;
    /// Alias.
    pub(crate) const CNAME: u16 = 5;
    /// Start of authority.
    pub(crate) const SOA: u16 = 6;
    /// Host information; the answer to ANY.
    pub(crate) const HINFO: u16 = 13;
    /// IPv6 address.
    pub(crate) const AAAA: u16 = 28;
    /// Redirection of a subtree.
    pub(crate) const DNAME: u16 = 39;
    /// EDNS pseudo record.
    pub(crate) const OPT: u16 = 41;
    /// Delegation signer: lives on the parent's side of a cut.
    pub(crate) const DS: u16 = 43;
    /// Incremental zone transfer.
    pub(crate) const IXFR: u16 = 251;
    /// Zone transfer.
    pub(crate) const AXFR: u16 = 252;
    /// Any type.
    pub(crate) const ANY: u16 = 255;
}

/// Response codes, those of more than four bits included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rcode {
    /// No error.
    NoError = 0,
    /// The message could not be understood.
    FormErr = 1,
    /// The name does not exist.
    NxDomain = 3,
    /// The opcode is not implemented.
    NotImp = 4,
    /// Not ours, or not offered.
    Refused = 5,
    /// EDNS version not supported (RFC 6891 section 9).
    BadVers = 16,
    /// The server cookie is missing or wrong (RFC 7873 section 8).
    BadCookie = 23,
}

/// The parts of a header that a reply depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// Identifier, to be returned.
    pub id: u16,
    /// The 16 flag bits: QR, opcode, AA, TC, RD, RA, Z, AD, CD, RCODE.
    pub flags: u16,
}

impl Header {
    /// The four opcode bits.
    #[must_use]
    pub(crate) const fn opcode(self) -> u8 {
        (self.flags >> 11 & 0xf) as u8
    }

    /// Tells whether this is a response.
    #[must_use]
    pub(crate) const fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }
}

/// The one question of a message.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Name, type and class as they came, to be echoed byte for byte.
    pub wire: &'a [u8],
    /// The name, lower-cased.
    pub name: NameBuf,
    /// Type asked for.
    pub qtype: u16,
    /// Class asked for.
    pub qclass: u16,
}

/// Fault behind a good question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// FORMERR.
    Malformed,
    /// BADVERS.
    Version,
}

/// A message with one good question.
#[derive(Clone, Debug)]
pub(crate) struct Query<'a> {
    /// Header.
    pub header: Header,
    /// Question.
    pub question: Question<'a>,
    /// OPT record, as far as it could be read.
    pub edns: Option<Edns<'a>>,
    /// Fault after the question.
    pub fault: Option<Fault>,
}

/// Outcome of reading a message.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for one message; a box would allocate"
)]
pub(crate) enum Parsed<'a> {
    /// Nothing may be answered: no header, or a response. Answering responses would let two servers
    /// talk forever.
    Silence,
    /// No question could be read: a header goes back and nothing else.
    Bare(Header, Rcode),
    /// There is a question.
    Query(Query<'a>),
}

/// Reads a message.
#[must_use]
pub(crate) fn parse(message: &[u8]) -> Parsed<'_> {
    let Some(&[id0, id1, f0, f1, qd0, qd1, ..]) = message.first_chunk::<HEADER_BYTES>() else {
        return Parsed::Silence;
    };
    let header = Header {
        id: u16::from_be_bytes([id0, id1]),
        flags: u16::from_be_bytes([f0, f1]),
    };
    if header.is_response() {
        return Parsed::Silence;
    }
    // RFC 8906 section 3.1.3: unknown opcodes get NOTIMP; what follows the header has no known
    // meaning, so it is not looked at and nothing of it is echoed.
    if header.opcode() != OPCODE_QUERY {
        return Parsed::Bare(header, Rcode::NotImp);
    }
    // RFC 9619 section 4: "A DNS message with OPCODE = 0 and QDCOUNT > 1 MUST be treated as an
    // incorrectly formatted message." A message with QDCOUNT 0 has no question to answer.
    if u16::from_be_bytes([qd0, qd1]) != 1 {
        return Parsed::Bare(header, Rcode::FormErr);
    }
    let Some((question, at)) = read_question(message) else {
        return Parsed::Bare(header, Rcode::FormErr);
    };
    let (edns, fault) = read_records(message, at);
    Parsed::Query(Query {
        header,
        question,
        edns,
        fault,
    })
}

/// The question and where it ends. A compressed name is refused: nothing precedes it that it could
/// point to.
fn read_question(message: &[u8]) -> Option<(Question<'_>, usize)> {
    let body = message.get(HEADER_BYTES..)?;
    let name_len = name::measure(body)?;
    let wire = body.get(..name_len + 4)?;
    let &[.., t0, t1, c0, c1] = wire else {
        return None;
    };
    let question = Question {
        wire,
        name: NameBuf::lowered(&wire[..name_len]),
        qtype: u16::from_be_bytes([t0, t1]),
        qclass: u16::from_be_bytes([c0, c1]),
    };
    Some((question, HEADER_BYTES + wire.len()))
}

/// One record after the question.
struct Record<'a> {
    owner_is_root: bool,
    rtype: u16,
    class: u16,
    ttl: u32,
    rdata: &'a [u8],
    end: usize,
}

/// Walks the records after the question for the OPT record among the additional ones. The counts of
/// the header cannot make it long: each record takes at least eleven bytes of the message.
fn read_records(message: &[u8], mut at: usize) -> (Option<Edns<'_>>, Option<Fault>) {
    let count = |offset: usize| {
        let high = message.get(offset).copied().unwrap_or_default();
        let low = message.get(offset + 1).copied().unwrap_or_default();
        usize::from(u16::from_be_bytes([high, low]))
    };
    let before_additional = count(6) + count(8);
    let mut opt: Option<Record<'_>> = None;
    let mut malformed = false;
    for index in 0..before_additional + count(10) {
        let Some(record) = read_record(message, at) else {
            malformed = true;
            break;
        };
        at = record.end;
        if index < before_additional || record.rtype != rtype::OPT {
            continue;
        }
        // RFC 6891 section 6.1.1: "If a query message with more than one OPT RR is received, a
        // FORMERR (RCODE=1) MUST be returned." Section 6.1.2: its name MUST be the root.
        malformed |= opt.is_some() || !record.owner_is_root;
        opt = opt.or(Some(record));
    }
    // Bytes that no count speaks of are not DNS.
    malformed |= at != message.len();
    let read = opt.map(|opt| edns::read(opt.class, opt.ttl, opt.rdata));
    let (edns, fault) = read.map_or((None, None), |(edns, fault)| (Some(edns), fault));
    (
        edns,
        if malformed {
            Some(Fault::Malformed)
        } else {
            fault
        },
    )
}

/// The record at `at`; `None` when it is cut short or its owner is no name.
fn read_record(message: &[u8], at: usize) -> Option<Record<'_>> {
    let fixed = name::skip(message, at)?;
    let &[t0, t1, c0, c1, l0, l1, l2, l3, d0, d1] = message.get(fixed..)?.first_chunk::<10>()?;
    let start = fixed + 10;
    let end = start + usize::from(u16::from_be_bytes([d0, d1]));
    Some(Record {
        owner_is_root: message.get(at) == Some(&0),
        rtype: u16::from_be_bytes([t0, t1]),
        class: u16::from_be_bytes([c0, c1]),
        ttl: u32::from_be_bytes([l0, l1, l2, l3]),
        rdata: message.get(start..end)?,
        end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: &[u8] = b"\x12\x34\x01\x10\0\x01\0\0\0\0\0\0\x03wWw\x07example\x03com\0\0\x01\0\x01";

    fn query(message: &[u8]) -> Query<'_> {
        match parse(message) {
            Parsed::Query(query) => query,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_question_is_lowered_and_kept() {
        let query = query(ASK);
        assert_eq!(
            query.question.name.as_wire(),
            b"\x03www\x07example\x03com\0"
        );
        assert_eq!(query.question.wire, &ASK[12..]);
        assert_eq!((query.question.qtype, query.question.qclass), (1, 1));
        assert_eq!((query.header.id, query.fault), (0x1234, None));
        assert!(query.edns.is_none());
    }

    #[test]
    fn what_has_no_question_gets_a_header_or_silence() {
        assert!(matches!(parse(&ASK[..11]), Parsed::Silence));
        assert!(matches!(parse(&ASK[..12]), Parsed::Bare(_, Rcode::FormErr)));
        let edited = |at: usize, byte: u8| {
            let mut message = ASK.to_vec();
            message[at] = byte;
            message
        };
        assert!(
            matches!(parse(&edited(2, 0x81)), Parsed::Silence),
            "a response"
        );
        assert!(
            matches!(parse(&edited(2, 0x28)), Parsed::Bare(_, Rcode::NotImp)),
            "UPDATE"
        );
        assert!(
            matches!(parse(&edited(5, 2)), Parsed::Bare(_, Rcode::FormErr)),
            "two questions"
        );
        assert!(
            matches!(parse(&edited(12, 0xc0)), Parsed::Bare(_, Rcode::FormErr)),
            "pointer"
        );
    }

    #[test]
    fn records_after_the_question_are_walked_to_the_end() {
        let with = |counts: [u8; 6], tail: &[u8]| {
            let mut message = ASK.to_vec();
            message[6..12].copy_from_slice(&counts);
            message.extend_from_slice(tail);
            message
        };
        let opt = b"\0\0\x29\x04\xd0\0\0\x80\0\0\0";
        let other = b"\xc0\x0c\0\x10\0\x01\0\0\0\0\0\x01\0";
        let last = with([0, 0, 0, 0, 0, 2], &[&other[..], opt].concat());
        let good = query(&last);
        assert_eq!(
            good.edns.map(|edns| (edns.udp_bytes_max, edns.dnssec_ok)),
            Some((1232, true))
        );
        assert_eq!(good.fault, None);
        for (counts, tail) in [
            ([0, 0, 0, 0, 0, 2], [&opt[..], opt].concat()),
            ([0, 0, 0, 0, 0, 1], [&opt[..], b"\0"].concat()),
            ([0, 0, 0, 0, 0, 1], opt[..10].to_vec()),
            ([0, 0, 0, 0, 0, 1], [b"\x01a", &opt[..]].concat()),
            ([255, 255, 255, 255, 255, 255], opt.to_vec()),
        ] {
            assert_eq!(
                query(&with(counts, &tail)).fault,
                Some(Fault::Malformed),
                "{tail:?}"
            );
        }
    }
}
