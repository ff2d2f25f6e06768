//! One question with a client subnet, and what must be true of its answer.

use crate::dns::prefixes::{Family, Prefix, V4_BITS, V6_BITS};
use serde::Serialize;
use std::net::Ipv4Addr;

/// Length of a header (RFC 1035 section 4.1.1).
const HEADER_BYTES: usize = 12;
/// Type of IPv4 addresses (RFC 1035 section 3.2.2).
const TYPE_A: u16 = 1;
/// Type of the pseudo-record for options (RFC 6891 section 6.1.1).
const TYPE_OPT: u16 = 41;
/// Option code of client subnets (RFC 7871 section 6).
const OPTION_ECS: u16 = 8;
/// Answers are no longer than this over UDP.
const PAYLOAD_BYTES: u16 = 1232;

/// Questions for the addresses of one name.
#[derive(Clone, Debug)]
pub struct Question {
    v4: Vec<u8>,
    v6: Vec<u8>,
    /// Octets of header and question, which an answer repeats.
    head_bytes: usize,
}

/// Content of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The first address.
    pub address: Ipv4Addr,
    /// Scope length in bits, where the answer has a client subnet.
    pub scope_bits: Option<u8>,
}

impl Question {
    /// Asks for the addresses of `name`, labels of at most 63 octets without a dot at the end.
    #[must_use]
    pub fn new(name: &str) -> Self {
        // One question, one additional record, no flags: recursion is not desired of an authority.
        let mut head = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        for label in name.split('.') {
            head.push(u8::try_from(label.len()).unwrap_or(0));
            head.extend(label.as_bytes());
        }
        head.push(0);
        head.extend(TYPE_A.to_be_bytes());
        head.extend([0, 1]);
        let with = |family: u16, bits: u8| {
            let octets = u16::from(bits / 8);
            let mut message = head.clone();
            message.push(0);
            message.extend(TYPE_OPT.to_be_bytes());
            message.extend(PAYLOAD_BYTES.to_be_bytes());
            message.extend([0; 4]);
            message.extend((8 + octets).to_be_bytes());
            message.extend(OPTION_ECS.to_be_bytes());
            message.extend((4 + octets).to_be_bytes());
            message.extend(family.to_be_bytes());
            message.extend([bits, 0]);
            message.resize(message.len() + usize::from(octets), 0);
            message
        };
        Self {
            v4: with(1, V4_BITS),
            v6: with(2, V6_BITS),
            head_bytes: head.len(),
        }
    }

    /// The message for a family, with id and prefix still zero.
    fn template(&self, family: Family) -> &[u8] {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// The length of a message, in octets.
    #[must_use]
    pub fn bytes(&self, family: Family) -> usize {
        self.template(family).len()
    }

    /// Appends the question of `prefix`.
    pub fn write(&self, id: u16, prefix: &Prefix, out: &mut Vec<u8>) {
        let template = self.template(prefix.family);
        let octets = prefix.octets();
        out.extend(id.to_be_bytes());
        out.extend(&template[2..template.len() - octets.len()]);
        out.extend(octets);
    }

    /// Reads an answer: no error, not cut, to this question, with an address. `None` where any of
    /// that is not so, or where its client subnet is not that of `prefix`. The caller compares the
    /// id.
    #[must_use]
    pub fn read(&self, message: &[u8], prefix: &Prefix) -> Option<Answer> {
        let records = self.checked_records(message)?;
        let answers = u16_at(message, 6)?;
        let others = usize::from(u16_at(message, 8)?) + usize::from(u16_at(message, 10)?);
        let mut at = records;
        let mut address = None;
        let mut scope_bits = None;
        for index in 0..usize::from(answers) + others {
            let (kind, data, next) = record(message, at)?;
            if kind == TYPE_A && index < usize::from(answers) && address.is_none() {
                let octets: [u8; 4] = data.try_into().ok()?;
                address = Some(Ipv4Addr::from(octets));
            }
            if kind == TYPE_OPT {
                scope_bits = scope_of(data, self.template(prefix.family), prefix)?;
            }
            at = next;
        }
        Some(Answer {
            address: address?,
            scope_bits,
        })
    }

    /// Tells whether `message` looks like an answer to this question: all that is asked of an echo.
    #[must_use]
    pub fn is_answered(&self, message: &[u8]) -> bool {
        self.checked_records(message).is_some()
    }

    /// Checks header and question; where the records begin.
    fn checked_records(&self, message: &[u8]) -> Option<usize> {
        let question = message.get(HEADER_BYTES..self.head_bytes)?;
        // A response (0x80) that is not cut (0x02), without an error (RFC 1035 section 4.1.1).
        let sound = message[2] & 0x82 == 0x80 && message[3] & 0x0f == 0;
        let counted = u16_at(message, 4)? == 1 && u16_at(message, 6)? > 0;
        let same = *question == self.v4[HEADER_BYTES..self.head_bytes];
        (sound && counted && same).then_some(self.head_bytes)
    }
}

/// The scope in the options `data`: `Some(None)` when there is no client subnet, `None` when it is
/// not that of `prefix`.
fn scope_of(data: &[u8], question: &[u8], prefix: &Prefix) -> Option<Option<u8>> {
    let mut at = 0;
    while at < data.len() {
        let code = u16_at(data, at)?;
        let len = usize::from(u16_at(data, at + 2)?);
        let option = data.get(at + 4..at + 4 + len)?;
        if code == OPTION_ECS {
            // RFC 7871 section 7.2.1: family, source length and address are those of the question.
            let octets = prefix.octets();
            let asked = &question[question.len() - octets.len() - 4..][..3];
            let same = option.get(..3)? == asked && option.get(4..)? == octets;
            return same.then(|| option.get(3).copied());
        }
        at += 4 + len;
    }
    Some(None)
}

/// Type, data and end of the record at `at`.
fn record(message: &[u8], mut at: usize) -> Option<(u16, &[u8], usize)> {
    // A name ends with the root or with a pointer (RFC 1035 section 4.1.4).
    loop {
        match usize::from(*message.get(at)?) {
            0 => break at += 1,
            0xc0.. => break at += 2,
            len => at += 1 + len,
        }
    }
    let len = usize::from(u16_at(message, at + 8)?);
    let data = message.get(at + 10..at + 10 + len)?;
    Some((u16_at(message, at)?, data, at + 10 + len))
}

/// The number of two octets at `at`.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let octets = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([octets[0], octets[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{Message, MessageType, ResponseCode};
    use hickory_proto::rr::rdata::A;
    use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
    use hickory_proto::rr::{Name, RData, Record};

