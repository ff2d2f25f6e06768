//! Questions with a client subnet and replies, in the wire format: RFC 1035 section 4, RFC 6891,
//! RFC 7871 section 6.

use std::collections::BTreeSet;
use std::net::IpAddr;
use testkit::Prefix;

/// Types of records.
pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const MX: u16 = 15;
pub(crate) const TXT: u16 = 16;
pub(crate) const AAAA: u16 = 28;
const OPT: u16 = 41;
const CLIENT_SUBNET: u16 = 8;

/// A question, and the client that it is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) kind: u16,
    pub(crate) client: Prefix,
}

impl Question {
    /// The message.
    pub(crate) fn encode(&self, id: u16) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend(id.to_be_bytes());
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        for label in self.name.split('.') {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        for half in [self.kind, 1] {
            bytes.extend(half.to_be_bytes());
        }
        let len = self.client.own_len();
        let address = match self.client.address() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let address = &address[..usize::from(len.div_ceil(8))];
        let size = 4 + u16::try_from(address.len()).unwrap();
        // Root name, type, size of UDP payloads, no extended code, version 0, no flags.
        bytes.push(0);
        for half in [OPT, 4096, 0, 0, size + 4, CLIENT_SUBNET, size] {
            bytes.extend(half.to_be_bytes());
        }
        bytes.extend([0, if self.client.is_v4 { 1 } else { 2 }, len, 0]);
        bytes.extend(address);
        bytes
    }
}

/// A reply, without the order of records and their time to live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u8,
    pub(crate) is_authoritative: bool,
    pub(crate) is_cut: bool,
    /// Type and data as text.
    pub(crate) answers: BTreeSet<(u16, String)>,
    /// Length of the scope, when the reply has a client subnet.
    pub(crate) scope: Option<u8>,
}

impl Reply {
    /// The address, when the answer is one address alone.
    pub(crate) fn only_address(&self) -> Option<IpAddr> {
        let (kind, text) = self.answers.first()?;
        (self.answers.len() == 1 && [A, AAAA].contains(kind)).then(|| text.parse().unwrap())
    }

    /// Equal but for the scope.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let scope = other.scope;
        Self {
            scope,
            ..self.clone()
        } == *other
    }

    /// The identity and the content of a message; nothing if it is malformed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(u16, Self)> {
        let half = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let mut reply = Self {
            code: *bytes.get(3)? & 15,
            is_authoritative: *bytes.get(2)? & 4 != 0,
            is_cut: *bytes.get(2)? & 2 != 0,
            answers: BTreeSet::new(),
            scope: None,
        };
        let mut at = 12;
        for _ in 0..half(4)? {
            at = name(bytes, at)?.1 + 4;
        }
        let answers = half(6)?;
        for index in 0..u32::from(answers) + u32::from(half(8)?) + u32::from(half(10)?) {
            let after = name(bytes, at)?.1;
            let (kind, size) = (half(after)?, usize::from(half(after + 8)?));
            let data = bytes.get(after + 10..after + 10 + size)?;
            if index < u32::from(answers) {
                reply
                    .answers
                    .insert((kind, text(bytes, kind, after + 10, data)?));
            } else if kind == OPT {
                reply.scope = scope(data);
            }
            at = after + 10 + size;
        }
        Some((half(0)?, reply))
    }
}

/// A name that may be compressed, and where the bytes after it start.
fn name(bytes: &[u8], start: usize) -> Option<(String, usize)> {
    let mut text = String::new();
    let (mut at, mut after) = (start, None);
    for _ in 0..128 {
        let len = usize::from(*bytes.get(at)?);
        if len >= 0xc0 {
            after.get_or_insert(at + 2);
            at = (len & 0x3f) << 8 | usize::from(*bytes.get(at + 1)?);
            continue;
        }
        if len == 0 {
            return Some((text, after.unwrap_or(at + 1)));
        }
        text.push_str(&String::from_utf8_lossy(bytes.get(at + 1..at + 1 + len)?));
        text.push('.');
        at += 1 + len;
    }
    None
}

/// The data of a record as text.
fn text(bytes: &[u8], kind: u16, at: usize, data: &[u8]) -> Option<String> {
    Some(match kind {
        A => IpAddr::from(<[u8; 4]>::try_from(data).ok()?).to_string(),
        AAAA => IpAddr::from(<[u8; 16]>::try_from(data).ok()?).to_string(),
        CNAME => name(bytes, at)?.0,
        MX => format!("{:?} {}", data.get(..2)?, name(bytes, at + 2)?.0),
        _ => format!("{data:?}"),
    })
}

/// The scope of the client subnet among the options of an OPT record.
fn scope(mut options: &[u8]) -> Option<u8> {
    while let [a, b, c, d, rest @ ..] = options {
        let size = usize::from(u16::from_be_bytes([*c, *d]));
        if u16::from_be_bytes([*a, *b]) == CLIENT_SUBNET {
            return rest.get(3).copied();
        }
        options = rest.get(size..)?;
    }
    None
}
