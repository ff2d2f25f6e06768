//! Replies onto the wire, into the caller's bytes, without allocation.
//!
//! Static sets lie in the view as finished bytes, so that a reply is a few copies: header, question
//! as it came, records behind owner pointers, OPT. The commonest replies of all have an encoder of
//! their own ([`crate::fast`]). The `domain` crate reads the configured names; its message builder
//! was not taken here because it composes typed records one by one, and these are bytes already.

use crate::answer::{Addresses, Answer, Authority, Outcome, Tailored};
use crate::edns::{Ecs, code};
use crate::names::{BODY_FIXED_BYTES, RrSet};
use crate::wire::{CLASS_IN, HEADER_BYTES, Header, Rcode, rtype};

/// QR: this is a response.
const QR: u16 = 0x8000;
/// AA: authoritative.
const AA: u16 = 0x0400;
/// TC: truncated.
const TC: u16 = 0x0200;
/// RD: recursion desired; copied (RFC 1035 section 4.1.1).
const RD: u16 = 0x0100;
/// CD: checking disabled; copied (RFC 4035 section 3.1.6).
const CD: u16 = 0x0010;
/// The opcode bits.
const OPCODE: u16 = 0x7800;
/// A compression pointer to the question's name.
const POINTER: u16 = 0xc000;
/// Offsets beyond this do not fit a compression pointer.
const POINTER_MAX: usize = 0x3fff;
/// OPT without options.
const OPT_FIXED_BYTES: usize = 11;
/// The payload size that our OPT announces: what we take in one datagram (RFC 9715 section 3.2).
pub(crate) const OPT_UDP_BYTES: u16 = 1232;

/// The OPT record of a reply.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReplyOpt<'a> {
    /// Copied from the question (RFC 3225 section 3).
    pub(crate) dnssec_ok: bool,
    /// The question's option and the scope to return in it.
    pub(crate) ecs: Option<(Ecs<'a>, u8)>,
    /// Client cookie and server cookie.
    pub(crate) cookie: Option<([u8; 8], [u8; 16])>,
    /// Server identifier.
    pub(crate) nsid: Option<&'a [u8]>,
    /// Idle timeout in units of 100 ms.
    pub(crate) keepalive: Option<u16>,
}

impl ReplyOpt<'_> {
    /// Number of octets the record takes.
    fn len(&self) -> usize {
        OPT_FIXED_BYTES
            + self.ecs.map_or(0, |(ecs, _)| 4 + ecs.payload.len())
            + self.cookie.map_or(0, |_| 4 + 8 + 16)
            + self.nsid.map_or(0, |nsid| 4 + nsid.len())
            + self.keepalive.map_or(0, |_| 4 + 2)
    }
}

/// All a reply with a question is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply<'a> {
    /// The question's header.
    pub(crate) header: Header,
    /// The question as it came.
    pub(crate) question: &'a [u8],
    /// Outcome.
    pub(crate) rcode: Rcode,
    /// Content of the answer; `None` for an error.
    pub(crate) answer: Option<&'a Answer<'a>>,
    /// EDNS, if the question had it. RFC 6891 section 7: without an OPT record in the request "the
    /// responder MUST NOT include an OPT record in its response".
    pub(crate) opt: Option<ReplyOpt<'a>>,
    /// Longest message the other side takes, in octets.
    pub(crate) bytes_max: usize,
}

/// A reply that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// Length in octets.
    pub(crate) len: usize,
    /// True when TC is set.
    pub(crate) truncated: bool,
}

/// There is no room left.
struct Full;

/// Writes a reply that is a header alone. Unknown opcodes keep their opcode and nothing else, RD
/// included: what the bits mean there is not ours to know.
pub(crate) fn encode_bare(header: Header, rcode: Rcode, out: &mut [u8]) -> Option<Encoded> {
    let kept = if header.opcode() == 0 {
        RD | CD
    } else {
        OPCODE
    };
    let flags = QR | header.flags & kept | rcode as u16 & 0xf;
    let space = out.get_mut(..HEADER_BYTES)?;
    space.fill(0);
    space[..2].copy_from_slice(&header.id.to_be_bytes());
    space[2..4].copy_from_slice(&flags.to_be_bytes());
    Some(Encoded {
        len: HEADER_BYTES,
        truncated: false,
    })
}

