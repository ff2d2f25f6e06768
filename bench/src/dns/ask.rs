//! Questions one at a time, without any hurry: whether a server is there, and what its answers are.

use crate::dns::load::{Expect, LOST_AFTER};
use crate::dns::prefixes::Prefix;
use crate::dns::question::{Answer, Question};
use crate::mmsg::DATAGRAM_BYTES_MAX;
use anyhow::{Context as _, Result};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// Asks one question and waits for its answer; `None` when it is wrong or does not come.
///
/// # Errors
/// When no socket can be had.
pub fn ask_one(
    server: SocketAddr,
    question: &Question,
    prefix: &Prefix,
    expect: Expect,
) -> Result<Option<Answer>> {
    let mut answers = ask_each(server, question, std::slice::from_ref(prefix), expect)?;
    Ok(answers.pop().flatten())
}

/// Asks for each prefix in turn, one at a time; a missing or wrong answer is `None`.
///
/// # Errors
/// When no socket can be had.
pub fn ask_each(
    server: SocketAddr,
    question: &Question,
    prefixes: &[Prefix],
    expect: Expect,
) -> Result<Vec<Option<Answer>>> {
    let socket = connect(server)?;
    let mut answers = Vec::with_capacity(prefixes.len());
    let (mut bytes, mut buffer) = (Vec::new(), [0; DATAGRAM_BYTES_MAX]);
    for (id, prefix) in (0..=u16::MAX).cycle().zip(prefixes) {
        bytes.clear();
        question.write(id, prefix, &mut bytes);
        // A refused datagram is a server that is not there yet.
        let received = socket.send(&bytes).and_then(|_| socket.recv(&mut buffer));
        let message = &buffer[..received.unwrap_or(0)];
        let message = message.strip_prefix(&id.to_be_bytes()).map(|_| message);
        answers.push(match expect {
            Expect::Answer => message.and_then(|message| question.read(message, prefix)),
            Expect::Echo => message
                .filter(|message| question.is_answered(message))
                .map(|_| Answer {
                    address: Ipv4Addr::UNSPECIFIED,
                    scope_bits: None,
                }),
        });
    }
    Ok(answers)
}

/// A socket that speaks with `server` alone.
pub(super) fn connect(server: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("cannot have a socket")?;
    socket
        .connect(server)
        .with_context(|| format!("cannot reach {server}"))?;
    socket.set_read_timeout(Some(LOST_AFTER))?;
    Ok(socket)
}
