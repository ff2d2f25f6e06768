//! A client of DNS over UDP and TCP. Messages are written and read by `hickory-proto`, a decoder
//! that is not ours.

use crate::PATIENCE;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

/// Time after which a question over UDP counts as not answered.
const LOST_AFTER: Duration = Duration::from_millis(500);

/// A socket that hears `server` alone, and fails, rather than hangs, when nothing comes.
///
/// # Panics
/// When there is no such socket.
#[must_use]
pub fn udp(server: SocketAddr) -> UdpSocket {
    let local = if server.is_ipv4() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        IpAddr::V6(Ipv6Addr::LOCALHOST)
    };
    let socket = UdpSocket::bind((local, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server).unwrap();
    socket
}

/// A message behind its length, as it travels over TCP (RFC 1035 section 4.2.2).
///
/// # Panics
/// When it is longer than a length can say.
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    [&length.to_be_bytes(), message].concat()
}

/// Reads a message behind its length; `None` when the stream ends before it does.
pub fn read_framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

/// A question as bytes. With `client` it has a Client Subnet option of that address's /24.
///
/// # Panics
/// When `name` is none.
#[must_use]
pub fn question(name: &str, rtype: RecordType, client: Option<Ipv4Addr>) -> Vec<u8> {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_str(name).unwrap(), rtype));
    if let Some(client) = client {
        let mut edns = Edns::new();
        edns.set_max_payload(1232);
        let network = Ipv4Addr::from(u32::from(client) & 0xffff_ff00);
        edns.options_mut()
            .insert(EdnsOption::Subnet(ClientSubnet::new(
                IpAddr::V4(network),
                24,
                0,
            )));
        message.edns = Some(edns);
    }
    message.to_vec().unwrap()
}

/// A reply.
#[derive(Debug)]
pub struct Reply {
    /// Response code.
    pub code: ResponseCode,
    /// Addresses of A records in the answer.
    pub addresses: Vec<Ipv4Addr>,
    /// Names that CNAME records in the answer point at.
    pub aliases: Vec<String>,
    /// Length of the scope, when the reply has a Client Subnet option.
    pub scope: Option<u8>,
    /// Types of the records in the authority section.
    pub authority: Vec<RecordType>,
}

/// Reads a reply.
///
/// # Panics
/// When it does not decode.
#[must_use]
pub fn read_reply(bytes: &[u8]) -> Reply {
    let message = Message::from_vec(bytes).unwrap();
    let address = |record: &Record| match &record.data {
        RData::A(address) => Some(address.0),
        _ => None,
    };
    let alias = |record: &Record| match &record.data {
        RData::CNAME(alias) => Some(alias.0.to_string()),
        _ => None,
    };
    let option = message
        .edns
        .as_ref()
        .and_then(|edns| edns.option(EdnsCode::Subnet).cloned());
    Reply {
        code: message.metadata.response_code,
        addresses: message.answers.iter().filter_map(address).collect(),
        aliases: message.answers.iter().filter_map(alias).collect(),
        scope: option.and_then(|option| match option {
            EdnsOption::Subnet(subnet) => Some(subnet.scope_prefix()),
            _ => None,
        }),
        authority: message
            .authorities
            .iter()
            .map(|record| record.record_type())
            .collect(),
    }
}

/// Asks by UDP; `None` when nobody answers in time.
///
/// # Panics
/// When the answer does not decode.
#[must_use]
pub fn ask(
    server: SocketAddr,
    name: &str,
    rtype: RecordType,
    client: Option<Ipv4Addr>,
) -> Option<Reply> {
    let socket = udp(server);
    socket.set_read_timeout(Some(LOST_AFTER)).unwrap();
    socket.send(&question(name, rtype, client)).ok()?;
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).ok()?;
    // While a server is gone its port may be given to the very socket that asks, which then hears
    // itself.
    let is_reply = bytes[2] & 0x80 != 0;
    is_reply.then(|| read_reply(&bytes[..length]))
}

/// Asks by TCP.
///
/// # Panics
/// When nobody answers in time.
#[must_use]
pub fn ask_tcp(
    server: SocketAddr,
    name: &str,
    rtype: RecordType,
    client: Option<Ipv4Addr>,
) -> Reply {
    let mut stream = crate::http::connect(server);
    let question = framed(&question(name, rtype, client));
    stream.write_all(&question).unwrap();
    read_reply(&read_framed(&mut stream).unwrap())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_comes_back_whole_through_a_frame() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut message = read_framed(&mut stream).unwrap();
            // QR: a reply that says nothing but the question.
            message[2] |= 0x80;
            stream.write_all(&framed(&message)).unwrap();
        });
        let client = Some(Ipv4Addr::new(192, 0, 2, 77));
        let reply = ask_tcp(at, "www.example.", RecordType::A, client);
        assert_eq!((reply.code, reply.scope), (ResponseCode::NoError, Some(0)));
        assert!(reply.addresses.is_empty() && reply.authority.is_empty());
        served.join().unwrap();
    }
}