/// Writes a reply; `None` when `out` has no room for the question and OPT.
pub(crate) fn encode(reply: &Reply<'_>, out: &mut [u8]) -> Option<Encoded> {
    let opt_bytes = reply.opt.as_ref().map_or(0, ReplyOpt::len);
    let records_end = out.len().min(reply.bytes_max).checked_sub(opt_bytes)?;
    let mut writer = Writer {
        out,
        at: HEADER_BYTES,
        end: records_end,
        question: reply.question,
    };
    writer.put(reply.question).ok()?;
    let after_question = writer.at;
    let written = reply
        .answer
        .map_or(Ok([0; 3]), |answer| writer.answer(answer, reply.header.id));
    // RFC 2181 section 9: TC says that a required set did not fit. Half an answer would only be
    // thrown away, so none is sent.
    let truncated = written.is_err();
    let [answers, authorities, mut additionals] = written.unwrap_or_else(|Full| {
        writer.at = after_question;
        [0; 3]
    });
    writer.end += opt_bytes;
    if let Some(opt) = &reply.opt {
        writer.opt(opt, reply.rcode).ok()?;
        additionals += 1;
    }
    let len = writer.at;
    let mut flags = QR | reply.header.flags & (RD | CD) | reply.rcode as u16 & 0xf;
    flags |= if reply.answer.is_some_and(|answer| answer.authoritative) {
        AA
    } else {
        0
    };
    flags |= if truncated { TC } else { 0 };
    let counts = [reply.header.id, flags, 1, answers, authorities, additionals];
    for (space, field) in out.as_chunks_mut::<2>().0.iter_mut().zip(counts) {
        *space = field.to_be_bytes();
    }
    Some(Encoded { len, truncated })
}

/// Writes behind what is there, up to a bound.
struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    end: usize,
    /// Name, type and class; stands at offset 12.
    question: &'a [u8],
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.at + bytes.len();
        if end > self.end {
            return Err(Full);
        }
        self.out
            .get_mut(self.at..end)
            .ok_or(Full)?
            .copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    fn put_u16(&mut self, value: u16) -> Result<(), Full> {
        self.put(&value.to_be_bytes())
    }

    /// Writes all sections; returns how many records each holds.
    fn answer(&mut self, answer: &Answer<'_>, id: u16) -> Result<[u16; 3], Full> {
        let mut counts = [0; 3];
        let mut owner = pointer(HEADER_BYTES).ok_or(Full)?;
        for set in answer.chain.iter() {
            let rdata_at = self.at + 2 + BODY_FIXED_BYTES;
            counts[0] += self.set_at(owner, set)?;
            if set.rtype == rtype::CNAME {
                // The next owner is the target that was just written.
                owner = pointer(rdata_at).ok_or(Full)?;
            }
        }
        if let Some(tailored) = &answer.tailored {
            counts[0] += self.addresses(owner, tailored, id)?;
        }
        match answer.authority {
            Authority::Nothing => {}
            Authority::Soa(zone) => counts[1] += self.set_of(&zone.apex, &zone.negative_soa)?,
            Authority::Servers(cut) => {
                counts[1] += self.set_of(&cut.owner, &cut.ns)?;
                // RFC 9471 section 3.1: if not all in-domain glue fits, TC is set.
                for (owner, set) in &cut.glue {
                    counts[2] += self.set_of(owner, set)?;
                }
            }
        }
        Ok(counts)
    }

    /// Writes a set behind a pointer to its owner.
    fn set_at(&mut self, owner: u16, set: &RrSet) -> Result<u16, Full> {
        let mut count = 0;
        for body in &set.bodies {
            self.put_u16(owner)?;
            self.put(body)?;
            count += 1;
        }
        Ok(count)
    }

    /// Writes a set with its owner's name: a pointer into the question where the question's name
    /// ends with it.
    fn set_of(&mut self, owner: &[u8], set: &RrSet) -> Result<u16, Full> {
        let name_bytes = self.question.len().saturating_sub(4);
        let inside = name_bytes.checked_sub(owner.len()).filter(|&offset| {
            // A suffix of octets is a suffix of labels only where a label begins.
            label_begins(self.question, offset)
                && self.question[offset..name_bytes].eq_ignore_ascii_case(owner)
        });
        let mut owner_at = inside.and_then(|offset| pointer(HEADER_BYTES + offset));
        let mut count = 0;
        for body in &set.bodies {
            if let Some(target) = owner_at {
                self.put_u16(target)?;
            } else {
                owner_at = pointer(self.at);
                self.put(owner)?;
            }
            self.put(body)?;
            count += 1;
        }
        Ok(count)
    }

    /// Writes tailored addresses. Where all are given, the question's random identifier turns them,
    /// so that clients that take the first spread out; a set has no order (RFC 2181 section 5), so
    /// this decides nothing.
    fn addresses(&mut self, owner: u16, tailored: &Tailored<'_>, id: u16) -> Result<u16, Full> {
        let total = tailored.addresses.len().max(1);
        let first = tailored.first.unwrap_or_else(|| usize::from(id) % total);
        let ttl = tailored.ttl_s.to_be_bytes();
        let turn = |step: usize| (first + step) % total;
        let mut count = 0;
        for step in 0..tailored.count {
            match tailored.addresses {
                Addresses::V4(all) => {
                    let octets = all.get(turn(step)).ok_or(Full)?.octets();
                    self.put(&address_record::<16, 4>(owner, rtype::A, ttl, octets))?;
                }
                Addresses::V6(all) => {
                    let octets = all.get(turn(step)).ok_or(Full)?.octets();
                    self.put(&address_record::<28, 16>(owner, rtype::AAAA, ttl, octets))?;
                }
            }
            count += 1;
        }
        Ok(count)
    }

    /// Writes the OPT record.
    fn opt(&mut self, opt: &ReplyOpt<'_>, rcode: Rcode) -> Result<(), Full> {
        // Options are bounded far below 65536 octets in all.
        let rdata_bytes = u16::try_from(opt.len() - OPT_FIXED_BYTES).map_err(|_| Full)?;
        self.put(&[0])?;
        self.put_u16(rtype::OPT)?;
        self.put_u16(OPT_UDP_BYTES)?;
        // RFC 6891 section 6.1.3: the upper eight bits of the code, then version 0. All flags but
        // DO are zero.
        self.put_u16((rcode as u16 >> 4) << 8)?;
        self.put_u16(if opt.dnssec_ok { 0x8000 } else { 0 })?;
        self.put_u16(rdata_bytes)?;
        if let Some((ecs, scope)) = opt.ecs {
            self.option(code::ECS, ecs.payload.len())?;
            let scope_at = self.at + 3;
            // RFC 7871 section 7.2.1: "FAMILY, SOURCE PREFIX-LENGTH, and ADDRESS in the response
            // MUST match those in the query."
            self.put(ecs.payload)?;
            *self.out.get_mut(scope_at).ok_or(Full)? = scope;
        }
        if let Some((client, server)) = opt.cookie {
            self.option(code::COOKIE, client.len() + server.len())?;
            self.put(&client)?;
            self.put(&server)?;
        }
        if let Some(nsid) = opt.nsid {
            self.option(code::NSID, nsid.len())?;
            self.put(nsid)?;
        }
        if let Some(timeout) = opt.keepalive {
            self.option(code::KEEPALIVE, 2)?;
            self.put_u16(timeout)?;
        }
        Ok(())
    }

    fn option(&mut self, code: u16, len: usize) -> Result<(), Full> {
        self.put_u16(code)?;
        self.put_u16(u16::try_from(len).map_err(|_| Full)?)
    }
}

