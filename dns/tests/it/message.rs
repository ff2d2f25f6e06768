//! Questions as bytes, and replies read back by an independent decoder.

use crate::world;
use dns::{Arrival, DnsView, ReplyConfig, Tally, Transport, respond};
use hickory_proto::op::Message;
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use std::net::{IpAddr, SocketAddr};

/// Type codes used in tests.
pub(crate) const A: u16 = 1;
/// NS.
pub(crate) const NS: u16 = 2;
/// TXT.
pub(crate) const TXT: u16 = 16;
/// AAAA.
pub(crate) const AAAA: u16 = 28;

/// A question with EDNS that can be bent in every way.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    name: Vec<u8>,
    qtype: u16,
    qclass: u16,
    flags: u16,
    opt: Option<(u16, u32)>,
    options: Vec<u8>,
    /// Sender.
    peer: IpAddr,
}

/// A question without EDNS, RD set, from 10.9.9.9.
pub(crate) fn ask(name: &str, qtype: u16) -> Ask {
    Ask {
        name: world::name(name),
        qtype,
        qclass: 1,
        flags: 0x0100,
        opt: None,
        options: vec![],
        peer: IpAddr::from([10, 9, 9, 9]),
    }
}

impl Ask {
    /// With an OPT record of this payload size and TTL field.
    pub(crate) fn edns(mut self, bytes_max: u16, ttl: u32) -> Self {
        self.opt = Some((bytes_max, ttl));
        self
    }

    /// With an option; EDNS of 1232 octets if there is none yet.
    pub(crate) fn option(mut self, code: u16, data: &[u8]) -> Self {
        let len = u16::try_from(data.len()).unwrap();
        self.options
            .extend([&code.to_be_bytes()[..], &len.to_be_bytes(), data].concat());
        self.opt = self.opt.or(Some((1232, 0)));
        self
    }

    /// With a Client Subnet such as `10.1.0.0/16`.
    pub(crate) fn subnet(self, subnet: &str) -> Self {
        let (addr, source) = subnet.split_once('/').unwrap();
        let source: u8 = source.parse().unwrap();
        let (family, octets) = match addr.parse().unwrap() {
            IpAddr::V4(addr) => (1, addr.octets().to_vec()),
            IpAddr::V6(addr) => (2, addr.octets().to_vec()),
        };
        let octets = &octets[..usize::from(source).div_ceil(8)];
        self.option(8, &[&[0, family, source, 0], octets].concat())
    }

    /// From another peer.
    pub(crate) fn from(mut self, peer: &str) -> Self {
        self.peer = peer.parse().unwrap();
        self
    }

    /// In another class.
    pub(crate) fn class(mut self, qclass: u16) -> Self {
        self.qclass = qclass;
        self
    }

    /// With other header flags.
    pub(crate) fn flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }

    /// The bytes of the question.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0xab, 0xcd];
        bytes.extend(self.flags.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.opt.is_some())]);
        bytes.extend(&self.name);
        bytes.extend([self.qtype.to_be_bytes(), self.qclass.to_be_bytes()].concat());
        if let Some((bytes_max, ttl)) = self.opt {
            bytes.extend([0, 0, 41]);
            bytes.extend(bytes_max.to_be_bytes());
            bytes.extend(ttl.to_be_bytes());
            bytes.extend(u16::try_from(self.options.len()).unwrap().to_be_bytes());
            bytes.extend(&self.options);
        }
        bytes
    }

    /// The reply of a view over UDP, as text.
    pub(crate) fn of(&self, view: &DnsView) -> String {
        self.with(view, &ReplyConfig::default())
    }

    /// The reply over UDP under a configuration, as text.
    pub(crate) fn with(&self, view: &DnsView, config: &ReplyConfig) -> String {
        shown(&self.reply(view, config, Transport::Udp).expect("a reply"))
    }

    /// The bytes of the reply.
    pub(crate) fn reply(
        &self,
        view: &DnsView,
        config: &ReplyConfig,
        transport: Transport,
    ) -> Option<Vec<u8>> {
        reply_to(&self.bytes(), self.peer, view, config, transport)
    }
}