    const V4: Prefix = Prefix {
        family: Family::V4,
        octets: [192, 0, 2, 0, 0, 0, 0],
    };
    const V6: Prefix = Prefix {
        family: Family::V6,
        octets: [0x20, 0x01, 0x0d, 0xb8, 1, 2, 3],
    };

    fn asked(prefix: &Prefix) -> Message {
        let mut bytes = Vec::new();
        Question::new("www.example.com").write(4711, prefix, &mut bytes);
        Message::from_vec(&bytes).unwrap()
    }

    fn answered(prefix: &Prefix, change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = asked(prefix);
        message.metadata.message_type = MessageType::Response;
        let name = Name::from_ascii("www.example.com.").unwrap();
        let data = RData::A(A::new(192, 0, 2, 1));
        message.add_answer(Record::from_rdata(name, 300, data));
        change(&mut message);
        message.to_vec().unwrap()
    }

    #[test]
    fn another_decoder_reads_our_questions() {
        for prefix in [V4, V6] {
            let message = asked(&prefix);
            assert_eq!(message.metadata.id, 4711);
            assert!(!message.metadata.recursion_desired);
            assert_eq!(message.queries[0].name().to_ascii(), "www.example.com.");
            let edns = message.edns.unwrap();
            let Some(EdnsOption::Subnet(subnet)) = edns.option(EdnsCode::Subnet) else {
                panic!("no subnet");
            };
            assert_eq!(subnet.addr(), prefix.first());
            let bits = if prefix == V4 { V4_BITS } else { V6_BITS };
            assert_eq!(subnet.source_prefix(), bits);
        }
    }

    #[test]
    fn an_answer_of_another_encoder_is_read() {
        let question = Question::new("www.example.com");
        for (prefix, at) in [(V4, 4), (V6, 8)] {
            let mut bytes = answered(&prefix, |_| {});
            // The scope is the octet before the address, at the end of the message.
            let scope = bytes.len() - at;
            bytes[scope] = 13;
            let answer = question.read(&bytes, &prefix).unwrap();
            assert_eq!(answer.address, Ipv4Addr::new(192, 0, 2, 1));
            assert_eq!(answer.scope_bits, Some(13));
            assert!(question.is_answered(&bytes));
        }
    }

    #[test]
    fn what_is_wrong_is_not_an_answer() {
        let question = Question::new("www.example.com");
        let refused = answered(&V4, |message| {
            message.metadata.response_code = ResponseCode::Refused;
        });
        let empty = answered(&V4, |message| message.answers.clear());
        let cut = answered(&V4, |message| message.metadata.truncation = true);
        let query = answered(&V4, |message| {
            message.metadata.message_type = MessageType::Query;
        });
        for bytes in [refused, empty, cut, query] {
            assert_eq!(question.read(&bytes, &V4), None);
            assert!(!question.is_answered(&bytes));
        }
        let good = answered(&V4, |_| {});
        assert_eq!(question.read(&good, &V6), None, "another's subnet");
        assert_eq!(Question::new("ww2.example.com").read(&good, &V4), None);
        let plain = answered(&V4, |message| message.edns = None);
        assert_eq!(question.read(&plain, &V4).unwrap().scope_bits, None);
    }

    #[test]
    fn no_prefix_of_an_answer_panics() {
        let question = Question::new("www.example.com");
        let good = answered(&V6, |_| {});
        for len in 0..good.len() {
            assert_eq!(question.read(&good[..len], &V6), None);
        }
    }
}
