//! The second encoder: replies put together by the message builder of the `domain` crate from the
//! pure answer, to be compared byte for byte with those of the encoder under test.
//!
//! Where a name may be written in several ways, the ways of the server are stated here once more:
//! owners of an answer point to the question or to the alias before them; other owners point into
//! the question where it ends with them, else they are written out in the first record of their
//! set, and the others of the set point to that.

use dns::{Addresses, Answer, Question, RrSet};
use domain::base::iana::{Class, Opcode, OptRcode, OptionCode, Rtype};
use domain::base::message_builder::{
    AdditionalBuilder, AnswerBuilder, MessageBuilder, PushError, RecordSectionBuilder,
};
use domain::base::name::ToName;
use domain::base::opt::keepalive::{IdleTimeout, TcpKeepalive};
use domain::base::opt::{ClientSubnet, Nsid};
use domain::base::record::ComposeRecord;
use domain::base::wire::{Compose, Composer};
use domain::base::{Header, Name, Ttl};
use std::net::IpAddr;

/// Options the OPT record of a reply carries.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) dnssec_ok: bool,
    /// Address, or none for family 0, source bits and scope bits of a Client Subnet.
    pub(crate) subnet: Option<(Option<IpAddr>, u8, u8)>,
    pub(crate) nsid: Option<Vec<u8>>,
    pub(crate) keepalive: Option<u16>,
}

/// A reply in parts.
pub(crate) struct Second<'a> {
    /// The question's header.
    pub(crate) header: Header,
    pub(crate) question: &'a Question<'a>,
    pub(crate) rcode: OptRcode,
    /// `None` for an error.
    pub(crate) answer: Option<&'a Answer<'a>>,
    /// `None` without EDNS.
    pub(crate) options: Option<Options>,
    pub(crate) bytes_max: usize,
}

/// One record.
struct Line<'a> {
    owner: Owner<'a>,
    rtype: u16,
    ttl_s: u32,
    rdata: &'a [u8],
}

/// Place where the owner of a record stands.
#[derive(Clone, Copy)]
enum Owner<'a> {
    /// At this octet of the message.
    At(usize),
    /// Nowhere yet: it is written out.
    Here(&'a [u8]),
}

impl ComposeRecord for Line<'_> {
    fn compose_record<T: Composer + ?Sized>(&self, target: &mut T) -> Result<(), T::AppendError> {
        match self.owner {
            Owner::At(at) => u16::try_from(0xc000 + at).unwrap().compose(target)?,
            Owner::Here(name) => Name::from_octets(name).unwrap().compose(target)?,
        }
        Rtype::from_int(self.rtype).compose(target)?;
        Class::IN.compose(target)?;
        Ttl::from_secs(self.ttl_s).compose(target)?;
        u16::try_from(self.rdata.len()).unwrap().compose(target)?;
        target.append_slice(self.rdata)
    }
}

