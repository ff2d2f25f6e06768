//! Questions as a resolver sends them, over real sockets: UDP first, TCP when the answer was cut.

use crate::cache::Prefix;
use domain::base::iana::{Rcode, Rtype};
use domain::base::message_builder::PushError;
use domain::base::opt::ClientSubnet;
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::{A, Aaaa};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

/// Payload resolvers of today offer: no fragments on common paths (DNS flag day 2020).
const PAYLOAD_MAX: u16 = 1232;
/// Longest answer over TCP.
const STREAM_MAX: usize = u16::MAX as usize;
/// Most records of an answer that are looked at.
const RECORDS_MAX: usize = 64;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// The name asked for.
    pub name: Name<Vec<u8>>,
    /// True when AAAA is asked for, instead of A.
    pub ipv6: bool,
    /// The client prefix that is told, if any.
    pub subnet: Option<Prefix>,
    /// Message id.
    pub id: u16,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Addresses of the asked type, in their order.
    pub addresses: Vec<IpAddr>,
    /// Least TTL among them, seconds; 0 when there are none.
    pub ttl_s: u32,
    /// ECS scope, if the option came back.
    pub scope: Option<u8>,
    /// True when it was cut: ask again over TCP.
    pub truncated: bool,
}

/// Reason why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The socket failed.
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
    /// The answer does not parse.
    #[error("answer does not parse: {0}")]
    Malformed(#[from] domain::base::wire::ParseError),
    /// The answer is to another question.
    #[error("answer does not fit the question")]
    Foreign,
    /// The server said no.
    #[error("server answered {0}")]
    Refused(Rcode),
    /// The ECS option that came back does not echo what was sent (RFC 7871 section 7.3).
    #[error("answer echoes another client subnet")]
    Subnet,
    /// The question does not fit a message.
    #[error("question does not fit a message")]
    TooLong(#[from] PushError),
}

impl AskError {
    /// A short label for counters.
    #[must_use]
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Socket(_) => "socket",
            Self::Malformed(_) => "malformed",
            Self::Foreign => "foreign",
            Self::Refused(_) => "rcode",
            Self::Subnet => "subnet",
            Self::TooLong(_) => "too-long",
        }
    }
}

/// The question on the wire.
///
/// # Errors
/// [`AskError::TooLong`] when it does not fit, which a parsed name always does.
pub(crate) fn encode(question: &Question) -> Result<Vec<u8>, AskError> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(question.id);
    let mut builder = builder.question();
    builder.push((
        &question.name,
        if question.ipv6 { Rtype::AAAA } else { Rtype::A },
    ))?;
    let mut builder = builder.additional();
    builder.opt(|opt| {
        opt.set_udp_payload_size(PAYLOAD_MAX);
        let Some(subnet) = question.subnet else {
            return Ok(());
        };
        opt.push(&ClientSubnet::new(subnet.len(), 0, subnet.addr()))
    })?;
    Ok(builder.finish())
}

/// Reads an answer to a question.
///
/// # Errors
/// All of [`AskError`] but those of sockets.
pub(crate) fn decode(bytes: &[u8], question: &Question) -> Result<Reply, AskError> {
    let message = Message::from_octets(bytes).map_err(|_| AskError::Foreign)?;
    let header = message.header();
    if header.id() != question.id || !header.qr() {
        return Err(AskError::Foreign);
    }
    if header.rcode() != Rcode::NOERROR {
        return Err(AskError::Refused(header.rcode()));
    }
    let asked = message.sole_question().map_err(|_| AskError::Foreign)?;
    let qtype = if question.ipv6 { Rtype::AAAA } else { Rtype::A };
    if asked.qtype() != qtype || *asked.qname() != question.name {
        return Err(AskError::Foreign);
    }
    let mut reply = Reply {
        addresses: Vec::new(),
        ttl_s: u32::MAX,
        scope: scope_of(&message, question)?,
        truncated: header.tc(),
    };
    // Records of other types (a CNAME before the address) count towards the TTL of the whole.
    for record in message.answer()?.take(RECORDS_MAX) {
        let record = record?;
        reply.ttl_s = reply.ttl_s.min(record.ttl().as_secs());
        if question.ipv6 {
            let parsed = record.into_record::<Aaaa>()?;
            reply
                .addresses
                .extend(parsed.map(|found| IpAddr::V6(found.data().addr())));
        } else {
            let parsed = record.into_record::<A>()?;
            reply
                .addresses
                .extend(parsed.map(|found| IpAddr::V4(found.data().addr())));
        }
    }
    if reply.addresses.is_empty() {
        reply.ttl_s = 0;
    }
    Ok(reply)
}

/// The scope of the ECS option that came back.
fn scope_of(message: &Message<&[u8]>, question: &Question) -> Result<Option<u8>, AskError> {
    let Some(opt) = message.opt() else {
        return Ok(None);
    };
    let Some(echo) = opt.opt().iter::<ClientSubnet>().next().transpose()? else {
        return Ok(None);
    };
    // RFC 7871 section 7.3: FAMILY, SOURCE PREFIX-LENGTH and ADDRESS must match those of the query,
    // or it is dropped.
    let fits = question
        .subnet
        .is_some_and(|sent| echo.source_prefix_len() == sent.len() && echo.addr() == sent.addr());
    if fits {
        Ok(Some(echo.scope_prefix_len()))
    } else {
        Err(AskError::Subnet)
    }
}

/// Asks over a connected UDP socket, and over TCP when the answer was cut. Late answers to earlier
/// questions on the same socket are passed over.
///
/// # Errors
/// [`AskError`]; a timeout is per question, TCP included.
pub(crate) async fn ask(
    socket: &UdpSocket,
    server: SocketAddr,
    question: &Question,
    timeout: Duration,
) -> Result<Reply, AskError> {
    let deadline = Instant::now() + timeout;
    let bytes = encode(question)?;
    let late = |_| AskError::Timeout(timeout);
    timeout_at(deadline, socket.send(&bytes))
        .await
        .map_err(late)??;
    let mut buffer = [0_u8; PAYLOAD_MAX as usize];
    let reply = loop {
        let len = timeout_at(deadline, socket.recv(&mut buffer))
            .await
            .map_err(late)??;
        match decode(&buffer[..len], question) {
            // An answer to what was asked before on this socket, or a stranger's: go on waiting
            // (RFC 5452 section 9.1).
            Err(AskError::Foreign) => {}
            decided => break decided?,
        }
    };
    if reply.truncated {
        return timeout_at(deadline, ask_stream(server, question, &bytes))
            .await
            .map_err(late)?;
    }
    Ok(reply)
}

/// The same question over TCP (RFC 7766): two bytes of length before each message.
async fn ask_stream(
    server: SocketAddr,
    question: &Question,
    bytes: &[u8],
) -> Result<Reply, AskError> {
    let mut stream = TcpStream::connect(server).await?;
    let len = u16::try_from(bytes.len()).map_err(|_| AskError::Foreign)?;
    stream
        .write_all(&[&len.to_be_bytes(), bytes].concat())
        .await?;
    let len = usize::from(stream.read_u16().await?).min(STREAM_MAX);
    let mut answer = vec![0; len];
    stream.read_exact(&mut answer).await?;
    decode(&answer, question)
}

/// A name as people write it.
///
/// # Errors
/// When it is no domain name.
pub(crate) fn parse_name(text: &str) -> Result<Name<Vec<u8>>, domain::base::name::FromStrError> {
    text.parse()
}

#[cfg(test)]
pub(crate) mod tests;
