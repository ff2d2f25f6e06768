//! A responder of a few lines on port 0, and the client against it.

use super::*;
use domain::base::iana::Class;
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;

/// Manner of the responder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answers over UDP.
    Plain,
    /// Cuts every answer over UDP.
    Truncates,
    /// Sends an answer with a wrong id before the right one.
    ForeignFirst,
    /// Never answers.
    Silent,
}

/// Answers `question` with an address, TTL 30 and scope 20, as a server would.
pub(crate) fn respond(bytes: &[u8], address: IpAddr, truncated: bool) -> Vec<u8> {
    let query = Message::from_octets(bytes).unwrap();
    let mut answer = MessageBuilder::new_vec()
        .start_answer(&query, Rcode::NOERROR)
        .unwrap();
    answer.header_mut().set_tc(truncated);
    let name = query.sole_question().unwrap().into_qname();
    if !truncated {
        match address {
            IpAddr::V4(v4) => answer.push((&name, Class::IN, 30, A::new(v4))).unwrap(),
            IpAddr::V6(v6) => answer.push((&name, Class::IN, 30, Aaaa::new(v6))).unwrap(),
        }
    }
    let mut additional = answer.additional();
    let opt = query.opt().unwrap();
    if let Some(sent) = opt.opt().iter::<ClientSubnet>().next() {
        let sent = sent.unwrap();
        let echo = ClientSubnet::new(sent.source_prefix_len(), 20, sent.addr());
        additional.opt(|opt| opt.push(&echo)).unwrap();
    }
    additional.finish()
}

/// Starts a responder on UDP and TCP of one port; returns its address and a count of questions.
pub(crate) async fn responder(manner: Manner, address: IpAddr) -> (SocketAddr, Arc<AtomicU64>) {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = udp.local_addr().unwrap();
    let tcp = TcpListener::bind(at).await.unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((len, peer)) = udp.recv_from(&mut buffer).await {
            counter.fetch_add(1, Ordering::Relaxed);
            let mut answer = respond(&buffer[..len], address, manner == Manner::Truncates);
            if manner == Manner::ForeignFirst {
                answer[0] ^= 0xff;
                udp.send_to(&answer, peer).await.unwrap();
                answer[0] ^= 0xff;
            }
            if manner != Manner::Silent {
                udp.send_to(&answer, peer).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let len = stream.read_u16().await.unwrap();
            let mut query = vec![0; len.into()];
            stream.read_exact(&mut query).await.unwrap();
            let answer = respond(&query, address, false);
            stream
                .write_u16(answer.len().try_into().unwrap())
                .await
                .unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    (at, count)
}

fn question() -> Question {
    Question {
        name: parse_name("live.example").unwrap(),
        ipv6: false,
        subnet: Some(Prefix::new([198, 51, 100, 7].into(), 24)),
        id: 4711,
    }
}

async fn ask_one(manner: Manner) -> Result<Reply, AskError> {
    let (server, _) = responder(manner, [192, 0, 2, 1].into()).await;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.connect(server).await.unwrap();
    let patience = if manner == Manner::Silent { 50 } else { 5_000 };
    ask(
        &socket,
        server,
        &question(),
        Duration::from_millis(patience),
    )
    .await
}

#[tokio::test]
async fn answers_come_over_udp_and_over_tcp_when_cut() {
    for manner in [Manner::Plain, Manner::Truncates, Manner::ForeignFirst] {
        let expected = Reply {
            addresses: vec![[192, 0, 2, 1].into()],
            ttl_s: 30,
            scope: Some(20),
            truncated: false,
        };
        assert_eq!(ask_one(manner).await.unwrap(), expected, "{manner:?}");
    }
}

#[tokio::test]
async fn silence_is_a_timeout() {
    assert_eq!(
        ask_one(Manner::Silent).await.unwrap_err().label(),
        "timeout"
    );
}

#[test]
fn an_answer_must_fit_its_question() {
    let asked = question();
    let answer = respond(&encode(&asked).unwrap(), [192, 0, 2, 1].into(), false);
    let label = |other: Question| decode(&answer, &other).unwrap_err().label();
    assert_eq!(
        label(Question {
            id: 1,
            ..asked.clone()
        }),
        "foreign"
    );
    assert_eq!(
        label(Question {
            ipv6: true,
            ..asked.clone()
        }),
        "foreign"
    );
    assert_eq!(
        label(Question {
            name: parse_name("vod.example").unwrap(),
            ..asked.clone()
        }),
        "foreign"
    );
    assert_eq!(
        label(Question {
            subnet: None,
            ..asked.clone()
        }),
        "subnet"
    );
    let elsewhere = Some(Prefix::new([203, 0, 113, 7].into(), 24));
    assert_eq!(
        label(Question {
            subnet: elsewhere,
            ..asked
        }),
        "subnet"
    );
}

#[test]
fn refusals_and_addresses_of_the_other_family() {
    let asked = question();
    let mut answer = respond(&encode(&asked).unwrap(), [192, 0, 2, 1].into(), false);
    answer[3] = (answer[3] & 0xf0) | 5;
    assert_eq!(decode(&answer, &asked).unwrap_err().label(), "rcode");
    let v6 = Question {
        ipv6: true,
        ..question()
    };
    let answer = respond(&encode(&v6).unwrap(), "2001:db8::1".parse().unwrap(), false);
    assert_eq!(
        decode(&answer, &v6).unwrap().addresses,
        ["2001:db8::1".parse::<IpAddr>().unwrap()]
    );
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_not_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes, &question()).is_err());
    }

    #[test]
    fn damaged_answers_never_panic(at in 0_usize..60, byte in any::<u8>()) {
        let mut answer = respond(&encode(&question()).unwrap(), [192, 0, 2, 1].into(), false);
        let at = at % answer.len();
        answer[at] = byte;
        let _outcome = decode(&answer, &question());
    }
}