impl Second<'_> {
    /// The reply as bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let whole = self.build(self.answer).or_else(|_| self.build(None));
        whole.expect("a reply without records always fits")
    }

    /// The reply with these records; fails when they do not fit.
    fn build(&self, records: Option<&Answer<'_>>) -> Result<Vec<u8>, PushError> {
        let opt_bytes = self.options.as_ref().map_or(0, |options| {
            let mut alone = MessageBuilder::new_vec().additional();
            options.push(&mut alone, self.rcode);
            alone.finish().len() - 12
        });
        let mut builder = MessageBuilder::new_vec();
        // The builder's limit is the first length that is too long.
        builder.set_push_limit(self.bytes_max - opt_bytes + 1);
        let header = builder.header_mut();
        header.set_id(self.header.id());
        header.set_qr(true);
        header.set_opcode(Opcode::QUERY);
        header.set_rd(self.header.rd());
        header.set_cd(self.header.cd());
        header.set_aa(self.answer.is_some_and(|answer| answer.authoritative));
        header.set_tc(self.answer.is_some() && records.is_none());
        header.set_rcode(self.rcode.rcode());
        let name = Name::from_octets(&self.question.wire[..self.question.wire.len() - 4]).unwrap();
        let qtype = Rtype::from_int(self.question.qtype);
        let mut question = builder.question();
        question.push((&name, qtype, Class::from_int(self.question.qclass)))?;
        let mut answers = question.answer();
        if let Some(answer) = records {
            self.push_answer(answer, &mut answers)?;
        }
        let mut authorities = answers.authority();
        let authority = records.and_then(Answer::authority);
        if let Some((owner, set, _)) = authority {
            let at = authorities.as_slice().len();
            push_set(&mut authorities, at, &name, owner, set)?;
        }
        let mut additionals = authorities.additional();
        for (owner, set) in authority.map_or(&[][..], |(_, _, glue)| glue) {
            let at = additionals.as_slice().len();
            push_set(&mut additionals, at, &name, owner, set)?;
        }
        additionals.clear_push_limit();
        if let Some(options) = &self.options {
            options.push(&mut additionals, self.rcode);
        }
        Ok(additionals.finish())
    }

    /// The answer section, in order.
    fn push_answer(
        &self,
        answer: &Answer<'_>,
        section: &mut AnswerBuilder<Vec<u8>>,
    ) -> Result<(), PushError> {
        let mut owner = Owner::At(QUESTION_AT);
        for set in answer.chain.iter() {
            for (rtype, ttl_s, rdata) in bodies(set) {
                section.push(Line {
                    owner,
                    rtype,
                    ttl_s,
                    rdata,
                })?;
            }
            if set.rtype == 5 {
                // The message ends with the target, which is the owner of what follows.
                owner = Owner::At(section.as_slice().len() - set.first_rdata().len());
            }
        }
        let Some(tailored) = answer.tailored else {
            return Ok(());
        };
        let (rtype, all): (u16, Vec<Vec<u8>>) = match tailored.addresses {
            Addresses::V4(all) => (1, all.iter().map(|addr| addr.octets().into()).collect()),
            Addresses::V6(all) => (28, all.iter().map(|addr| addr.octets().into()).collect()),
        };
        let first = tailored
            .first
            .unwrap_or_else(|| usize::from(self.header.id()) % all.len());
        for rdata in all.iter().cycle().skip(first).take(tailored.count) {
            section.push(Line {
                owner,
                rtype,
                ttl_s: tailored.ttl_s,
                rdata,
            })?;
        }
        Ok(())
    }
}

/// Place where the question's name begins.
const QUESTION_AT: usize = 12;

/// Pushes a set behind its owner into a section that begins, or goes on, at octet `at`.
fn push_set(
    section: &mut impl RecordSectionBuilder<Vec<u8>>,
    at: usize,
    question: &Name<&[u8]>,
    owner: &[u8],
    set: &RrSet,
) -> Result<(), PushError> {
    let name = Name::from_octets(owner).unwrap();
    let inside = question.iter_suffixes().find(|suffix| *suffix == name);
    let inside = inside.map(|suffix| QUESTION_AT + question.len() - suffix.len());
    let mut place = inside.map_or(Owner::Here(owner), Owner::At);
    for (rtype, ttl_s, rdata) in bodies(set) {
        section.push(Line {
            owner: place,
            rtype,
            ttl_s,
            rdata,
        })?;
        place = Owner::At(inside.unwrap_or(at));
    }
    Ok(())
}

/// (type, TTL in seconds, RDATA) of each record of a set.
fn bodies(set: &RrSet) -> impl Iterator<Item = (u16, u32, &[u8])> {
    set.bodies.iter().map(|body| {
        let ttl_s = u32::from_be_bytes(body[4..8].try_into().unwrap());
        assert_eq!(
            usize::from(u16::from_be_bytes([body[8], body[9]])),
            body.len() - 10
        );
        assert_eq!(body[..4], [set.rtype.to_be_bytes(), [0, 1]].concat());
        (set.rtype, ttl_s, &body[10..])
    })
}

impl Options {
    /// Pushes the OPT record, and the code of the reply with it.
    fn push(&self, section: &mut AdditionalBuilder<Vec<u8>>, rcode: OptRcode) {
        let pushed = section.opt(|opt| {
            opt.set_udp_payload_size(1232);
            opt.set_rcode(rcode);
            opt.set_dnssec_ok(self.dnssec_ok);
            match self.subnet {
                Some((Some(addr), source, scope)) => {
                    opt.push(&ClientSubnet::new(source, scope, addr))?
                }
                Some((None, source, scope)) => {
                    opt.push_raw_option(OptionCode::CLIENT_SUBNET, 4, |target| {
                        target.extend([0, 0, source, scope]);
                        Ok(())
                    })?
                }
                None => {}
            }
            if let Some(nsid) = &self.nsid {
                opt.push(&Nsid::from_octets(nsid).unwrap())?;
            }
            if let Some(timeout) = self.keepalive {
                opt.push(&TcpKeepalive::new(Some(IdleTimeout::from(timeout))))?;
            }
            Ok(())
        });
        pushed.expect("options are short");
    }
}
