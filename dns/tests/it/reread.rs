//! The second opinion: what a question says and which reply it must get, read by the `domain` crate
//! and judged by the RFCs, sharing no code with the reader under test.

use crate::reencode::{Options, Second};
use dns::{Arrival, Client, DnsView, Ecs, NameBuf, Outcome, Question, ReplyConfig, Transport};
use domain::base::iana::{Opcode, OptRcode, OptionCode};
use domain::base::message::{Message, RecordSection};
use domain::base::name::{ParsedName, ToLabelIter};
use domain::base::opt::{ClientSubnet, Opt, UnknownOptData};
use domain::base::wire::ParseError;
use domain::dep::octseq::Parser;

/// The reply that a message must get.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// None.
    Silence,
    /// A header alone, with this code; its opcode is kept.
    Bare(OptRcode),
    /// Exactly these bytes, for this reason: an error, or how the answer ended.
    Bytes(Vec<u8>, Result<Outcome, OptRcode>),
    /// The other reader follows compression pointers in records that mean nothing to a server, and
    /// refused one.
    Unsure,
}

/// An OPT record, as far as it could be read.
struct ReadOpt {
    payload_bytes: u16,
    dnssec_ok: bool,
    version: u8,
    /// (code, data) of each option; `None` when they do not fill the record.
    options: Option<Vec<(u16, Vec<u8>)>>,
}

/// Rest of the message after the question.
enum Rest {
    /// All of it was read: the first OPT record, and whether something was malformed.
    Read(Option<ReadOpt>, bool),
    Unsure,
}

/// Returns what a message must get from a view.
pub(crate) fn expected(
    message: &[u8],
    arrival: &Arrival,
    view: &DnsView,
    config: &ReplyConfig,
) -> Expected {
    let Ok(read) = Message::from_octets(message) else {
        return Expected::Silence;
    };
    let header = read.header();
    if header.qr() {
        return Expected::Silence;
    }
    if header.opcode() != Opcode::QUERY {
        return Expected::Bare(OptRcode::NOTIMP);
    }
    let mut questions = read.question();
    let (1, Some(Ok(question))) = (read.header_counts().qdcount(), questions.next()) else {
        return Expected::Bare(OptRcode::FORMERR);
    };
    // There is nothing before a question that its name could point to, so it must stand there in
    // full.
    if questions.pos() != 12 + usize::from(question.qname().compose_len()) + 4 {
        return Expected::Bare(OptRcode::FORMERR);
    }
    let wire = &message[12..questions.pos()];
    let Rest::Read(opt, malformed) = rest(message, questions.pos(), questions.answer()) else {
        return Expected::Unsure;
    };
    let name = &wire[..wire.len() - 4];
    let question = Question {
        wire,
        name: NameBuf::lowered(name),
        qtype: question.qtype().to_int(),
        qclass: question.qclass().to_int(),
    };
    judge(header, &question, opt, malformed, arrival, (view, config))
}

/// Reads all records after the question, which ends at octet `from`.
fn rest<'m>(
    message: &'m [u8],
    from: usize,
    answers: Result<RecordSection<'m, &'m [u8]>, ParseError>,
) -> Rest {
    let mut section = answers.ok();
    let (mut opt, mut malformed, mut end) = (None, false, from);
    for index in 0..3 {
        let mut records = section.take().expect("three sections follow the question");
        loop {
            end = records.pos();
            let record = match records.next() {
                None => break,
                // Passed over without following pointers it may be good all the same.
                Some(Err(_)) if passes(message, end) => return Rest::Unsure,
                Some(Err(_)) => return Rest::Read(opt, true),
                Some(Ok(record)) => record,
            };
            if index < 2 || record.rtype().to_int() != 41 {
                continue;
            }
            malformed |= opt.is_some() || message[end] != 0;
            let data = record.to_record::<Opt<&[u8]>>().ok().flatten();
            let ttl = record.ttl().as_secs();
            opt = opt.or_else(|| {
                Some(ReadOpt {
                    payload_bytes: record.class().to_int().max(512),
                    dnssec_ok: ttl & 0x8000 != 0,
                    version: ttl.to_be_bytes()[1],
                    options: data.map(|record| options(record.data())),
                })
            });
        }
        section = records.next_section().ok().flatten();
    }
    Rest::Read(opt, malformed || end != message.len())
}

/// Tells whether there is a whole record at `at`, wherever its owner points to.
fn passes(message: &[u8], at: usize) -> bool {
    let mut parser = Parser::from_ref(message);
    let mut pass = || {
        parser.advance(at).ok()?;
        ParsedName::skip(&mut parser).ok()?;
        parser.advance(8).ok()?;
        let octets = parser.parse_u16_be().ok()?;
        parser.advance(usize::from(octets)).ok()
    };
    pass().is_some()
}