/// The response code of an outcome.
pub(crate) const fn rcode(outcome: Outcome) -> Rcode {
    match outcome {
        Outcome::Records | Outcome::NoData | Outcome::Referral => Rcode::NoError,
        Outcome::NxDomain => Rcode::NxDomain,
        Outcome::Refused => Rcode::Refused,
        Outcome::FormErr => Rcode::FormErr,
    }
}

/// A compression pointer; `None` beyond what one can reach.
fn pointer(offset: usize) -> Option<u16> {
    let offset = u16::try_from(offset)
        .ok()
        .filter(|&offset| usize::from(offset) <= POINTER_MAX)?;
    Some(POINTER | offset)
}

/// Tells whether a label of the name at the start of `name` begins at `offset`.
fn label_begins(name: &[u8], offset: usize) -> bool {
    let mut at = 0;
    while at < offset {
        let Some(len @ 1..) = name.get(at) else {
            return false;
        };
        at += 1 + usize::from(*len);
    }
    at == offset
}

/// One address record: owner pointer, TYPE, CLASS, TTL, RDLENGTH, address. `N` is `LEN` + 12.
fn address_record<const N: usize, const LEN: usize>(
    owner: u16,
    rtype: u16,
    ttl: [u8; 4],
    address: [u8; LEN],
) -> [u8; N] {
    const { assert!(N == LEN + 12 && LEN <= 16) };
    let mut record = [0; N];
    record[..2].copy_from_slice(&owner.to_be_bytes());
    record[2..4].copy_from_slice(&rtype.to_be_bytes());
    record[4..6].copy_from_slice(&CLASS_IN.to_be_bytes());
    record[6..10].copy_from_slice(&ttl);
    record[11] = if LEN == 4 { 4 } else { 16 };
    record[12..].copy_from_slice(&address);
    record
}