/// The bytes of the reply to any bytes.
pub(crate) fn reply_to(
    message: &[u8],
    peer: IpAddr,
    view: &DnsView,
    config: &ReplyConfig,
    transport: Transport,
) -> Option<Vec<u8>> {
    let arrival = Arrival {
        peer: SocketAddr::new(peer, 5353),
        transport,
        now_s: 1_700_000_000,
    };
    let mut out = vec![0xee; 65535];
    let len = respond(
        message,
        &arrival,
        view,
        config,
        &mut out,
        &mut Tally::default(),
    )?;
    out.truncate(len);
    Some(out)
}

/// A reply as text: code, set flags, the records of each section, what EDNS says. Each set is
/// sorted.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let message = Message::from_vec(bytes).expect("a well-formed reply");
    let meta = &message.metadata;
    assert!(
        !meta.recursion_available && !meta.authentic_data,
        "RA and AD are never set"
    );
    let low = u16::from(bytes[3] & 0xf);
    let high = message
        .edns
        .as_ref()
        .map_or(0, |edns| u16::from(edns.rcode_high()) << 4);
    let mut parts = vec![match high | low {
        0 => "noerror".to_owned(),
        1 => "formerr".to_owned(),
        3 => "nxdomain".to_owned(),
        4 => "notimp".to_owned(),
        5 => "refused".to_owned(),
        16 => "badvers".to_owned(),
        23 => "badcookie".to_owned(),
        other => other.to_string(),
    }];
    for (set, flag) in [
        (meta.authoritative, "aa"),
        (meta.truncation, "tc"),
        (meta.recursion_desired, "rd"),
        (meta.checking_disabled, "cd"),
    ] {
        parts.extend(set.then(|| flag.to_owned()));
    }
    for (section, records) in [
        ("", &message.answers),
        ("auth ", &message.authorities),
        ("add ", &message.additionals),
    ] {
        for set in records.chunk_by(|a, b| (&a.name, a.record_type()) == (&b.name, b.record_type()))
        {
            let mut lines: Vec<_> = set
                .iter()
                .map(|record| format!("| {section}{}", line(record)))
                .collect();
            // A set has no order (RFC 2181 section 5), the sets of a chain have.
            lines.sort();
            parts.extend(lines);
        }
    }
    if let Some(edns) = &message.edns {
        assert_eq!((edns.version(), edns.flags().z), (0, 0));
        parts.push(if edns.flags().dnssec_ok {
            "| edns do".into()
        } else {
            "| edns".into()
        });
        for (code, option) in &edns.options().options {
            parts.push(match (code, option) {
                (_, EdnsOption::Subnet(ecs)) => {
                    format!(
                        "ecs {}/{}/{}",
                        ecs.addr(),
                        ecs.source_prefix(),
                        ecs.scope_prefix()
                    )
                }
                (EdnsCode::NSID, _) => "nsid".to_owned(),
                (EdnsCode::Cookie, _) => "cookie".to_owned(),
                (EdnsCode::Keepalive, _) => "keepalive".to_owned(),
                other => panic!("unasked option {other:?}"),
            });
        }
    }
    parts.join(" ")
}

fn line(record: &Record) -> String {
    let data = match record.record_type().into() {
        6_u16 => "...".to_owned(),
        _ => record.data.to_string(),
    };
    format!(
        "{} {} {} {data}",
        record.name,
        record.ttl,
        record.record_type()
    )
}

/// The scope of a reply's Client Subnet option.
pub(crate) fn scope(bytes: &[u8]) -> Option<u8> {
    let message = Message::from_vec(bytes).ok()?;
    match message.edns?.option(EdnsCode::Subnet)? {
        EdnsOption::Subnet(ecs) => Some(ecs.scope_prefix()),
        _ => None,
    }
}

/// The addresses of a reply's answer section, sorted.
pub(crate) fn addresses(bytes: &[u8]) -> Vec<String> {
    let message = Message::from_vec(bytes).expect("a well-formed reply");
    let mut lines: Vec<_> = message
        .answers
        .iter()
        .map(|record| record.data.to_string())
        .collect();
    lines.sort();
    lines
}