/// All options of a record.
fn options(opt: &Opt<&[u8]>) -> Vec<(u16, Vec<u8>)> {
    opt.iter::<UnknownOptData<&[u8]>>()
        .map(|option| option.unwrap())
        .map(|option| {
            (
                domain::base::opt::OptData::code(&option).to_int(),
                option.as_slice().to_vec(),
            )
        })
        .collect()
}

/// Returns what the options of a question ask for, and the code of the error that they are.
fn asked<'o>(
    opt: &'o ReadOpt,
    arrival: &Arrival,
    config: &ReplyConfig,
) -> (Options, Option<Ecs<'o>>, Option<OptRcode>) {
    let mut reply = Options {
        dnssec_ok: opt.dnssec_ok,
        ..Options::default()
    };
    if opt.version != 0 {
        return (reply, None, Some(OptRcode::BADVERS));
    }
    let Some(options) = &opt.options else {
        return (reply, None, Some(OptRcode::FORMERR));
    };
    let with = |code: OptionCode| {
        options
            .iter()
            .filter(move |option| option.0 == code.to_int())
            .map(|option| &option.1[..])
    };
    let mut subnets = with(OptionCode::CLIENT_SUBNET).map(subnet);
    let ecs = match (subnets.next(), subnets.next()) {
        (Some(None), _) | (_, Some(_)) => return (reply, None, Some(OptRcode::FORMERR)),
        (ecs, None) => ecs.flatten(),
    };
    if with(OptionCode::NSID).next().is_some() {
        reply.nsid = config
            .nsid
            .as_deref()
            .filter(|nsid| !nsid.is_empty())
            .map(<[u8]>::to_vec);
    }
    if let Transport::Tcp { idle_100ms } = arrival.transport
        && with(OptionCode::TCP_KEEPALIVE).any(<[u8]>::is_empty)
    {
        reply.keepalive = Some(idle_100ms);
    }
    (reply, ecs, None)
}

/// A Client Subnet option by RFC 7871 section 6; `None` when it must get FORMERR.
fn subnet(data: &[u8]) -> Option<Ecs<'_>> {
    // Family 0 names no address and so no bits of one.
    if data == [0; 4] {
        return Some(Ecs {
            payload: data,
            source: 0,
            addr: None,
        });
    }
    let read = ClientSubnet::parse(&mut Parser::from_ref(&data)).ok()?;
    let (source, addr) = (read.source_prefix_len(), Some(read.addr()));
    (read.scope_prefix_len() == 0).then_some(Ecs {
        payload: data,
        source,
        addr,
    })
}

/// The reply to a question that could be read.
fn judge(
    header: domain::base::Header,
    question: &Question<'_>,
    opt: Option<ReadOpt>,
    malformed: bool,
    arrival: &Arrival,
    (view, config): (&DnsView, &ReplyConfig),
) -> Expected {
    let opt = opt.as_ref();
    assert!(
        config.cookies.is_none(),
        "cookies are not read a second time"
    );
    let (mut options, ecs, fault) = match opt.map(|opt| asked(opt, arrival, config)) {
        Some((options, ecs, fault)) => (Some(options), ecs, fault),
        None => (None, None, None),
    };
    let fault = if malformed {
        Some(OptRcode::FORMERR)
    } else {
        fault
    };
    let bytes_max = match arrival.transport {
        Transport::Udp => usize::from(opt.map_or(512, |opt| opt.payload_bytes)).min(1232),
        Transport::Tcp { .. } => 65535,
    };
    let mut second = Second {
        header,
        question,
        rcode: OptRcode::NOERROR,
        answer: None,
        options: None,
        bytes_max,
    };
    if let Some(rcode) = fault {
        // An error says that EDNS was understood, and nothing else.
        second.options = options.map(|options| Options {
            dnssec_ok: options.dnssec_ok,
            ..Options::default()
        });
        second.rcode = rcode;
        return Expected::Bytes(second.encode(), Err(rcode));
    }
    let client = Client::choose(ecs, arrival.peer.ip(), &config.ecs, config.ecs_bits);
    let answer = dns::answer(question, &client, view);
    second.rcode = match answer.outcome {
        Outcome::Records | Outcome::NoData | Outcome::Referral => OptRcode::NOERROR,
        Outcome::NxDomain => OptRcode::NXDOMAIN,
        Outcome::Refused => OptRcode::REFUSED,
        Outcome::FormErr => OptRcode::FORMERR,
    };
    let says_something = !matches!(answer.outcome, Outcome::Refused | Outcome::FormErr);
    if let Some((options, ecs)) = options.as_mut().zip(client.ecs)
        && says_something
    {
        options.subnet = Some((ecs.addr, ecs.source, answer.scope));
    }
    second.options = options;
    second.answer = Some(&answer);
    Expected::Bytes(second.encode(), Ok(answer.outcome))
}
